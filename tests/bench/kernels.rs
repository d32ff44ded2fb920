//! How kernels are measured: what has to be built before, and when cells come.

use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Builds the warm environment, unless it is there.
pub fn install() -> Result<()> {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jupyter");
    let taper = env!("CARGO_BIN_EXE_taper");
    let installed = Command::new(taper).arg("install").env("JUPYTER_DATA_DIR", data).status()?;
    ensure!(installed.success(), "taper install failed");
    Ok(())
}

/// cargo builds examples for tests, but not for benchmarks.
pub fn build_stock() -> Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--example", "stock"])
        .status()?;
    ensure!(built.success(), "the stock kernel does not build");
    Ok(Path::new(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("stock"))
}

/// Waits as long as the next cell takes to come: `PAUSE` milliseconds (300), less than anybody needs to type it. A kernel
/// may use the time to get ready.
pub async fn pause() -> Result<()> {
    tokio::time::sleep(Duration::from_millis(crate::measuring::setting("PAUSE", 300)? as u64)).await;
    Ok(())
}
