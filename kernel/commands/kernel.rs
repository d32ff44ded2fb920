//! `taper kernel`: serves a session.

use crate::kernel::{self, Taper};
use anyhow::{Context, Result};
use engine::{SessionSetup, cargo_for_evcxr};
use environment::program::this_program;
use environment::{OwnVariables, SessionDirectory, session_directory, stand_ins, toolchain};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Serve a notebook; Jupyter starts this
#[derive(clap::Args)]
pub struct Kernel {
    /// The connection file, in which Jupyter says where to listen
    #[arg(long, value_name = "FILE")]
    connection_file: PathBuf,
    /// Compute on a GPU, with the environment of `taper install --cuda`
    #[arg(long)]
    cuda: bool,
}

impl Kernel {
    /// Serves the session until it ends.
    pub fn run(&self) -> Result<ExitCode> {
        let connection = std::fs::read_to_string(&self.connection_file)
            .with_context(|| format!("cannot read the connection file {}", self.connection_file.display()))?;
        let connection = serde_json::from_str(&connection)
            .with_context(|| format!("{} is not a connection file", self.connection_file.display()))?;
        let folder = SessionDirectory::create()?;
        let tools = folder.tools();
        let own = [
            ("CARGO", tools.join("cargo").into()),
            ("RUSTC", tools.join("rustc").into()),
            ("PATH", toolchain::search_path(&[tools.join(stand_ins::FIRST_ON_PATH)])?),
            (toolchain::RUSTC, toolchain::shared_rustc()),
            ("EVCXR_TMPDIR", folder.path().join(session_directory::EVCXR).into()),
            ("EVCXR_CONFIG_DIR", folder.path().into()),
            (cargo_for_evcxr::PROGRAM, this_program()?.into()),
        ];
        // SAFETY: the process has only its main thread: `main` has called nothing that starts threads, and the runtime is built
        // after this.
        let own_variables = unsafe { OwnVariables::set(&own) };
        let setup = SessionSetup { folder: folder.path().to_owned(), own_variables, cuda: self.cuda };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(async {
            let ended = kernel::told_to_end()?;
            wire::serve(&connection, folder.path(), |channels| Taper::start(setup, channels), ended).await
        });
        served.inspect_err(|_| session_directory::remove(folder.path()))?;
        become_cleaner(folder.path())
    }
}

/// Replaces this process by `taper clean-up`, which removes the session's folder. The thread of the session may still be
/// running, start compilers and write files; it ends when the process is replaced.
fn become_cleaner(folder: &Path) -> Result<ExitCode> {
    Err(Command::new(this_program()?).arg("clean-up").arg(folder).exec())
        .context("cannot start `taper clean-up`")
}
