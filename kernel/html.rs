//! Executed notebooks as web pages that need no network, and an index of them.

use crate::jupyter::{self, JUPYTER};
use crate::maths::Formulas;
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
}

/// nbconvert's template of the pages.
const TEMPLATE: [(&str, &str); 2] =
    [("conf.json", include_str!("html/conf.json")), ("index.html.j2", include_str!("html/index.html.j2"))];

/// Writes the pages of notebooks as they are.
pub fn export(Export { notebooks, out }: &Export) -> Result<()> {
    write(out, &run::paths(notebooks)?, &JUPYTER.python()?)
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
    let work = tempfile::tempdir()?;
    for (name, text) in TEMPLATE {
        warm::write(&work.path().join("taper").join(name), text)?;
    }
    let mut nbconvert = Command::new(python);
    nbconvert
        .args(["-m", "nbconvert", "--to", "html", "--log-level", "ERROR", "--embed-images"])
        .args(["--template", "taper", "--TemplateExporter.extra_template_basedirs"])
        .arg(work.path())
        .arg("--output-dir")
        .arg(std::path::absolute(folder)?);
    let (mut notebooks, mut formulas) = (Vec::new(), Formulas::default());
    for path in paths {
        let name = path.file_name().context("a notebook needs a name")?;
        let notebook = notebook::read(path)?;
        let prepared =
            prepared(notebook.clone(), &mut formulas).with_context(|| path.display().to_string())?;
        notebook::write(&work.path().join(name), prepared)?;
        nbconvert.arg(work.path().join(name));
        notebooks.push((Path::new(name).with_extension("html").to_string_lossy().into_owned(), notebook));
    }
    jupyter::step(&mut nbconvert)?;
    for (name, _) in &notebooks {
        let page = folder.join(name);
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        warm::write(&page, &formulas.put_into(&text))?;
        println!("wrote {}", page.display());
    }
    let index_page = folder.join("index.html");
    warm::write(&index_page, &index::index(&notebooks))?;
    println!("wrote {}", index_page.display());
    Ok(())
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
