//! What the notebooks of the course share: the data sets, pictures in a cell's output, plots, and the crates that
//! they build on, so that one dependency line is enough.

#![deny(missing_docs)]

/// Burn, for which the dependency line asks by `features = ["burn"]`.
#[cfg(feature = "burn")]
pub use burn;
pub use {anyhow, candle_core, candle_nn, image, plotters};

pub mod animate;
mod backtrace;
pub mod command;
pub mod data;
pub mod device;
#[allow(
    missing_docs,
    reason = "its format is what the kernel reads, and its constructors say what they take"
)]
pub mod display;
pub mod draw;
pub mod init;
mod interrupt;
#[doc(hidden)]
#[allow(missing_docs, reason = "notebooks have no use for it")]
pub mod kernel;
mod live;
pub mod nn;
mod number;
pub mod ops;
mod pace;
pub mod plot;
mod progress;
mod random;
pub mod scores;
pub mod table;
pub mod train;
mod whole_file;

pub use interrupt::{Interrupted, check_interrupt};
pub use progress::{Progress, progress};

/// A result whose error can be anything that a cell may meet.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
