//! The lines of code of a notebook or a program.

use crate::Result;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;

const QUOTES: &str = "\"\"\"";

/// The number of lines of code in a Rust notebook (`.ipynb`) or in a Python program, without empty lines and those that hold
/// nothing but a comment or, in Python, a docstring, which in Rust is a comment.
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
        (without_docstrings(&text), "#")
    };
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(comment));
    Ok(lines.count())
}

/// A Python program without its docstrings: the strings in three double quotes before which nothing stands in their line.
fn without_docstrings(program: &str) -> String {
    let mut code = String::new();
    // Whether a string that goes on in the next line is code.
    let mut open = None;
    for line in program.lines() {
        let is_code = open.unwrap_or(!line.trim_start().starts_with(QUOTES));
        if is_code {
            code.push_str(line);
            code.push('\n');
        }
        if line.matches(QUOTES).count() % 2 == 1 {
            open = if open.is_none() { Some(is_code) } else { None };
        }
    }
    code
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

#[cfg(test)]
mod tests {
    use super::without_docstrings;

    #[test]
    fn docstrings_are_left_out_and_other_strings_stay() {
        let program = r#""""About the program.

More about it.
"""
import os

def f(x):
    """What it does."""
    text = """one
two
"""
    return text + """three"""
"#;
        let code = without_docstrings(program);
        let lines: Vec<&str> = code.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let expected = [
            "import os",
            "def f(x):",
            "text = \"\"\"one",
            "two",
            "\"\"\"",
            "return text + \"\"\"three\"\"\"",
        ];
        assert_eq!(lines, expected);
    }
}
