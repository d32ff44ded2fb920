//! Evaluates cells: makes a crate of each, has rustc compile it, and evcxr run it in a process of its own.
//!
//! Everything that knows evcxr, and everything that is generated around a cell, is here.

// Whoever reads what a command prints may stop reading: only the stand-ins, which talk to other programs, print.
#![deny(clippy::print_stdout)]

pub mod analysis;
mod backtrace;
mod build_display;
pub mod cargo_for_evcxr;
pub mod child;
mod compiler;
mod diagnostics;
pub mod errors;
mod evaluator;
mod glue;
mod input;
mod output;
mod relay;
mod runner;
pub mod shown_crates;
mod sources;
mod types;

pub use evaluator::crates;
pub use evaluator::{Answer, Data, Documentation, Evaluator, Failed, Question, Ran, Setting};
pub use runner::Runner;
