//! `taper analyzer`: the process for completion and help, which the kernel starts.

use anyhow::Result;
use engine::analysis;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Analyzer {
    /// The folder to work in
    folder: PathBuf,
    /// Use the environment for a GPU
    #[arg(long)]
    cuda: bool,
}

impl Analyzer {
    /// Answers questions until standard input ends.
    pub fn run(&self) -> Result<ExitCode> {
        analysis::run(&self.folder, self.cuda).map(|()| ExitCode::SUCCESS)
    }
}
