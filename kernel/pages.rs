//! Writes executed notebooks as web pages that need no network, with an index page, or as slides.

use crate::maths::Formulas;
use crate::nbconvert::{self, TEMPLATE};
use crate::packages::{self, JUPYTER};
use crate::terminal::{Closed, say, warn_user};
use crate::{index, notebook};
use anyhow::{Context, Error, Result};
use environment::files;
use nbformat::v4::{Cell, Notebook};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A notebook to write a page for.
pub struct Executed {
    /// The file with its outputs.
    pub path: PathBuf,
    /// The folder in which its Markdown finds pictures.
    pub folder: PathBuf,
}

/// nbconvert's options for slides: wide enough for a line of code, and scrollable if a cell is too high.
const SLIDES: [&str; 5] = [
    "--to=slides",
    "--embed-images",
    "--SlidesExporter.reveal_scroll=True",
    "--SlidesExporter.reveal_width=1200",
    "--SlidesExporter.reveal_height=800",
];

/// Writes the pages of notebooks that have just been run. If there is no usable Python, it only prints a warning. Returns
/// `false` if a page could not be written for another reason.
pub fn write_if_possible(folder: &Path, notebooks: &[Executed]) -> Result<bool> {
    match JUPYTER.python() {
        Ok(python) => write(folder, notebooks, &python),
        Err(error) if error.is::<Closed>() => Err(error),
        Err(error) => {
            warn_user!("No HTML was written: {error:#}.");
            Ok(true)
        }
    }
}

/// Writes a page for each notebook, and `index.html`. Prints a warning for each notebook without a page. Returns whether all
/// pages were written.
pub fn write(folder: &Path, notebooks: &[Executed], python: &Path) -> Result<bool> {
    let templates = tempfile::tempdir()?;
    nbconvert::write_template(&templates.path().join(TEMPLATE))?;
    let written = convert(folder, notebooks, "html", || {
        let mut command = Command::new(python);
        command.args(["-m", "nbconvert", "--to=html", "--embed-images", "--template", TEMPLATE]);
        command.arg("--TemplateExporter.extra_template_basedirs").arg(templates.path());
        command
    })?;
    if !written.is_empty() {
        let index_page = folder.join("index.html");
        files::write(&index_page, index::index(&written))?;
        say!("wrote {}", index_page.display())?;
    }
    Ok(written.len() == notebooks.len())
}

/// Writes slides for each notebook. Prints a warning for each notebook without slides. Returns whether all slides were
/// written.
pub fn write_slides(folder: &Path, notebooks: &[Executed], python: &Path) -> Result<bool> {
    let written = convert(folder, notebooks, "slides.html", || {
        let mut command = Command::new(python);
        command.args(["-m", "nbconvert"]).args(SLIDES);
        command
    })?;
    Ok(written.len() == notebooks.len())
}

/// Makes nbconvert write a file with this extension for each notebook. Returns the names of the written files with their
/// notebooks. Prints a warning for each of the others.
fn convert(
    folder: &Path,
    notebooks: &[Executed],
    extension: &str,
    nbconvert: impl Fn() -> Command,
) -> Result<Vec<(String, Notebook)>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let folder = std::path::absolute(folder)?;
    let (mut formulas, mut prepared) = (Formulas::default(), Vec::new());
    for notebook in notebooks {
        match Prepared::new(notebook, &mut formulas) {
            Ok(notebook) => prepared.push(notebook),
            Err(error) => warn(&notebook.path, &error),
        }
    }
    let convert = |notebooks: &[Prepared]| {
        let mut command = nbconvert();
        command.arg("--log-level=ERROR").arg("--output-dir").arg(&folder);
        packages::run_quietly(command.args(notebooks.iter().map(Prepared::path)))
    };
    // One process for all notebooks takes a fraction of the time, but ends at the first notebook that cannot be converted.
    // Then each notebook is converted by itself.
    let all = if prepared.is_empty() { Ok(()) } else { convert(&prepared) };
    let mut written = Vec::new();
    for notebook in prepared {
        let page = Path::new(&notebook.name).with_extension(extension);
        let converted = if all.is_ok() { Ok(()) } else { convert(std::slice::from_ref(&notebook)) };
        match converted.and_then(|()| insert_formulas(&folder.join(&page), &formulas)) {
            Ok(()) => {
                say!("wrote {}", folder.join(&page).display())?;
                written.push((page.to_string_lossy().into_owned(), notebook.notebook));
            }
            Err(error) => warn(&notebook.source, &error),
        }
    }
    Ok(written)
}

fn warn(notebook: &Path, error: &Error) {
    warn_user!("{}: no page was written: {error:#}", notebook.display());
}

/// Inserts the formulas into a page that nbconvert has written.
fn insert_formulas(page: &Path, formulas: &Formulas) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    files::write(page, formulas.insert_into(&text))
}

/// A copy of a notebook for nbconvert, in a temporary folder.
struct Prepared {
    source: PathBuf,
    name: String,
    notebook: Notebook,
    folder: TempDir,
}

impl Prepared {
    /// Writes a copy of a notebook, with marks in place of its formulas and its first heading as the title of the page.
    fn new(Executed { path, folder }: &Executed, formulas: &mut Formulas) -> Result<Self> {
        let name = path.file_name().context("a notebook needs a name")?.to_string_lossy().into_owned();
        let notebook = notebook::read(path)?;
        let copy_folder = tempfile::tempdir()?;
        // nbconvert finds pictures only in the folder of the notebook, so the copy gets links to the files of that folder.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != *name {
                symlink(std::path::absolute(entry.path())?, copy_folder.path().join(entry.file_name()))?;
            }
        }
        let mut shown = notebook.clone();
        if let Some(title) = index::title(&shown) {
            shown.metadata.additional.insert("title".into(), title.into());
        }
        for cell in &mut shown.cells {
            if let Cell::Markdown { source, .. } = cell {
                let (text, unreadable) = formulas.take_from(&source.concat());
                *source = text.split_inclusive('\n').map(str::to_owned).collect();
                for formula in unreadable {
                    warn_user!("{}: {formula}", path.display());
                }
            }
        }
        notebook::write(&copy_folder.path().join(&name), shown)?;
        Ok(Self { source: path.clone(), name, notebook, folder: copy_folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}
