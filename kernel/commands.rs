//! The subcommands of the program, each in a file of its own.

// The reader of standard error may be gone, too: see `terminal.rs`.
#![deny(clippy::print_stderr)]

mod analyzer;
mod cache;
mod clean_up;
mod doctor;
mod export;
mod install;
mod kernel;
mod lab;
mod run;
mod stand_ins;
mod students;
mod uninstall;

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// A subcommand with its arguments.
#[derive(Subcommand)]
pub enum Command {
    Install(install::Install),
    Uninstall(uninstall::Uninstall),
    Run(run::Run),
    Export(export::Export),
    Lab(lab::Lab),
    Students(students::Students),
    Doctor(doctor::Doctor),
    Cache(cache::Cache),
    Kernel(kernel::Kernel),
    #[command(hide = true)]
    Analyzer,
    #[command(hide = true)]
    CleanUp(clean_up::CleanUp),
    #[command(hide = true)]
    DescribeCells,
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    CargoOfCells(stand_ins::Given),
}

impl Command {
    /// Runs the command. Returns the exit code of the program.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Install(command) => command.run(),
            Self::Uninstall(command) => command.run(),
            Self::Run(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Lab(command) => command.run(),
            Self::Students(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Cache(command) => command.run(),
            Self::Kernel(command) => command.run(),
            Self::Analyzer => analyzer::run(),
            Self::CleanUp(command) => command.run(),
            Self::DescribeCells => stand_ins::describe_cells(),
            Self::CargoOfCells(given) => stand_ins::cargo_of_cells(&given),
        }
    }
}

/// The exit code of a command that ran to its end: 0 if everything succeeded, or else 1.
fn exit_code(succeeded: bool) -> ExitCode {
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
