//! The commands that take the place of cargo and rustc. The scripts in the folders of sessions call them.

use anyhow::Result;
use engine::cargo_for_evcxr;
use std::process::ExitCode;

/// The arguments of the program whose place is taken.
#[derive(clap::Args)]
pub struct Given {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// `cargo metadata` for the rust-analyzer inside evcxr.
pub fn describe_cells() -> Result<ExitCode> {
    cargo_for_evcxr::describe().map(|()| ExitCode::SUCCESS)
}

/// cargo for evcxr.
pub fn cargo_of_cells(Given { arguments }: &Given) -> Result<ExitCode> {
    cargo_for_evcxr::cargo(arguments).map(ExitCode::from)
}
