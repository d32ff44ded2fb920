//! Where compiled code comes from: leads from a line of a compiled cell back to the cell that it was written in.

use cell::code::{Lines, Place};
use std::collections::HashMap;
use std::path::Path;

/// The libraries that a session has loaded.
#[derive(Default)]
pub struct Sources {
    /// By the folder of the library, which has its number.
    libraries: HashMap<String, Lines>,
}

impl Sources {
    /// Remembers what a library was compiled from.
    pub fn loaded(&mut self, library: &Path, lines: Lines) {
        if let Some(folder) = folder(&library.to_string_lossy()) {
            self.libraries.insert(folder.to_owned(), lines);
        }
    }

    /// Whether a library was compiled from cells.
    pub fn has(&self, library: &str) -> bool {
        folder(library).is_some_and(|folder| self.libraries.contains_key(folder))
    }

    /// The place in a cell of a line and column of the crate that a library was compiled from.
    pub fn place(&self, library: &str, line: u32, column: u32) -> Option<Place> {
        self.libraries.get(folder(library)?)?.place(line as usize, column as usize)
    }
}

/// The folder that a library is in: evcxr renames the library itself.
fn folder(library: &str) -> Option<&str> {
    library.rsplit_once('/').map(|(folder, _)| folder)
}
