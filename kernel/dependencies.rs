//! The cell's `:dep lab` lines: the notebook names the crate by path, the session has it compiled already.

use crate::lab::Lab;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A cell with blanks in the place of its `:dep lab` lines.
#[derive(Debug, PartialEq)]
pub struct Resolved {
    pub code: String,
    /// The folder of the `lab` that the cell asks for, where there is one at that path.
    pub lab: Option<PathBuf>,
}

/// Takes `:dep lab` out of the commands that start a cell.
pub fn resolve(cell: &str, code_start: usize) -> Resolved {
    let (commands, code) = cell.split_at(code_start);
    let mut resolved = Resolved { code: String::new(), lab: None };
    for line in commands.split_inclusive('\n') {
        match lab_specification(line) {
            Some(specification) => {
                resolved.lab =
                    path(specification).filter(|path| path.join("Cargo.toml").exists()).or(resolved.lab);
                resolved.code.push_str(&blank(line));
            }
            None => resolved.code.push_str(line),
        }
    }
    resolved.code.push_str(code);
    resolved
}

/// As many bytes of space, with the same line ends: whatever follows keeps its place.
pub fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Whether the folder holds another `lab` than the environment does.
pub fn differs(folder: &Path, lab: &str) -> Result<bool> {
    Ok(Lab::in_folder(folder)?.digest() != lab)
}

/// What follows the name in `:dep lab = { path = "lab" }`.
fn lab_specification(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix(":dep")?.trim_start().strip_prefix("lab")?;
    rest.is_empty().then_some(rest).or_else(|| rest.trim_start().strip_prefix('='))
}

fn path(specification: &str) -> Option<PathBuf> {
    let (_, rest) = specification.split_once("path")?;
    let quoted = rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
    Some(quoted.split_once('"')?.0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lab_is_taken_out_and_the_rest_keeps_its_place() {
        let cell = "// first\n:dep lab = { path = \"no such folder\" }\n:dep labrador = \"1\"\nlet x = 1;";
        let start = crate::cell::parse(cell).code_start;
        let resolved = resolve(cell, start);
        let blank = " ".repeat(38);
        assert_eq!(resolved.code, format!("// first\n{blank}\n:dep labrador = \"1\"\nlet x = 1;"));
        assert_eq!(resolved.lab, None);
    }

    #[test]
    fn the_path_is_that_of_a_crate() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/notebooks/lab");
        let cell = format!(":dep lab = {{ path = \"{folder}\" }}");
        let resolved = resolve(&cell, cell.len());
        assert_eq!(resolved.lab.as_deref(), Some(Path::new(folder)));
        assert!(!differs(Path::new(folder), &Lab::embedded().digest()).unwrap());
        assert!(differs(Path::new(folder), "another").unwrap());
    }
}
