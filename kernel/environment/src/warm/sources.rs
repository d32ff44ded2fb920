//! Detects changes in the sources of local crates, which users may edit while sessions use them.

use super::compiled::Crate;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A source file, with its modification time when it was compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    path: PathBuf,
    modified: Option<SystemTime>,
}

impl Source {
    /// A file in its present state.
    fn of(path: PathBuf) -> Self {
        let modified = fs::metadata(&path).and_then(|file| file.modified()).ok();
        Self { path, modified }
    }

    /// The same file in its present state.
    pub fn now(&self) -> Self {
        Self::of(self.path.clone())
    }
}

/// The files that a crate was compiled from: those that the compiler has read, the manifest and the build script.
pub fn of(found: &Crate) -> Result<Vec<Source>> {
    let name = found.file.file_stem().context("a file has a name")?.to_string_lossy();
    let name = name.strip_prefix("lib").unwrap_or(&name);
    let list = found.file.with_file_name(name).with_extension("d");
    let list = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let mut paths = read(&list);
    if let Some(folder) = found.folder() {
        paths.extend(["Cargo.toml", "build.rs"].map(|name| folder.join(name)));
    }
    Ok(paths.into_iter().map(Source::of).collect())
}

/// Parses a [dep-info file](https://doc.rust-lang.org/cargo/reference/build-cache.html#dep-info-files), in which the compiler
/// lists the files that it has read. Relative paths belong to packages within the folder where cargo was run.
fn read(list: &str) -> Vec<PathBuf> {
    let first = list.lines().find_map(|line| line.split_once(": ")).map_or("", |(_, files)| files);
    let files = first.replace("\\ ", "\0");
    files
        .split(' ')
        .filter(|file| !file.is_empty())
        .map(|file| PathBuf::from(file.replace('\0', " ")))
        .collect()
}

/// The path in a `file:` URL. `None` if it is another kind of URL or malformed.
pub fn folder(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://")?;
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(Path::new(&String::from_utf8(bytes).ok()?).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_spaces_belong_to_paths() {
        let list =
            "/t/libtiny.rlib: /my\\ crates/tiny/src/lib.rs /my\\ crates/tiny/src/a.rs\n\n/t/tiny.d: /x\n";
        assert_eq!(read(list), ["/my crates/tiny/src/lib.rs", "/my crates/tiny/src/a.rs"].map(PathBuf::from));
        assert_eq!(folder("file:///my%20crates/tiny"), Some("/my crates/tiny".into()));
        assert_eq!(folder("https://example.com"), None);
    }

    #[test]
    fn a_file_that_is_rewritten_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.rs");
        fs::write(&path, "").unwrap();
        let source = Source::of(path.clone());
        assert_eq!(source.now(), source);
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_ne!(source.now(), source);
        fs::remove_file(&path).unwrap();
        assert_eq!(source.now().modified, None);
    }
}
