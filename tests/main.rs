//! All tests: the crate `lab`, real kernel processes over real sockets, real notebooks.

mod animate;
mod architecture;
mod bad_shapes;
mod batches;
mod cells;
#[path = "../kernel/client.rs"]
mod client;
mod clients;
mod commands;
mod composed;
mod conformance;
mod course;
mod cuda;
mod data;
mod device;
mod display;
mod doctor;
mod download;
mod draw;
mod drawn_digits;
mod environment;
mod errors;
mod execution;
mod faults;
mod features;
#[path = "../notebooks/draw/src/form.rs"]
mod form;
mod gradients;
mod hub;
mod input;
mod inside;
mod install;
mod interrupt;
mod jupyterlab;
mod life;
mod numbers;
mod ops;
mod output;
#[path = "../notebooks/lab/src/pace.rs"]
mod pace;
mod pages;
#[path = "../notebooks/lab/src/ops/parallel.rs"]
mod parallel;
mod peers;
mod plots;
mod progress;
mod protocol;
mod python;
mod queries;
mod run;
mod scores;
mod shared;
mod sockets;
mod students;
mod support;
mod table;
mod tidy;
mod train;
mod training_curve;
mod wire;
mod worksheets;
