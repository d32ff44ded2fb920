//! Where data sets are kept on this machine, as the environment says it.

use std::env;
use std::path::PathBuf;

/// The path that an environment variable holds, unless it is empty.
pub fn from_env(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folder for what was downloaded for a data set, in the folder for caches on this system.
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

/// Whether downloads are forbidden.
pub fn is_offline() -> bool {
    env::var("TAPER_OFFLINE").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}
