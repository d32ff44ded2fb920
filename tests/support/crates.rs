//! Crates for cells to use.

use std::fs;
use std::path::Path;

/// A crate with a function for each of its features, the default one and `more`.
pub fn write_crate(folder: &Path, name: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\ndefault = [\"usual\"]\nusual = []\nmore = []\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let source = "pub fn usual() -> bool { cfg!(feature = \"usual\") }\npub fn more() -> bool { cfg!(feature = \"more\") }\n";
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}

/// A crate named `tiny`, of this code.
pub fn tiny_crate(code: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), "tiny");
    fs::write(folder.path().join("src/lib.rs"), code).unwrap();
    folder
}
