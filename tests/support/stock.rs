//! The kernel that evcxr comes with.

use super::root;
use std::path::Path;
use std::process::Command;

/// A command that starts the stock kernel in the folder of the notebooks; the connection file comes as its last argument.
pub fn stock() -> Command {
    // Examples are next to the program: cargo builds them for tests.
    let program = Path::new(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("stock");
    let mut command = Command::new(program);
    command.arg("--control_file").current_dir(root().join("notebooks"));
    // cargo makes libraries of its own build known to tests, another `lab` among them.
    command.env_remove("LD_LIBRARY_PATH").env_remove("DYLD_FALLBACK_LIBRARY_PATH");
    command
}
