//! The path of the program that runs.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// This very program, even when its file has been replaced by that of a new version.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(format!("/proc/{}/exe", std::process::id()).into()),
        false => std::env::current_exe().context("this program does not know its own path"),
    }
}
