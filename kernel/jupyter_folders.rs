//! The folders in which Jupyter looks for kernels, templates and settings,
//! <https://docs.jupyter.org/en/latest/use/jupyter-directories.html>.

use anyhow::{Context, Result, bail};
use environment::SharedInstall;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For whom to install: all users, the active Python environment, or this user.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(multiple = false)]
pub struct InstallScope {
    /// Install for all users: the program, the kernel and the environment go below this folder, such as /usr/local
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Install into the active Python environment
    #[arg(long)]
    sys_prefix: bool,
    /// Install for this user (the default)
    #[arg(long)]
    user: bool,
}

/// The data folder of Jupyter to install into.
pub fn data(scope: &InstallScope) -> Result<PathBuf> {
    match scope {
        InstallScope { prefix: Some(prefix), .. } => Ok(SharedInstall::at(prefix)?.data()),
        InstallScope { sys_prefix: true, .. } => Ok(sys_prefix()?.join("share/jupyter")),
        _ => user_data(),
    }
}

/// The folder of the kernelspecs in one of Jupyter's data folders.
pub fn kernels(data: &Path) -> PathBuf {
    data.join("kernels")
}

/// The settings folder of Jupyter to install into.
pub fn settings(scope: &InstallScope) -> Result<PathBuf> {
    match scope {
        InstallScope { prefix: Some(prefix), .. } => Ok(SharedInstall::at(prefix)?.settings()),
        InstallScope { sys_prefix: true, .. } => Ok(sys_prefix()?.join("etc/jupyter")),
        _ => {
            let folder = env::var_os("JUPYTER_CONFIG_DIR").map(PathBuf::from);
            let folder = folder.or_else(|| dirs::home_dir().map(|home| home.join(".jupyter")));
            folder.context("this user has no home folder for Jupyter's settings: set JUPYTER_CONFIG_DIR")
        }
    }
}

/// The folder of the active Python environment.
fn sys_prefix() -> Result<PathBuf> {
    if let Some(active) = env::var_os("VIRTUAL_ENV").or_else(|| env::var_os("CONDA_PREFIX")) {
        return Ok(active.into());
    }
    let output = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let output = output.context("--sys-prefix needs python3, which cannot be run")?;
    if !output.status.success() {
        bail!("--sys-prefix needs python3, which fails");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

/// The data folder of Jupyter for this user.
fn user_data() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("JUPYTER_DATA_DIR") {
        return Ok(folder.into());
    }
    // Jupyter searches the folders of this variable first, so the first one is where the user wants kernels to be found.
    if let Some(path) = env::var_os("JUPYTER_PATH")
        && let Some(first) = env::split_paths(&path).next().filter(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    let folder = match cfg!(target_os = "macos") {
        true => dirs::home_dir().map(|home| home.join("Library/Jupyter")),
        false => dirs::data_dir().map(|data| data.join("jupyter")),
    };
    folder.context("this user has no data folder: set JUPYTER_DATA_DIR")
}

/// All folders in which Jupyter searches for data, in its order.
pub fn all_data() -> Vec<PathBuf> {
    let path = env::var_os("JUPYTER_PATH").unwrap_or_default();
    let users = [user_data().ok(), sys_prefix().ok().map(|prefix| prefix.join("share/jupyter"))];
    let all = ["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from);
    env::split_paths(&path).chain(users.into_iter().flatten()).chain(all).collect()
}
