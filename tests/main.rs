//! All tests: the crate `lab`, real kernel processes over real sockets, real notebooks.

mod batches;
#[path = "../kernel/client.rs"]
mod client;
mod data;
mod display;
mod download;
mod drawn_digits;
mod errors;
mod input;
mod install;
mod interrupt;
mod life;
mod ops;
mod output;
#[path = "../notebooks/lab/src/pace.rs"]
mod pace;
mod plots;
mod progress;
mod protocol;
mod run;
mod support;
mod tidy;
mod train;
