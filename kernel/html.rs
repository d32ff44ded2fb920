//! Executed notebooks as web pages that need no network, and an index of them.

use crate::jupyter::{self, JUPYTER};
use crate::maths::Formulas;
use crate::nbconvert::{self, TEMPLATE};
use crate::{index, notebook, run, warm};
use anyhow::{Context, Result};
use nbformat::v4::{Cell, Notebook};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which notebooks to show, and where their pages go.
#[derive(Clone, Debug, clap::Args)]
pub struct Export {
    /// The notebooks, by default those in notebooks/
    notebooks: Vec<PathBuf>,
    /// The folder for the pages
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Write slides instead. They need the network when they are shown, for reveal.js
    #[arg(long)]
    slides: bool,
}

/// How nbconvert makes slides: wide enough for a line of code, and to be scrolled where a cell is higher.
const SLIDES: [&str; 5] = [
    "--to=slides",
    "--embed-images",
    "--SlidesExporter.reveal_scroll=True",
    "--SlidesExporter.reveal_width=1200",
    "--SlidesExporter.reveal_height=800",
];

/// Writes the pages, or the slides, of notebooks as they are.
pub fn export(Export { notebooks, out, slides }: &Export) -> Result<()> {
    let (paths, python) = (run::paths(notebooks)?, JUPYTER.python()?);
    match slides {
        true => {
            convert(out, &paths, "slides.html", Command::new(python).args(["-m", "nbconvert"]).args(SLIDES))
                .map(drop)
        }
        false => write(out, &paths, &python),
    }
}

/// Writes the pages of notebooks that have just been run. Without a usable Python it says so and writes none.
pub fn write_if_possible(folder: &Path, notebooks: &[PathBuf]) -> Result<()> {
    match JUPYTER.python() {
        Ok(python) => write(folder, notebooks, &python),
        Err(error) => {
            eprintln!("No HTML was written: {error:#}.");
            Ok(())
        }
    }
}

/// Writes a page for each notebook, and `index.html`.
fn write(folder: &Path, paths: &[PathBuf], python: &Path) -> Result<()> {
    let templates = tempfile::tempdir()?;
    nbconvert::write_template(&templates.path().join(TEMPLATE))?;
    let mut command = Command::new(python);
    command.args(["-m", "nbconvert", "--to=html", "--embed-images", "--template", TEMPLATE]);
    command.arg("--TemplateExporter.extra_template_basedirs").arg(templates.path());
    let notebooks = convert(folder, paths, "html", &mut command)?;
    let index_page = folder.join("index.html");
    warm::write(&index_page, &index::index(&notebooks))?;
    println!("wrote {}", index_page.display());
    Ok(())
}

/// Has nbconvert write files with this extension. Returns the notebooks with the names of their files.
fn convert(
    folder: &Path,
    paths: &[PathBuf],
    extension: &str,
    command: &mut Command,
) -> Result<Vec<(String, Notebook)>> {
    let work = tempfile::tempdir()?;
    command.arg("--log-level=ERROR").arg("--output-dir").arg(std::path::absolute(folder)?);
    let (mut notebooks, mut formulas) = (Vec::new(), Formulas::default());
    for path in paths {
        let name = path.file_name().context("a notebook needs a name")?;
        let notebook = notebook::read(path)?;
        let prepared =
            prepared(notebook.clone(), &mut formulas).with_context(|| path.display().to_string())?;
        notebook::write(&work.path().join(name), prepared)?;
        command.arg(work.path().join(name));
        notebooks.push((Path::new(name).with_extension(extension).to_string_lossy().into_owned(), notebook));
    }
    jupyter::step(command)?;
    for (name, _) in &notebooks {
        let page = folder.join(name);
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        warm::write(&page, &formulas.put_into(&text))?;
        println!("wrote {}", page.display());
    }
    Ok(notebooks)
}

/// The notebook as nbconvert gets it: without its formulas, and with its first heading as the name of the page.
fn prepared(mut notebook: Notebook, formulas: &mut Formulas) -> Result<Notebook> {
    if let Some(title) = index::title(&notebook) {
        notebook.metadata.additional.insert("title".into(), title.into());
    }
    for cell in &mut notebook.cells {
        if let Cell::Markdown { source, .. } = cell {
            *source =
                formulas.take_from(&source.concat())?.split_inclusive('\n').map(str::to_owned).collect();
        }
    }
    Ok(notebook)
}
