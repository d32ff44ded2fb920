//! The user's cache, with everything that taper builds.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Where taper keeps what it builds: `TAPER_CACHE`, or `taper` in the user's cache folder. It need not be there yet.
///
/// # Errors
/// When the user has no home and names no folder.
pub fn cache() -> Result<PathBuf> {
    let folder = std::env::var_os("TAPER_CACHE").map(PathBuf::from);
    let folder = folder.or_else(|| Some(dirs::cache_dir()?.join("taper")));
    let folder =
        folder.context("there is no cache folder for this user: set TAPER_CACHE to a folder to use")?;
    // Compilers and kernels work in folders of their own.
    Ok(std::path::absolute(folder)?)
}

/// The warm environments in it.
///
/// # Errors
/// As [`cache`].
pub fn environments() -> Result<PathBuf> {
    Ok(cache()?.join("environments"))
}
