//! `taper clean-up`: what a kernel becomes at its end.

use anyhow::Result;
use environment::{processes, session_directory};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct CleanUp {
    /// The folder of the session
    folder: PathBuf,
}

impl CleanUp {
    /// Removes the folder of a session whose process this one was.
    pub fn run(&self) -> Result<ExitCode> {
        let start = Instant::now();
        // What has been killed may take a moment to be gone.
        while self.folder.exists() && start.elapsed() < PATIENCE {
            processes::end_descendants(process::id(), &[]);
            session_directory::remove(&self.folder);
        }
        session_directory::remove(&self.folder);
        Ok(ExitCode::SUCCESS)
    }
}
