//! The folders in which Jupyter looks for kernels, templates and settings,
//! <https://docs.jupyter.org/en/latest/use/jupyter-directories.html>.

use anyhow::{Context, Result, bail};
use environment::Shared;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the kernelspec goes.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(multiple = false)]
pub struct Place {
    /// Install for all users: program, kernel and environment below this folder, such as /usr/local
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Install into the Python environment that is active
    #[arg(long)]
    sys_prefix: bool,
    /// Install for this user (the default)
    #[arg(long)]
    user: bool,
}

/// The folder that Jupyter looks for data in.
pub fn data(place: &Place) -> Result<PathBuf> {
    match place {
        Place { prefix: Some(prefix), .. } => Ok(Shared::at(prefix)?.data()),
        Place { sys_prefix: true, .. } => Ok(sys_prefix()?.join("share/jupyter")),
        _ => user_data(),
    }
}

/// The kernels in a folder of data.
pub fn kernels(data: &Path) -> PathBuf {
    data.join("kernels")
}

/// The folder that Jupyter looks for settings in.
pub fn settings(place: &Place) -> Result<PathBuf> {
    match place {
        Place { prefix: Some(prefix), .. } => Ok(Shared::at(prefix)?.settings()),
        Place { sys_prefix: true, .. } => Ok(sys_prefix()?.join("etc/jupyter")),
        _ => {
            let folder = env::var_os("JUPYTER_CONFIG_DIR").map(PathBuf::from);
            let folder = folder.or_else(|| dirs::home_dir().map(|home| home.join(".jupyter")));
            folder.context("there is no home folder for Jupyter's settings: set JUPYTER_CONFIG_DIR")
        }
    }
}

fn sys_prefix() -> Result<PathBuf> {
    if let Some(active) = env::var_os("VIRTUAL_ENV").or_else(|| env::var_os("CONDA_PREFIX")) {
        return Ok(active.into());
    }
    let output = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let output = output.context("--sys-prefix asks Python where it is, and there is no python3")?;
    if !output.status.success() {
        bail!("--sys-prefix asks Python where it is, and python3 does not work");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

fn user_data() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("JUPYTER_DATA_DIR") {
        return Ok(folder.into());
    }
    // A folder that the user has put first on the search path is the one to be found in.
    if let Some(path) = env::var_os("JUPYTER_PATH")
        && let Some(first) = env::split_paths(&path).next().filter(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    let folder = match cfg!(target_os = "macos") {
        true => dirs::home_dir().map(|home| home.join("Library/Jupyter")),
        false => dirs::data_dir().map(|data| data.join("jupyter")),
    };
    folder.context("there is no data folder for this user: set JUPYTER_DATA_DIR")
}

/// All folders that Jupyter looks for data in, in its order.
pub fn all_data() -> Vec<PathBuf> {
    let path = env::var_os("JUPYTER_PATH").unwrap_or_default();
    let users = [user_data().ok(), sys_prefix().ok().map(|prefix| prefix.join("share/jupyter"))];
    let all = ["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from);
    env::split_paths(&path).chain(users.into_iter().flatten()).chain(all).collect()
}
