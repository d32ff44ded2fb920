//! Programs that stand in for cargo, rustc and rustup in a session: scripts that call this program, or the real one.
//!
//! What compiles cells looks for cargo by rustup and on the search path, and for types it would ask a rust-analyzer that reads
//! the sources of every dependency and of std. The program has better answers to both, so it gives them a `cargo` and a
//! `rustc` that know of no dependencies and no std.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The folder that comes first on the kernel's search path.
pub const FIRST_ON_PATH: &str = "path";

const SCRIPTS: [(&str, &str); 4] = [
    ("cargo", include_str!("stand_ins/cargo.sh")),
    ("rustc", include_str!("stand_ins/rustc.sh")),
    ("path/rustup", include_str!("stand_ins/rustup.sh")),
    ("cargo-of-cells", include_str!("stand_ins/cargo-of-cells.sh")),
];

/// Writes them into a folder.
///
/// # Errors
/// Names the script that cannot be written.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join(FIRST_ON_PATH))?;
    for (name, script) in SCRIPTS {
        let path = folder.join(name);
        fs::write(&path, script)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
