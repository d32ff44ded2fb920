//! The commands of cells, on real kernels.

mod answers;
mod crates;
mod session;
