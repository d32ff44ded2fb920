//! Whether somebody edits the notebook, as far as a kernel can tell: somebody is about to if the notebook has no code yet, and a cell
//! has been typed if it comes again with other code, or if the notebook's file does not have its code yet. Programs that run notebooks, such as nbconvert, papermill or `taper run`, send
//! each cell once, and do not say which it is.

use nbformat::Notebook;
use nbformat::v4::{self, Cell};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The cells that clients have sent, by their ids, each with a hash of its code.
pub struct Typing {
    cells: Mutex<HashMap<String, u64>>,
    /// The notebook's file, if the client has said which it is.
    notebook: Option<PathBuf>,
}

impl Typing {
    /// Jupyter's server names the notebook that it starts a kernel for.
    pub fn new() -> Self {
        let notebook = std::env::var_os("JPY_SESSION_NAME").map(PathBuf::from);
        Self { cells: Mutex::default(), notebook }
    }

    /// Whether the notebook can be read, and has no code yet. Reads the file.
    pub fn is_new_notebook(&self) -> bool {
        let Some(notebook) = self.notebook.as_deref().and_then(read) else { return false };
        let is_blank = |cell: &Cell| cell.source().iter().all(|line| line.trim().is_empty());
        notebook.cells.iter().all(|cell| !matches!(cell, Cell::Code { .. }) || is_blank(cell))
    }

    /// Whether this cell has been sent before with other code, or is not in the notebook's file as it is. `metadata` is that of its
    /// request, in which JupyterLab and others have the cell's id. Reads the file.
    pub fn is_edited(&self, metadata: &Value, code: &str) -> bool {
        let Some(id) = metadata.get("cellId").and_then(Value::as_str) else { return false };
        let mut hasher = DefaultHasher::new();
        code.hash(&mut hasher);
        let hash = hasher.finish();
        let before = self.cells.lock().unwrap().insert(id.to_owned(), hash);
        match before {
            Some(before) => before != hash,
            None => self.notebook.as_deref().is_some_and(|notebook| lacks(notebook, code)),
        }
    }
}

/// Whether a notebook can be read, and has no cell with this code.
fn lacks(notebook: &Path, code: &str) -> bool {
    read(notebook).is_some_and(|notebook| !notebook.cells.iter().any(|cell| cell.source().concat() == code))
}

fn read(notebook: &Path) -> Option<v4::Notebook> {
    match nbformat::parse_notebook(&fs::read_to_string(notebook).ok()?) {
        Ok(Notebook::V4(notebook)) => Some(notebook),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_edited_when_it_comes_again_with_other_code() {
        let typing = Typing { cells: Mutex::default(), notebook: None };
        let one = json!({ "cellId": "one" });
        for (metadata, code, expected) in [
            (&one, "1", false),
            (&json!({ "cellId": "two" }), "2", false),
            (&one, "1", false),
            (&one, "3", true),
            (&one, "3", false),
            (&json!({}), "1", false),
            (&json!({}), "2", false),
            (&json!({ "cellId": 1 }), "2", false),
            (&json!({ "cellId": 1 }), "3", false),
        ] {
            assert_eq!(typing.is_edited(metadata, code), expected, "{metadata} {code}");
        }
    }

    #[test]
    fn a_notebook_is_new_until_it_has_code() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Untitled.ipynb");
        let typing = Typing { cells: Mutex::default(), notebook: Some(path.clone()) };
        assert!(!typing.is_new_notebook(), "a notebook that cannot be read says nothing");
        let code = |source: &str| json!({ "cell_type": "code", "id": "a", "metadata": {}, "execution_count": null, "outputs": [], "source": [source] });
        let text = json!({ "cell_type": "markdown", "id": "b", "metadata": {}, "source": ["# Words"] });
        for (cells, expected) in [
            (json!([]), true),
            (json!([code("")]), true),
            (json!([text, code(" \n")]), true),
            (json!([text, code("1")]), false),
            (json!([code("1"), code("")]), false),
        ] {
            let notebook = json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
            fs::write(&path, notebook.to_string()).unwrap();
            assert_eq!(typing.is_new_notebook(), expected, "{notebook}");
        }
    }

    #[test]
    fn a_cell_is_edited_when_the_notebook_does_not_have_it_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Untitled.ipynb");
        let typing = Typing { cells: Mutex::default(), notebook: Some(path.clone()) };
        let [one, two, three] = ["one", "two", "three"].map(|id| json!({ "cellId": id }));
        assert!(!typing.is_edited(&three, "3"), "a notebook that cannot be read says nothing");
        let notebook = r#"{"cells":[{"cell_type":"code","id":"one","metadata":{},"execution_count":null,
            "source":["let x = 1;\n","x"],"outputs":[]}],"metadata":{},"nbformat":4,"nbformat_minor":5}"#;
        fs::write(path, notebook).unwrap();
        assert!(!typing.is_edited(&one, "let x = 1;\nx"));
        assert!(typing.is_edited(&two, "2"));
    }
}
