//! taper: a Jupyter kernel for Rust that starts warm, and the runner of its course.

// The reader of standard output may stop reading at any time: see `terminal.rs`.
#![deny(clippy::print_stdout)]

mod analysis;
mod analyzer;
mod backtrace;
mod build_bar;
mod build_display;
// Its output is read by rust-analyzer.
#[allow(clippy::print_stdout)]
mod cargo_for_evcxr;
mod cell_outputs;
// Its output is read by evcxr.
#[allow(clippy::print_stdout)]
mod child;
mod commands;
mod compiler;
mod diagnostics;
mod errors;
mod evaluator;
mod execution;
// The format of what `lab` and the process that runs the cells write for the kernel.
#[allow(dead_code, reason = "`lab` writes what the kernel only reads")]
#[path = "../notebooks/lab/src/display/format.rs"]
mod format;
mod glue;
mod index;
mod input;
mod jupyter_folders;
mod kernel;
mod kernelspec;
mod logging;
mod maths;
mod nbconvert;
mod notebook;
mod output;
mod packages;
mod pages;
mod parameters;
mod relay;
mod runner;
mod session;
mod shown_crates;
mod sources;
mod terminal;
mod types;
mod worker;

use anyhow::Result;
use clap::Parser;
use commands::Command;
use environment::program::this_program;
use std::env;
use std::process::ExitCode;
use terminal::{Closed, warn_user};

/// Rust notebooks that start warm: a Jupyter kernel, and a course of deep learning on it.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        // As with other command-line programs, `taper doctor | head -1` is no error.
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            warn_user!("taper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    logging::start();
    // evcxr starts this program again, to run cells.
    if env::var_os(child::IS_CHILD).is_some() {
        match env::var_os(child::SOCKET) {
            Some(_) => child::run()?,
            None => child::pretend()?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    // With its `:cache`, evcxr has cargo call this program instead of the compiler.
    let command = env::args().nth(1).unwrap_or_default();
    if !commands::FOR_CARGO.contains(&command.as_str()) {
        evcxr::runtime_hook();
    }
    Arguments::parse().command.run()
}
