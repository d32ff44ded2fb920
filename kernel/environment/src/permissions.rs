//! Who may read what: a shared install is for all users of a machine, and only its owner writes to it.

use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Lets all read a folder and what is in it, and only the owner write.
pub fn show_all(path: &Path) -> Result<()> {
    allow(path, 0o022)?;
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::read_dir(path)?.try_for_each(|entry| show_all(&entry?.path())),
        false => Ok(()),
    }
}

/// Lets all read a file, or look into a folder, and `forbids` what else they may.
pub fn allow(path: &Path, forbids: u32) -> Result<()> {
    let found = fs::symlink_metadata(path)?;
    let mode = found.permissions().mode() & 0o7777;
    let is_entered = found.is_dir() || mode & 0o100 != 0;
    let shown = (mode | if is_entered { 0o555 } else { 0o444 }) & !forbids;
    if !found.is_symlink() && shown != mode {
        fs::set_permissions(path, Permissions::from_mode(shown))
            .with_context(|| format!("cannot let others read {}", path.display()))?;
    }
    Ok(())
}

/// The first folder on the way to `path`, or itself, that only some users can look into.
pub fn closed_to_others(path: &Path) -> Option<PathBuf> {
    let mut folders: Vec<&Path> = path.ancestors().collect();
    folders.reverse();
    let is_closed =
        |folder: &&&Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o1 == 0);
    folders.iter().find(is_closed).map(|folder| folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_cannot_look_into_is_named_and_what_is_in_it_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (closed, within) = (folder.path().join("closed"), folder.path().join("closed/a/b"));
        fs::create_dir_all(&within).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o770)).unwrap();
        assert_eq!(closed_to_others(&within), Some(closed.clone()));
        let (text, program) = (within.join("text"), within.join("program"));
        for (file, mode) in [(&text, 0o620), (&program, 0o700)] {
            fs::write(file, "").unwrap();
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
        show_all(&closed).unwrap();
        assert_eq!(closed_to_others(&within), None);
        let modes =
            [&closed, &text, &program].map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o755, 0o644, 0o755]);
    }
}
