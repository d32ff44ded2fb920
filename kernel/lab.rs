//! The sources of the crate `lab`: those that this program carries, or those in a folder next to a notebook; and which of
//! its features a notebook asks for.

use crate::warm::{digest, write};
use anyhow::{Context, Result};
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
