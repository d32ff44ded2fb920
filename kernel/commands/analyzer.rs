//! `taper analyzer`: the process for completion and help, which the kernel starts.

use anyhow::Result;
use engine::analysis;
use std::process::ExitCode;

/// Answers questions until standard input ends.
pub fn run() -> Result<ExitCode> {
    analysis::run().map(|()| ExitCode::SUCCESS)
}
