//! Finds the Python packages JupyterLab and nbgrader, or installs them into virtual environments in the user's cache.

use crate::terminal::say;
use anyhow::{Context, Result, bail};
use environment::cache::cache;
use environment::files;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Python packages that a command needs.
pub struct Packages {
    name: &'static str,
    /// The packages and versions to install.
    requirements: &'static str,
    /// The modules that can be imported if the packages are installed.
    modules: &'static str,
}

/// JupyterLab and nbconvert.
pub const JUPYTER: Packages = Packages {
    name: "Jupyter",
    requirements: include_str!("../notebooks/requirements.txt"),
    modules: "jupyterlab, nbconvert",
};

/// nbgrader and nbconvert. Only `taper students` needs them.
pub const NBGRADER: Packages = Packages {
    name: "nbgrader",
    requirements: include_str!("../notebooks/solutions/requirements.txt"),
    modules: "nbgrader.preprocessors, nbconvert",
};

const PYTHON: &str = "python3";

impl Packages {
    /// A Python that has the packages, if there is one: the user's, or the one in taper's cache.
    pub fn found(&self) -> Result<Option<PathBuf>> {
        let candidates = [PathBuf::from(PYTHON), self.own_folder()?.join("bin/python")];
        Ok(candidates.into_iter().find(|python| self.are_in(python)))
    }

    /// A Python that has the packages. They are installed if necessary.
    pub fn python(&self) -> Result<PathBuf> {
        if let Some(python) = self.found()? {
            return Ok(python);
        }
        let (name, folder) = (self.name, self.own_folder()?);
        let own = folder.join("bin/python");
        say!("{name} is not installed: installing it for taper alone in {}.", folder.display())?;
        let bar = ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} installing {msg}, {elapsed}")?)
            .with_message(name);
        bar.enable_steady_tick(Duration::from_millis(200));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let requirements = folder.join("requirements.txt");
        files::write(&requirements, self.requirements)?;
        run_quietly(Command::new(PYTHON).args(["-m", "venv", "--clear"]).arg(folder.join("."))).with_context(|| {
            format!("{name} needs Python 3 with the module venv (on Debian and Ubuntu the package python3-venv)")
        })?;
        files::write(&requirements, self.requirements)?;
        let mut pip = Command::new(&own);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        run_quietly(&mut pip)
            .with_context(|| format!("pip could not install {name}, for which it needs the network"))?;
        bar.finish_and_clear();
        Ok(own)
    }

    /// The folder of taper's own virtual environment.
    fn own_folder(&self) -> Result<PathBuf> {
        let digest = files::digest([self.requirements.as_bytes()]);
        Ok(cache()?.join(format!("python-{digest}")))
    }

    /// Whether a Python has the packages.
    fn are_in(&self, python: &Path) -> bool {
        let mut command = Command::new(python);
        command.arg("-c").arg(format!("import {}", self.modules));
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// Runs a command to its end. The error of a command that fails is its last three lines of output, in one line.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        bail!("{}", lines[lines.len().saturating_sub(3)..].join(" "));
    }
    Ok(())
}
