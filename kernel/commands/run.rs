//! `taper run`: runs notebooks without Jupyter.

use super::exit_code;
use crate::execution::{self, Outcome};
use crate::notebook;
use crate::parameters::{self, Parameter};
use crate::terminal::{Closed, say, warn_user};
use crate::{build_bar, pages};
use anyhow::{Context, Result};
use engine::crates;
use environment::Lab;
use nbformat::v4::{Cell, Notebook};
use pages::Executed;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Run notebooks and write them executed, with their HTML and an index page
///
/// Cells run on the taper kernel, each notebook in a kernel of its own. The notebook is saved after each cell. A failing cell
/// ends its notebook, but not the other notebooks; the exit code is then 1. A notebook that needs what this machine does not have
/// keeps the outputs that it was saved with. The warm environment is built first if it is missing.
#[derive(clap::Args)]
pub struct Run {
    /// The notebooks, by default those in notebooks/
    notebooks: Vec<PathBuf>,
    /// Set a constant of the cells tagged `parameters`, in each notebook that has it. Can be repeated
    #[arg(short, number_of_values = 2, value_names = ["NAME", "VALUE"])]
    parameters: Vec<String>,
    /// The folder for the executed notebooks, their HTML and the index
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

impl Run {
    /// Runs the notebooks in order. The exit code says whether all their cells succeeded.
    pub fn run(&self) -> Result<ExitCode> {
        // Mistakes in the arguments are reported now rather than after hours of work.
        let paths = notebook::find(&self.notebooks)?;
        let parameters = self.parameters.chunks_exact(2);
        let parameters: Vec<_> =
            parameters.map(|pair| Parameter { name: pair[0].clone(), value: pair[1].clone() }).collect();
        let notebooks = paths.iter().map(|path| notebook::read(path)).collect::<Result<Vec<_>>>()?;
        parameters::check(&notebooks, &parameters)?;
        fs::create_dir_all(&self.out)
            .and_then(|()| tempfile::tempfile_in(&self.out))
            .with_context(|| format!("cannot write to {}", self.out.display()))?;
        build_bar::build_environment(None, &Lab::embedded())?;

        let mut executed = Vec::new();
        let mut good = true;
        for (path, notebook) in paths.iter().zip(notebooks) {
            let failure = match self.run_one(path, notebook, &parameters) {
                Ok((target, failure)) => {
                    executed.push(Executed { path: target, folder: execution::folder(path).to_owned() });
                    failure
                }
                Err(error) if error.is::<Closed>() => return Err(error),
                // The other notebooks are run all the same.
                Err(error) => Some(format!("{error:#}")),
            };
            if let Some(failure) = failure {
                warn_user!("{}: {failure}", path.display());
                good = false;
            }
        }
        good &= pages::write_if_possible(&self.out, &executed)?;
        Ok(exit_code(good))
    }

    /// Runs a notebook. Returns where it was written, and why a cell failed, if one did.
    fn run_one(
        &self,
        path: &Path,
        mut notebook: Notebook,
        parameters: &[Parameter],
    ) -> Result<(PathBuf, Option<String>)> {
        let saved = notebook.clone();
        parameters::set(&mut notebook, parameters)?;
        build_features(path, &notebook)?;
        let target = self.out.join(path.file_name().context("a notebook needs a name")?);
        let save = |notebook: &Notebook| notebook::write(&target, notebook.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let failure = match runtime.block_on(execution::execute(path, &mut notebook, save))? {
            Outcome::Complete => None,
            Outcome::Failed(failure) => Some(failure),
            Outcome::Unavailable(what) => {
                say!("{}: {what}; its outputs are those that it was saved with", path.display())?;
                notebook = saved;
                None
            }
        };
        notebook::write(&target, notebook)?;
        say!("wrote {}", target.display())?;
        Ok((target, failure))
    }
}

/// Builds what a notebook needs in addition to the environment that all notebooks share, so that no cell has to wait for it.
fn build_features(path: &Path, notebook: &Notebook) -> Result<()> {
    for cell in &notebook.cells {
        let Cell::Code { source, .. } = cell else { continue };
        let source = source.concat();
        let commands = cell::commands(&source).commands;
        let mut added = commands.iter().filter_map(|command| command.dependency()?.ok());
        let lab = added.rfind(crates::is_lab);
        if let Some(lab) = lab.map(|lab| crates::wanted_lab(&lab, execution::folder(path))).transpose()?
            && !lab.features.is_empty()
        {
            build_bar::build_environment(None, &lab)?;
        }
    }
    Ok(())
}
