//! File permissions of a shared install, which all users of a machine can read and only its owner can write.

use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Allows all users to read a folder and its contents, and only the owner to write.
pub fn share(path: &Path) -> Result<()> {
    allow_reading(path, 0o022)?;
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::read_dir(path)?.try_for_each(|entry| share(&entry?.path())),
        false => Ok(()),
    }
}

/// Allows all users to read a file or to enter a folder, and removes the permission bits in `removed`.
pub fn allow_reading(path: &Path, removed: u32) -> Result<()> {
    let found = fs::symlink_metadata(path)?;
    let mode = found.permissions().mode() & 0o7777;
    let is_entered = found.is_dir() || mode & 0o100 != 0;
    let shown = (mode | if is_entered { 0o555 } else { 0o444 }) & !removed;
    if !found.is_symlink() && shown != mode {
        fs::set_permissions(path, Permissions::from_mode(shown))
            .with_context(|| format!("cannot make {} readable for other users", path.display()))?;
    }
    Ok(())
}

/// The first of the folders that lead to `path`, or `path` itself, that other users cannot enter.
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
        share(&closed).unwrap();
        assert_eq!(closed_to_others(&within), None);
        let modes =
            [&closed, &text, &program].map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o755, 0o644, 0o755]);
    }
}
