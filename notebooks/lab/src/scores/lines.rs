//! The lines of code of a notebook or a program.

use crate::Result;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The number of lines of code in a Rust notebook (`.ipynb`) or in a Python program, without empty lines and lines with
/// comments only.
///
/// # Errors
/// When the file cannot be read, or is not a notebook.
pub fn lines_of_code(path: impl AsRef<Path>) -> Result<usize> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_notebook = path.extension().is_some_and(|kind| kind == "ipynb");
    let (code, comment) = if is_notebook {
        let code = code_of_cells(&text).with_context(|| format!("{} is no notebook", path.display()))?;
        (code, "//")
    } else {
        (text, "#")
    };
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(comment));
    Ok(lines.count())
}

fn code_of_cells(text: &str) -> Result<String> {
    let notebook: Value = serde_json::from_str(text)?;
    let cells = notebook["cells"].as_array().context("it has no cells")?;
    let mut code = String::new();
    for cell in cells.iter().filter(|cell| cell["cell_type"] == "code") {
        match &cell["source"] {
            Value::String(source) => code += source,
            Value::Array(lines) => code.extend(lines.iter().filter_map(Value::as_str)),
            _ => ensure!(false, "a cell has no source"),
        }
        code.push('\n');
    }
    Ok(code)
}
