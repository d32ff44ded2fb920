//! All tests: the crate `lab`, real kernel processes over real sockets, real notebooks.

mod batches;
mod browser;
#[path = "../kernel/client.rs"]
mod client;
mod clients;
mod conformance;
mod data;
mod display;
mod download;
mod drawn_digits;
mod errors;
mod execution;
mod install;
mod life;
mod ops;
mod plots;
mod protocol;
mod python;
mod queries;
mod run;
mod support;
mod tidy;
mod wire;
