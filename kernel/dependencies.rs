//! The cell's `:dep lab` lines: the notebook names the crate by path, the session has it compiled already.

use anyhow::Result;
use cell::blank;
use environment::Lab;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A cell with blanks in the place of its `:dep lab` lines.
#[derive(Debug, PartialEq)]
pub struct Resolved {
    pub code: String,
    pub lab: Option<Wanted>,
}

/// The `lab` that a cell asks for.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// Its folder, as the cell has it.
    path: Option<PathBuf>,
    features: BTreeSet<String>,
}

impl Wanted {
    /// Its sources; `base` is where paths in the notebook start. Where there is no `lab` it is the kernel's own.
    pub fn lab(&self, base: &Path) -> Result<Lab> {
        let folder = self.path.as_ref().map(|path| base.join(path));
        let lab = match folder.filter(|folder| folder.join("Cargo.toml").exists()) {
            Some(folder) => Lab::in_folder(&folder)?,
            None => Lab::embedded(),
        };
        Ok(lab.with(self.features.clone()))
    }
}

/// Takes `:dep lab` out of the commands that start a cell.
pub fn resolve(cell: &str, code_start: usize) -> Resolved {
    let (commands, code) = cell.split_at(code_start);
    let mut resolved = Resolved { code: String::new(), lab: None };
    for line in commands.split_inclusive('\n') {
        match lab_specification(line) {
            Some(specification) => {
                let (path, features) = (path(specification), features(specification));
                resolved.lab = Some(Wanted { path, features });
                resolved.code.push_str(&blank(line));
            }
            None => resolved.code.push_str(line),
        }
    }
    resolved.code.push_str(code);
    resolved
}

/// What follows the name in `:dep lab = { path = "lab", features = ["burn"] }`.
fn lab_specification(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix(":dep")?.trim_start().strip_prefix("lab")?;
    rest.is_empty().then_some(rest).or_else(|| rest.trim_start().strip_prefix('='))
}

fn path(specification: &str) -> Option<PathBuf> {
    let quoted = value(specification, "path")?.strip_prefix('"')?;
    Some(quoted.split_once('"')?.0.into())
}

fn features(specification: &str) -> BTreeSet<String> {
    let list = value(specification, "features").and_then(|list| list.strip_prefix('[')?.split_once(']'));
    let names = list.into_iter().flat_map(|(list, _)| list.split(','));
    names.map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

/// What follows `key =`.
fn value<'a>(specification: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = specification.split_once(key)?;
    Some(rest.trim_start().strip_prefix('=')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lab_is_taken_out_and_the_rest_keeps_its_place() {
        let cell = "// first\n:dep lab = { path = \"no such folder\" }\n:dep labrador = \"1\"\nlet x = 1;";
        let start = cell::parse(cell).code_start;
        let resolved = resolve(cell, start);
        let blank = " ".repeat(38);
        assert_eq!(resolved.code, format!("// first\n{blank}\n:dep labrador = \"1\"\nlet x = 1;"));
        let wanted = resolved.lab.unwrap();
        assert_eq!(wanted.path, Some("no such folder".into()));
        assert_eq!(wanted.lab(Path::new("")).unwrap().digest(), Lab::embedded().digest(), "the kernel's own");
    }

    #[test]
    fn the_path_is_that_of_a_crate() {
        let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/notebooks"));
        let wanted = |cell: &str| resolve(cell, cell.len()).lab.unwrap().lab(base).unwrap();
        let lab = wanted(":dep lab = { path = \"lab\" }");
        assert_eq!(lab.digest(), Lab::embedded().digest());
        assert!(lab.features.is_empty());

        let cell = ":dep lab = { path = \"/other/lab\", features = [\"burn\", \"cuda\"] }";
        let wanted = resolve(cell, cell.len()).lab.unwrap();
        assert_eq!(wanted.path, Some("/other/lab".into()));
        assert_eq!(wanted.features, ["burn", "cuda"].map(str::to_owned).into());
    }
}
