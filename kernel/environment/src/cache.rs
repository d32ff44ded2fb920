//! The folder in the user's cache that holds everything that taper builds.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// The folder in which taper keeps what it builds: `TAPER_CACHE`, or `taper` in the user's cache folder. It may not exist
/// yet.
///
/// # Errors
/// When the user has no home and `TAPER_CACHE` is not set.
pub fn cache() -> Result<PathBuf> {
    let folder = std::env::var_os("TAPER_CACHE").map(PathBuf::from);
    let folder = folder.or_else(|| Some(dirs::cache_dir()?.join("taper")));
    let folder = folder.context("this user has no cache folder: set TAPER_CACHE to a folder to use")?;
    // Compilers and kernels run in other working directories.
    Ok(std::path::absolute(folder)?)
}

/// The folder of the warm environments in the cache.
///
/// # Errors
/// As [`cache`].
pub fn environments() -> Result<PathBuf> {
    Ok(cache()?.join("environments"))
}
