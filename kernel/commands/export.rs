//! `taper export`: writes notebooks as web pages or slides.

use super::exit_code;
use crate::packages::JUPYTER;
use crate::pages::{self, Executed};
use crate::{execution, notebook};
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write notebooks as web pages without running them, and an index page
///
/// The pages need no network, no server and no Jupyter: open them, send them, or put them on the web. `taper run` writes them,
/// too; this command is for notebooks that were run in JupyterLab. The exit code is 1 if a page could not be written.
#[derive(clap::Args)]
pub struct Export {
    /// The notebooks, by default those in notebooks/
    notebooks: Vec<PathBuf>,
    /// The folder for the pages
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Write slides instead. Showing them needs the network, for reveal.js
    #[arg(long)]
    slides: bool,
}

impl Export {
    /// Writes the pages or slides. The exit code tells whether all of them could be written.
    pub fn run(&self) -> Result<ExitCode> {
        let (paths, python) = (notebook::find(&self.notebooks)?, JUPYTER.python()?);
        let notebooks: Vec<_> = paths
            .into_iter()
            .map(|path| Executed { folder: execution::folder(&path).to_owned(), path })
            .collect();
        let write = if self.slides { pages::write_slides } else { pages::write };
        write(&self.out, &notebooks, &python).map(exit_code)
    }
}
