//! What cells are compiled with, and where: the toolchain, the warm environment, and the folder and processes of a session.
//!
//! This crate knows nothing of evcxr or Jupyter. All it knows of cells is that they are compiled in a folder and linked with
//! `lab`.

#![warn(missing_docs)]

pub mod cache;
pub mod cuda;
pub mod files;
pub mod lab;
mod lock_file;
pub mod own_variables;
mod permissions;
pub mod processes;
pub mod program;
pub mod registry;
pub mod session_directory;
pub mod shared;
pub mod stand_ins;
pub mod toolchain;
pub mod warm;

pub use cuda::Cuda;
pub use lab::Lab;
pub use own_variables::OwnVariables;
pub use session_directory::SessionDirectory;
pub use shared::SharedInstall;
pub use toolchain::Toolchain;
pub use warm::Environment;
