//! Writes files atomically, and computes digests of their contents.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes a file atomically, and creates its parent folders. A file that already has this content is not touched, because
/// cargo compares modification times.
///
/// # Errors
/// When the file cannot be written, with its path. An earlier file is then unchanged.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let content = content.as_ref();
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    replace(path, |new| Ok(new.write_all(content)?))
}

/// Copies a file with its permissions atomically, unless the target is already an equal copy. A process that has the earlier
/// file open or loaded keeps that one.
///
/// # Errors
/// When the copy cannot be written, with its path. An earlier file is then unchanged.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if is_copy(from, to).unwrap_or(false) {
        return Ok(());
    }
    replace(to, |new| fs::copy(from, new.path()).map(drop).with_context(|| from.display().to_string()))
}

fn is_copy(from: &Path, to: &Path) -> io::Result<bool> {
    let [one, other] = [fs::metadata(from)?, fs::metadata(to)?];
    let alike = one.len() == other.len() && one.permissions() == other.permissions();
    Ok(alike && fs::read(from)? == fs::read(to)?)
}

/// Replaces a file by a new one that `fill` writes.
fn replace(path: &Path, fill: impl FnOnce(&mut NamedTempFile) -> Result<()>) -> Result<()> {
    let replaced = || -> Result<()> {
        let folder = path.parent().context("it has no parent folder")?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::create_dir_all(folder)?;
        // By default, only the owner can access temporary files. The umask still applies to this mode.
        let mut new =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
        fill(&mut new)?;
        new.persist(path)?;
        Ok(())
    };
    replaced().with_context(|| format!("cannot write {}", path.display()))
}

/// The path without symbolic links, also if only its beginning exists. Cargo and the compiler name files so, whatever path
/// they are given.
pub fn canonical(path: &Path) -> PathBuf {
    let parent_and_name = || Some(canonical(path.parent()?).join(path.file_name()?));
    path.canonicalize().ok().or_else(parent_and_name).unwrap_or_else(|| path.to_owned())
}

/// The first 16 hexadecimal digits of the SHA-256 hash of the parts, each preceded by its length.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The folders in a folder.
///
/// # Errors
/// When it cannot be read.
pub fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// What the files in a folder take up, in bytes. What cannot be read is not counted.
pub fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_replaced_whole_and_not_touched_when_nothing_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folders/file");
        write(&path, "one").unwrap();
        let inode = || fs::metadata(&path).unwrap().ino();
        let first = inode();
        write(&path, "one").unwrap();
        assert_eq!(inode(), first, "the content is the same");
        let mut opened = fs::File::open(&path).unwrap();
        write(&path, "two").unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut opened, &mut text).unwrap();
        assert_eq!(text, "one", "whoever reads the one before goes on with it");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn links_are_resolved_as_far_as_a_path_exists() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("disk")).unwrap();
        std::os::unix::fs::symlink(root.join("disk"), root.join("link")).unwrap();
        assert_eq!(canonical(&root.join("link/new/file")), root.join("disk/new/file"));
        assert_eq!(canonical(Path::new("/no/such")), Path::new("/no/such"));
    }

    #[test]
    fn new_files_have_the_permissions_that_the_mask_allows_and_copies_those_of_the_original() {
        let folder = tempfile::tempdir().unwrap();
        let [ordinary, written, copied] =
            ["ordinary", "written", "copied"].map(|name| folder.path().join(name));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        fs::write(&ordinary, "").unwrap();
        write(&written, "x").unwrap();
        assert_eq!(mode(&written), mode(&ordinary));
        fs::set_permissions(&written, Permissions::from_mode(0o751)).unwrap();
        copy(&written, &copied).unwrap();
        assert_eq!((mode(&copied), fs::read_to_string(&copied).unwrap().as_str()), (0o751, "x"));
        let inode = fs::metadata(&copied).unwrap().ino();
        copy(&written, &copied).unwrap();
        assert_eq!(fs::metadata(&copied).unwrap().ino(), inode, "it is a copy already");
        fs::write(&copied, "y").unwrap();
        copy(&written, &copied).unwrap();
        assert_eq!(fs::read_to_string(&copied).unwrap(), "x", "as long as the other");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "before").unwrap();
        let error = format!("{:#}", copy(Path::new("/no/such/file"), &path).unwrap_err());
        assert!(error.starts_with(&format!("cannot write {}: /no/such/file: ", path.display())), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn parts_are_told_apart_in_a_digest() {
        let of = |parts: &[&str]| digest(parts.iter().map(|part| part.as_bytes()));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        // SHA-256 of eight zero bytes.
        assert_eq!(of(&[""]), "af5570f5a1810b7a");
    }
}
