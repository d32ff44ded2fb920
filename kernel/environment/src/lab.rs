//! The sources of the crate `lab`: those that this program carries, or those in a folder next to a notebook; and which of
//! its features a notebook asks for. The crates that `lab` is made of lie in its folder, so whoever has the folder has all.

use crate::files::{digest, write};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/lab.rs"));

/// The sources of the crate, and the features to compile it with.
pub struct Lab {
    /// The texts of its files, by their path within the crate.
    files: BTreeMap<PathBuf, String>,
    /// The features to switch on, such as `burn`.
    pub features: BTreeSet<String>,
}

impl Lab {
    /// The sources that are embedded in this program.
    pub fn embedded() -> Self {
        let files = EMBEDDED.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        Self { files, features: BTreeSet::new() }
    }

    /// The sources in the folder that contains its `Cargo.toml`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        read_sources(folder, Path::new(""), &mut files)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        Ok(Self { files, features: BTreeSet::new() })
    }

    /// The same crate with these features.
    #[must_use]
    pub fn with(self, features: BTreeSet<String>) -> Self {
        Self { features, ..self }
    }

    /// Its `Cargo.toml`, and those of the crates in its folder, by their paths.
    ///
    /// # Errors
    /// When it has none itself.
    pub fn manifests(&self) -> Result<impl Iterator<Item = (&Path, &str)>> {
        self.files.get(Path::new("Cargo.toml")).context("`lab` has no Cargo.toml")?;
        let files = self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()));
        Ok(files.filter(|(path, _)| path.ends_with("Cargo.toml")))
    }

    /// The texts of the files that say how types of other crates are shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().filter(|(path, _)| path.starts_with("shown"));
        files.map(|(_, text)| text.as_str())
    }

    /// The digest of the sources. It does not depend on the features.
    pub fn digest(&self) -> String {
        let files = self.files.iter();
        digest(files.flat_map(|(path, text)| [path.as_os_str().as_encoded_bytes(), text.as_bytes()]))
    }

    /// Writes the sources into a folder, and removes all other source files from it.
    ///
    /// # Errors
    /// When a file cannot be written, with its path.
    pub(crate) fn write_to(&self, folder: &Path) -> Result<()> {
        let mut present = BTreeMap::new();
        if folder.exists() {
            read_sources(folder, Path::new(""), &mut present)?;
        }
        for path in present.keys().filter(|path| !self.files.contains_key(*path)) {
            fs::remove_file(folder.join(path))?;
        }
        self.files.iter().try_for_each(|(path, text)| write(&folder.join(path), text))
    }
}

/// Reads the source files in the folder `within` of `root` and its subfolders.
fn read_sources(root: &Path, within: &Path, files: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(root.join(within))? {
        let entry = entry?;
        let path = within.join(entry.file_name());
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_source = ["js", "rs", "toml"].contains(&extension);
        if entry.file_type()?.is_dir() && entry.file_name() != "target" {
            read_sources(root, &path, files)?;
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
    fn the_crate_of_the_repository_is_embedded() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notebooks/lab");
        let lab = Lab::in_folder(&repository).unwrap();
        assert_eq!(lab.digest(), Lab::embedded().digest());
        let manifests: BTreeMap<&Path, &str> = lab.manifests().unwrap().collect();
        let folders = ["", "messages", "ops", "parallel"].map(|folder| Path::new(folder).join("Cargo.toml"));
        assert!(manifests.keys().eq(&folders), "{:?}", manifests.keys());
        for (path, text) in manifests {
            assert_eq!(text, fs::read_to_string(repository.join(path)).unwrap());
        }
    }

    #[test]
    fn a_folder_holds_the_sources_that_were_written_there_last() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("src")).unwrap();
        for (name, text) in [("src/old.rs", "old"), ("Cargo.toml", "old"), ("build.log", "not of the crate")]
        {
            fs::write(at(name), text).unwrap();
        }
        let old = Lab::in_folder(folder.path()).unwrap();
        Lab::embedded().write_to(folder.path()).unwrap();
        assert!(at("ops/src/lib.rs").exists(), "the crates in the folder of `lab` come along");
        let new = Lab::in_folder(folder.path()).unwrap();
        assert_eq!(new.digest(), Lab::embedded().digest());
        assert_ne!(new.digest(), old.digest());
        assert!(!at("src/old.rs").exists() && at("build.log").exists());
        let same = new.with(["burn".to_owned()].into());
        assert_eq!(same.digest(), Lab::embedded().digest(), "features are no part of the sources");
    }
}
