//! Finds, reads and writes notebook files.

use anyhow::{Context, Result, bail};
use environment::files;
use nbformat::v4::{Cell, KernelSpec, LanguageInfo, Notebook};
use std::fs;
use std::path::{Path, PathBuf};

/// The notebooks that the command line names, or by default those in notebooks/.
///
/// # Errors
/// When two notebooks have the same file name, or there are none.
pub fn find(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    for (at, path) in named.iter().enumerate() {
        if let Some(other) = named[..at].iter().find(|other| other.file_name() == path.file_name()) {
            let (path, other) = (path.display(), other.display());
            bail!(
                "{other} and {path} have the same name, so one would overwrite the other: run them one at a time, each with its own --out"
            );
        }
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let entries =
        fs::read_dir("notebooks").context("there is no folder notebooks/ here: name the notebooks to use")?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "ipynb")).collect();
    found.sort();
    if found.is_empty() {
        bail!("there are no notebooks in notebooks/");
    }
    Ok(found)
}

/// Reads a notebook in any version of the format.
pub fn read(path: &Path) -> Result<Notebook> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parsed =
        nbformat::parse_notebook(&text).with_context(|| format!("{} is not a notebook", path.display()))?;
    match parsed {
        nbformat::Notebook::V4(notebook) => Ok(notebook),
        nbformat::Notebook::V4QuirksMode(notebook) => Ok(notebook.repair()),
        nbformat::Notebook::Legacy(notebook) => nbformat::upgrade_legacy_notebook(notebook),
        nbformat::Notebook::V3(notebook) => nbformat::upgrade_v3_notebook(notebook),
        _ => bail!("{} has an unknown version of the notebook format", path.display()),
    }
}

/// Writes a notebook atomically, with this kernel in its metadata and in the format that Jupyter writes.
pub fn write(path: &Path, mut notebook: Notebook) -> Result<()> {
    notebook.metadata.kernelspec = Some(KernelSpec {
        display_name: "Rust (taper)".into(),
        name: "taper".into(),
        language: Some("rust".into()),
        additional: Default::default(),
    });
    notebook.metadata.language_info = Some(LanguageInfo {
        name: "rust".into(),
        version: Some(env!("CARGO_PKG_RUST_VERSION").into()),
        codemirror_mode: Some(nbformat::v4::CodemirrorMode::String("rust".into())),
        additional: [("file_extension", ".rs"), ("mimetype", "text/rust"), ("pygments_lexer", "rust")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into(),
    });
    let text = nbformat::serialize_notebook(&nbformat::Notebook::V4(notebook))?;
    files::write(path, text)
}

/// Whether a cell has a tag.
pub fn has_tag(cell: &Cell, tag: &str) -> bool {
    cell.metadata().tags.as_ref().is_some_and(|tags| tags.iter().any(|present| present == tag))
}
