//! The path of the running program.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// A path that starts this program. On Linux, it starts this version even if the file was replaced by a new one.
///
/// # Errors
/// When the operating system does not know the path.
pub fn this_program() -> Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(format!("/proc/{}/exe", std::process::id()).into()),
        false => std::env::current_exe().context("this program does not know its own path"),
    }
}
