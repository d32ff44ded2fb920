//! The commands that take the place of cargo and rustc. The scripts in the folders of sessions and of the analyzer call them.

use crate::{cargo_for_evcxr, shown_crates};
use anyhow::Result;
use std::process::ExitCode;

/// The commands that cargo calls with the environment variables of a compiler.
pub const FOR_CARGO: [&str; 2] = ["cargo-of-cells", "rustc-of-cells"];

/// The arguments for the program that is replaced.
#[derive(clap::Args)]
pub struct Given {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// cargo for the rust-analyzer that completion asks.
pub fn cargo_for_analyzer(Given { arguments }: &Given) -> Result<ExitCode> {
    shown_crates::cargo(arguments).map(ExitCode::from)
}

/// `cargo metadata` for the rust-analyzer inside evcxr.
pub fn describe_cells() -> Result<ExitCode> {
    cargo_for_evcxr::describe().map(|()| ExitCode::SUCCESS)
}

/// cargo for evcxr.
pub fn cargo_of_cells(Given { arguments }: &Given) -> Result<ExitCode> {
    cargo_for_evcxr::cargo(arguments).map(ExitCode::from)
}

/// rustc for the cargo that builds cells with dependencies.
pub fn rustc_of_cells(Given { arguments }: &Given) -> Result<ExitCode> {
    cargo_for_evcxr::rustc(arguments).map(ExitCode::from)
}
