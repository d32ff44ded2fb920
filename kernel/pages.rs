//! Executed notebooks as web pages that need no network, and an index of them; or as slides.

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

/// A notebook to make a page of.
pub struct Executed {
    /// The file with its outputs.
    pub path: PathBuf,
    /// Where its Markdown finds pictures.
    pub folder: PathBuf,
}

/// How nbconvert makes slides: wide enough for a line of code, and to be scrolled where a cell is higher.
const SLIDES: [&str; 5] = [
    "--to=slides",
    "--embed-images",
    "--SlidesExporter.reveal_scroll=True",
    "--SlidesExporter.reveal_width=1200",
    "--SlidesExporter.reveal_height=800",
];

/// Writes the pages of notebooks that have just been run. Without a usable Python it says so and writes none. Returns
/// whether nothing else went wrong.
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

/// Writes a page for each notebook, and `index.html` of those. Says which notebooks have no page, and returns whether there
/// are none such.
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

/// Writes the slides of each notebook. Says which notebooks have none, and returns whether there are none such.
pub fn write_slides(folder: &Path, notebooks: &[Executed], python: &Path) -> Result<bool> {
    let written = convert(folder, notebooks, "slides.html", || {
        let mut command = Command::new(python);
        command.args(["-m", "nbconvert"]).args(SLIDES);
        command
    })?;
    Ok(written.len() == notebooks.len())
}

/// Has nbconvert write a file with this extension for each notebook. Returns the names of those that it could write, with
/// their notebooks; what is wrong with the others is said, and no reason to be without the rest.
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
        packages::step(command.args(notebooks.iter().map(Prepared::path)))
    };
    // All in one process take a fraction of the time, but the first that cannot be converted ends it.
    let all = if prepared.is_empty() { Ok(()) } else { convert(&prepared) };
    let mut written = Vec::new();
    for notebook in prepared {
        let page = Path::new(&notebook.name).with_extension(extension);
        let converted = if all.is_ok() { Ok(()) } else { convert(std::slice::from_ref(&notebook)) };
        match converted.and_then(|()| put_formulas(&folder.join(&page), &formulas)) {
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
    warn_user!("{}: it cannot be shown: {error:#}", notebook.display());
}

fn put_formulas(page: &Path, formulas: &Formulas) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    files::write(page, formulas.put_into(&text))
}

/// A notebook as nbconvert gets it, in a folder of its own.
struct Prepared {
    source: PathBuf,
    name: String,
    notebook: Notebook,
    work: TempDir,
}

impl Prepared {
    /// Reads a notebook, and writes it without its formulas and with its first heading as the name of the page.
    fn new(Executed { path, folder }: &Executed, formulas: &mut Formulas) -> Result<Self> {
        let name = path.file_name().context("a notebook needs a name")?.to_string_lossy().into_owned();
        let notebook = notebook::read(path)?;
        let work = tempfile::tempdir()?;
        // nbconvert takes pictures from next to the notebook, and from nowhere else.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != *name {
                symlink(std::path::absolute(entry.path())?, work.path().join(entry.file_name()))?;
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
        notebook::write(&work.path().join(&name), shown)?;
        Ok(Self { source: path.clone(), name, notebook, work })
    }

    fn path(&self) -> PathBuf {
        self.work.path().join(&self.name)
    }
}
