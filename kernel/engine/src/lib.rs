//! Evaluates cells: generates a crate for each cell, has rustc compile it, and has evcxr run it in a separate process.
//!
//! Only this crate knows evcxr, and only this crate generates code around a cell.

// `println!` panics if the reader of standard output has gone. Only the stand-ins, which talk to other programs, may use it.
#![deny(clippy::print_stdout)]

mod ahead;
pub mod analysis;
mod backtrace;
mod build_display;
pub mod cargo_for_evcxr;
pub mod child;
mod compiler;
#[cfg(test)]
mod contract;
mod diagnostics;
pub mod errors;
mod evaluator;
mod glue;
mod input;
mod linker;
mod output;
mod relay;
mod runner;
pub mod shown_crates;
mod sources;
mod types;

pub use build_display::BUILD;
pub use evaluator::crates;
pub use evaluator::{Data, Documentation, Evaluator, Failed, InputReply, InputRequest, Ran, SessionSetup};
pub use messages::UNAVAILABLE;
pub use runner::Runner;
