//! `taper clean-up`: removes the folder of a session. A kernel executes it in its own process at its end.

use anyhow::Result;
use environment::{processes, session_directory};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

/// How long to try.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct CleanUp {
    /// The folder of the session
    folder: PathBuf,
}

impl CleanUp {
    /// Ends the remaining processes of the session, and removes its folder.
    pub fn run(&self) -> Result<ExitCode> {
        let start = Instant::now();
        // Killed processes may write files for another moment.
        while self.folder.exists() && start.elapsed() < PATIENCE {
            processes::end_descendants(process::id(), &[]);
            session_directory::remove(&self.folder);
        }
        session_directory::remove(&self.folder);
        Ok(ExitCode::SUCCESS)
    }
}
