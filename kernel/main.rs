//! taper: a Jupyter kernel for Rust that starts warm, and the runner of its course.

// Whoever reads what a command prints may stop reading: see `terminal.rs`.
#![deny(clippy::print_stdout)]

mod analysis;
mod analyzer;
mod backtrace;
mod build_bar;
mod build_display;
// It talks to rust-analyzer by its output.
#[allow(clippy::print_stdout)]
mod cargo_for_evcxr;
// It talks to evcxr by its output.
#[allow(clippy::print_stdout)]
mod child;
mod commands;
mod compiler;
mod diagnostics;
mod errors;
mod evaluator;
mod execution;
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
mod recorder;
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
        // As with other programs of the command line there is nothing wrong with `taper doctor | head -1`.
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
