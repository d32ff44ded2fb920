//! `taper lab`: opens JupyterLab with the kernel.

use crate::packages::JUPYTER;
use crate::{build_bar, kernelspec, nbconvert};
use anyhow::{Context, Result};
use environment::cache::cache;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Open JupyterLab with the kernel registered
#[derive(clap::Args)]
pub struct Lab {
    /// The folder to open
    #[arg(default_value = "notebooks")]
    folder: PathBuf,
    /// Further arguments for JupyterLab
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Lab {
    /// Replaces this process by JupyterLab, so that Ctrl-C in a terminal reaches JupyterLab, which asks for confirmation. The
    /// kernel is registered for this JupyterLab only. Returns only if it cannot be started.
    pub fn run(&self) -> Result<ExitCode> {
        build_bar::build_environment(None, &environment::Lab::embedded())?;
        let python = JUPYTER.python()?;
        let data = cache()?.join("jupyter");
        kernelspec::write(&data.join("kernels/taper"), &env::current_exe()?, None)?;
        nbconvert::write_template(&nbconvert::template_folder(&data))?;
        let settings = data.join("settings");
        nbconvert::make_default(&settings)?;
        let mut command = Command::new(python);
        command.args(["-m", "jupyterlab"]).arg(&self.folder).args(&self.arguments);
        for (variable, first) in [("JUPYTER_PATH", data), ("JUPYTER_CONFIG_PATH", settings)] {
            let mut path = OsString::from(first);
            if let Some(present) = env::var_os(variable) {
                path.push(":");
                path.push(present);
            }
            command.env(variable, path);
        }
        Err(command.exec()).context("cannot start JupyterLab")
    }
}
