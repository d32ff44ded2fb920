//! Jupyter's own programs: those on this machine, or else a virtual environment in the user's cache.

use crate::lab::Lab;
use crate::{install, warm};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is installed, and in which versions.
const REQUIREMENTS: &str = include_str!("../notebooks/requirements.txt");

const PYTHON: &str = "python3";

/// Opens JupyterLab on a folder, with the kernel registered for it. Returns its exit code.
pub fn lab(folder: &Path, arguments: &[String]) -> Result<u8> {
    install::build_environment(None, &Lab::embedded())?;
    let python = python()?;
    let data = warm::cache()?.join("jupyter");
    install::write_kernelspec(&data.join("kernels/taper"), None)?;
    let mut path = std::ffi::OsString::from(&data);
    if let Some(present) = env::var_os("JUPYTER_PATH") {
        path.push(":");
        path.push(present);
    }
    let mut command = Command::new(python);
    command.args(["-m", "jupyterlab"]).arg(folder).args(arguments).env("JUPYTER_PATH", path);
    let status = command.status().context("cannot start JupyterLab")?;
    Ok(status.code().unwrap_or(1) as u8)
}

/// A Python that has JupyterLab and nbconvert, if there is one: the user's, or taper's own.
pub fn found() -> Result<Option<PathBuf>> {
    let candidates = [PathBuf::from(PYTHON), own_folder()?.join("bin/python")];
    Ok(candidates.into_iter().find(|python| has_jupyter(python)))
}

/// Where taper installs Jupyter for itself.
fn own_folder() -> Result<PathBuf> {
    Ok(warm::cache()?.join(format!("python-{}", warm::digest([REQUIREMENTS.as_bytes()]))))
}

/// A Python that has JupyterLab and nbconvert; they are installed if need be.
pub fn python() -> Result<PathBuf> {
    if let Some(python) = found()? {
        return Ok(python);
    }
    let folder = own_folder()?;
    let own = folder.join("bin/python");
    println!("Jupyter is not on this machine: installing it for taper alone in {}.", folder.display());
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} installing Jupyter, {elapsed}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let requirements = folder.join("requirements.txt");
    warm::write(&requirements, REQUIREMENTS)?;
    step(Command::new(PYTHON).args(["-m", "venv", "--clear"]).arg(folder.join("."))).context(
        "Jupyter needs Python 3 with the module venv (on Debian and Ubuntu the package python3-venv)",
    )?;
    warm::write(&requirements, REQUIREMENTS)?;
    let mut pip = Command::new(&own);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements);
    step(&mut pip).context("pip could not install Jupyter")?;
    bar.finish_and_clear();
    Ok(own)
}

fn has_jupyter(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import jupyterlab, nbconvert"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command to its end; its error is what it wrote last.
pub fn step(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        bail!("{}", lines[lines.len().saturating_sub(3)..].join("\n"));
    }
    Ok(())
}
