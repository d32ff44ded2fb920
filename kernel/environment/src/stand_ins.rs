//! Scripts that take the place of cargo, rustc and rustup in a session, and call this program or the real one.
//!
//! The library that evaluates cells finds cargo through rustup and on the search path, and finds types with a rust-analyzer
//! that would read the sources of std and of every dependency. taper does both faster by itself, so the library is made to find
//! a `cargo` and a `rustc` that know of no dependencies and no std.

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

/// Writes the scripts into a folder.
///
/// # Errors
/// When a script cannot be written, with its path.
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
