//! The sources of the crate `lab`: those that this program carries, or those in a folder next to a notebook; and which of
//! its features a notebook asks for.

use crate::warm::{digest, write};
use anyhow::{Context, Result};
use cell::Dependency;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/lab.rs"));

/// The crate, with some of its features.
pub struct Lab {
    /// Its files by their path within it.
    files: BTreeMap<PathBuf, String>,
    /// What it is to be compiled with besides, such as `burn`.
    pub features: BTreeSet<String>,
}

impl Lab {
    /// The one that this program was built with.
    pub fn embedded() -> Self {
        let files = EMBEDDED.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        Self { files, features: BTreeSet::new() }
    }

    /// The one in a folder, which holds its `Cargo.toml`.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        read(folder, Path::new(""), &mut files)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        Ok(Self { files, features: BTreeSet::new() })
    }

    /// The one that a `:dep` line asks for; `base` is where paths in the notebook start. Where there is none it is the
    /// kernel's own.
    pub fn wanted(dependency: &Dependency, base: &Path) -> Result<Self> {
        let folder = dependency.path().map(|path| base.join(path));
        let lab = match folder.filter(|folder| folder.join("Cargo.toml").exists()) {
            Some(folder) => Self::in_folder(&folder)?,
            None => Self::embedded(),
        };
        Ok(lab.with(dependency.features().into_iter().map(str::to_owned).collect()))
    }

    /// The same crate with these features.
    #[must_use]
    pub fn with(self, features: BTreeSet<String>) -> Self {
        Self { features, ..self }
    }

    /// The text of its `Cargo.toml`.
    pub fn manifest(&self) -> Result<String> {
        self.files.get(Path::new("Cargo.toml")).cloned().context("`lab` has no Cargo.toml")
    }

    /// Identifies these very sources, whichever the features.
    pub fn digest(&self) -> String {
        let files = self.files.iter();
        digest(files.flat_map(|(path, text)| [path.as_os_str().as_encoded_bytes(), text.as_bytes()]))
    }

    /// Makes the folder hold these sources and no others.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        let mut present = BTreeMap::new();
        if folder.exists() {
            read(folder, Path::new(""), &mut present)?;
        }
        for path in present.keys().filter(|path| !self.files.contains_key(*path)) {
            fs::remove_file(folder.join(path))?;
        }
        self.files.iter().try_for_each(|(path, text)| write(&folder.join(path), text))
    }
}

fn read(root: &Path, within: &Path, files: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(root.join(within))? {
        let entry = entry?;
        let path = within.join(entry.file_name());
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_source = ["js", "rs", "toml"].contains(&extension);
        if entry.file_type()?.is_dir() && entry.file_name() != "target" {
            read(root, &path, files)?;
        } else if is_source {
            files.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_is_that_of_the_path_or_else_the_kernels_own() {
        let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/notebooks"));
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("my features/lab");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("Cargo.toml"), "[package]\nname = \"lab\"\n").unwrap();
        let wanted = |line: &str| {
            let command = cell::commands(line).commands.remove(0);
            Lab::wanted(&command.dependency().unwrap().unwrap(), base).unwrap()
        };
        let (own, others) = (Lab::embedded().digest(), Lab::in_folder(&other).unwrap().digest());
        assert_ne!(own, others);
        for (line, digest, features) in [
            (":dep lab", &own, &[][..]),
            (":dep lab = { path = 'lab' }", &own, &[]),
            (":dep lab = {path=\"no such folder\"} // note", &own, &[]),
            (&format!(":dep lab = {{ path = '{}' }}", other.display()), &others, &[]),
            (
                &format!("/* note */ :dep lab = {{ features = ['burn'], path = \"{}\" }}", other.display()),
                &others,
                &["burn"],
            ),
            (
                ":dep \"lab\" = { path = 'features = [\"x\"]', features = [\"cuda\", \"burn\",] }",
                &own,
                &["burn", "cuda"],
            ),
        ] {
            let lab = wanted(line);
            assert_eq!(
                (&lab.digest(), lab.features.iter().map(String::as_str).collect()),
                (digest, features.to_vec()),
                "{line}"
            );
        }
    }
}
