//! Where data sets and networks are kept on this machine, as the environment says it.

use super::Error;
use std::env;
use std::path::PathBuf;

/// The path that an environment variable holds, unless it is empty.
pub fn from_env(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folder for what was downloaded for a data set or a published network, `taper/NAME` in the folder for caches on this system. `None`
/// if there is no home folder.
pub fn cache(name: &str) -> Option<PathBuf> {
    let home = from_env("HOME");
    let caches = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Caches"))
    } else {
        let xdg = from_env("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        xdg.or_else(|| home.map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("taper").join(name))
}

/// Whether the environment variable `TAPER_OFFLINE` forbids downloads: it is set, and neither empty nor 0.
pub fn is_offline() -> bool {
    env::var("TAPER_OFFLINE").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// The folder with a data set that comes with the course: the one that `variable` names, or `assets/NAME` in the current folder or
/// one above it.
pub fn assets(name: &'static str, variable: &'static str) -> Result<PathBuf, Error> {
    if let Some(folder) = from_env(variable) {
        return Ok(folder);
    }
    let here = env::current_dir().unwrap_or_default();
    let mut folders = here.ancestors().map(|folder| folder.join("assets").join(name));
    folders.find(|folder| folder.is_dir()).ok_or(Error::NoAssets { name, variable })
}
