//! taper: a Jupyter kernel for Rust that starts warm, and the runner of its course.

// `println!` panics if the reader of standard output has gone: see `terminal.rs`.
#![deny(clippy::print_stdout)]

mod analyzer;
mod build_bar;
mod cell_outputs;
mod commands;
mod execution;
mod index;
mod jupyter_folders;
mod kernel;
mod kernelspec;
mod logging;
mod maths;
mod nbconvert;
mod notebook;
mod packages;
mod pages;
mod parameters;
mod session;
mod terminal;
mod typing;
mod worker;

use anyhow::Result;
use clap::Parser;
use commands::Command;
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
        // As in other command-line programs, `taper doctor | head -1` is not an error.
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            warn_user!("taper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    logging::start();
    if engine::child::run_if_meant()? {
        return Ok(ExitCode::SUCCESS);
    }
    Arguments::parse().command.run()
}
