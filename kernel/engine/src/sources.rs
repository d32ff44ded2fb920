//! Maps lines of compiled code back to the cells that they were written in.

use cell::code::{Lines, Place};
use std::collections::HashMap;
use std::path::Path;

/// The libraries that a session has loaded.
#[derive(Default)]
pub struct Sources {
    /// The lines of each library, by its folder, which is unique.
    libraries: HashMap<String, Lines>,
}

impl Sources {
    /// Records the code that a library was compiled from.
    pub fn loaded(&mut self, library: &Path, lines: Lines) {
        if let Some(folder) = folder(&library.to_string_lossy()) {
            self.libraries.insert(folder.to_owned(), lines);
        }
    }

    /// Whether a library was compiled from cells.
    pub fn has(&self, library: &str) -> bool {
        folder(library).is_some_and(|folder| self.libraries.contains_key(folder))
    }

    /// The place in a cell of a line and a column of a library's crate.
    pub fn place(&self, library: &str, line: u32, column: u32) -> Option<Place> {
        self.libraries.get(folder(library)?)?.place(line as usize, column as usize)
    }
}

/// The folder of a library, which identifies it because evcxr renames the file.
fn folder(library: &str) -> Option<&str> {
    library.rsplit_once('/').map(|(folder, _)| folder)
}
