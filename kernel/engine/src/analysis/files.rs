//! The files that rust-analyzer sees: their contents, and to which crate's folder each belongs.

use super::outline::outline;
use ra_ap_ide::FileId;
use ra_ap_ide_db::base_db::{AbsPathBuf, FileSet, VfsPath};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders with sources that are not a library's, where a library has its files beside them.
const OTHERS: [&str; 5] = [".git", "benches", "examples", "target", "tests"];

/// A folder of sources, or the cell.
#[derive(Default)]
struct Root {
    files: FileSet,
    changes: Changes,
}

/// Whether the files of a root may change.
#[derive(Default)]
enum Changes {
    #[default]
    Never,
    /// Somebody else says so.
    OnDemand,
    /// On the disk, in this folder. These are the files and when they were changed last.
    OnDisk(PathBuf, HashMap<PathBuf, SystemTime>),
}

/// All files. Each keeps its number for ever, by which rust-analyzer knows it.
#[derive(Default)]
pub struct Files {
    ids: HashMap<PathBuf, FileId>,
    roots: Vec<Root>,
    changed: Vec<(FileId, String)>,
}

impl Files {
    /// Adds an empty file that is not on the disk.
    pub fn add_virtual(&mut self, path: &str) -> FileId {
        let id = self.new_id(Path::new(path));
        let mut root = Root { changes: Changes::OnDemand, ..Root::default() };
        root.files.insert(id, VfsPath::new_virtual_path(path.to_owned()));
        self.roots.push(root);
        self.changed.push((id, String::new()));
        id
    }

    /// Adds a folder whose files will not change.
    pub fn add_library(&mut self, folder: &Path) {
        let paths = paths(folder);
        let root = Root { files: self.numbered(&paths), changes: Changes::Never };
        self.roots.push(root);
        paths.iter().for_each(|path| self.read(path));
    }

    /// Adds a folder whose files may change.
    pub fn add_local(&mut self, folder: &Path) {
        let is_this = |root: &Root| matches!(&root.changes, Changes::OnDisk(known, _) if known == folder);
        if !self.roots.iter().any(is_this) {
            let changes = Changes::OnDisk(folder.to_owned(), HashMap::new());
            self.roots.push(Root { changes, ..Root::default() });
        }
        self.look_at_local();
    }

    /// Reads what has changed in folders whose files may change; returns whether anything has.
    pub fn look_at_local(&mut self) -> bool {
        let mut has_changed = false;
        for index in 0..self.roots.len() {
            let Changes::OnDisk(folder, known) = &self.roots[index].changes else { continue };
            let now = times(folder);
            if now == *known {
                continue;
            }
            has_changed = true;
            let is_new = |path: &&PathBuf| known.get(*path) != now.get(*path);
            let new: Vec<PathBuf> = now.keys().filter(is_new).cloned().collect();
            let folder = folder.clone();
            let files = self.numbered(now.keys());
            self.roots[index] = Root { files, changes: Changes::OnDisk(folder, now) };
            new.iter().for_each(|path| self.read(path));
        }
        has_changed
    }

    /// The paths with their numbers. Those that are not UTF-8 are left out.
    fn numbered<'a>(&mut self, paths: impl IntoIterator<Item = &'a PathBuf>) -> FileSet {
        let mut files = FileSet::default();
        for path in paths {
            if let Some(absolute) = path.to_str().and_then(|path| AbsPathBuf::try_from(path).ok()) {
                files.insert(self.new_id(path), VfsPath::from(absolute));
            }
        }
        files
    }

    /// Reads a file that has a number. What cannot be read is empty.
    fn read(&mut self, path: &Path) {
        if let Some(id) = self.id(path) {
            let text = fs::read_to_string(path).unwrap_or_default();
            self.changed.push((id, outline(&text)));
        }
    }

    fn new_id(&mut self, path: &Path) -> FileId {
        let next = FileId::from_raw(self.ids.len() as u32);
        *self.ids.entry(path.to_owned()).or_insert(next)
    }

    /// The number of a file, if it has one.
    pub fn id(&self, path: &Path) -> Option<FileId> {
        self.ids.get(path).copied()
    }

    /// The folders, each with whether its files may change. They keep their order.
    pub fn roots(&self) -> impl Iterator<Item = (FileSet, bool)> {
        self.roots.iter().map(|root| (root.files.clone(), !matches!(root.changes, Changes::Never)))
    }

    /// The files that are new or have changed since the last call, with their texts.
    pub fn take_changed(&mut self) -> Vec<(FileId, String)> {
        std::mem::take(&mut self.changed)
    }
}

/// The size of the Rust files in a folder, in bytes.
pub fn size(folder: &Path) -> u64 {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    paths(folder).into_iter().map(size).sum()
}

fn times(folder: &Path) -> HashMap<PathBuf, SystemTime> {
    let time = |path: PathBuf| Some((path.clone(), fs::metadata(&path).ok()?.modified().ok()?));
    paths(folder).into_iter().filter_map(time).collect()
}

/// The paths of the Rust files in a folder, without those that no library has.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        // A link to a folder may lead in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !OTHERS.iter().any(|other| name == *other) {
                found.extend(paths(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_in_a_local_folder_is_read_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod one;");
        write("one.rs", "fn f() { 1 }");
        write("target/made.rs", "");
        write("notes.txt", "");
        let mut files = Files::default();
        let cell = files.add_virtual("/cell.rs");
        files.add_local(folder.path());
        let ids = ["lib.rs", "one.rs", "two.rs"];
        let id = |files: &Files, index: usize| files.id(&folder.path().join(ids[index]));
        let mut changed = files.take_changed();
        changed.sort_by_key(|(_, text)| text.clone());
        let (lib, one) = (id(&files, 0).unwrap(), id(&files, 1).unwrap());
        assert_eq!(changed, [(cell, String::new()), (one, "fn f() {}".into()), (lib, "mod one;".into())]);
        assert!(!files.look_at_local());

        fs::remove_file(folder.path().join("one.rs")).unwrap();
        write("two.rs", "struct Two;");
        files.add_local(folder.path());
        let two = id(&files, 2).unwrap();
        assert_eq!(files.take_changed(), [(two, "struct Two;".into())]);
        let sizes: Vec<(usize, bool)> =
            files.roots().map(|(files, may_change)| (files.len(), may_change)).collect();
        assert_eq!(sizes, [(1, true), (2, true)]);
        assert!(files.roots().nth(1).unwrap().0.path_for_file(&one).is_none());
    }

    #[test]
    fn a_library_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lib.rs"), "pub fn f() { 1 }").unwrap();
        assert_eq!(size(folder.path()), 16);
        let mut files = Files::default();
        files.add_library(folder.path());
        let lib = files.id(&folder.path().join("lib.rs")).unwrap();
        assert_eq!(files.take_changed(), [(lib, "pub fn f() {}".into())]);
        fs::write(folder.path().join("lib.rs"), "").unwrap();
        assert!(!files.look_at_local());
        assert_eq!(files.roots().map(|(_, may_change)| may_change).collect::<Vec<_>>(), [false]);
    }
}
