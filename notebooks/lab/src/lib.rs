//! What the notebooks of the course share: data sets, operations and layers, pictures in a cell's output, plots, and the
//! crates that they build on, so that one dependency line is enough.

#![deny(missing_docs)]

/// Burn, which a dependency line with `features = ["burn"]` asks for.
#[cfg(feature = "burn")]
pub use burn;
pub use {anyhow, candle_core, candle_nn, image, plotters};

pub mod animate;
mod backtrace;
pub mod command;
pub mod data;
pub mod device;
pub mod display;
pub mod draw;
pub mod init;
mod interrupt;
// Only generated code and the process that runs the cells call it.
#[doc(hidden)]
pub mod kernel;
mod live;
pub mod nn;
mod number;
pub mod onnx;
pub mod ops;
mod pace;
pub mod plot;
mod progress;
pub mod scores;
pub mod table;
pub mod train;
mod unavailable;
mod whole_file;

pub use ::ops::random;
pub use interrupt::{Interrupted, check_interrupt};
pub use progress::{Progress, progress};
pub use unavailable::Unavailable;

/// A result whose error can be of any type that a cell may meet.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
