//! The program that evcxr runs in place of cargo.
//!
//! evcxr expects cargo to build the crate that it has made of a cell. But cells are compiled by `compiler.rs`, and crates by
//! `environment`, so this program only hands evcxr the library that has already been built.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The environment variable with the path of this program, which the stand-in scripts call.
pub const PROGRAM: &str = "TAPER_PROGRAM";
/// The environment variable with the path of the compiled cell that evcxr is to run; empty or unset if there is none.
pub const LIBRARY: &str = "TAPER_LIBRARY";
/// evcxr's name for the crate.
const CRATE: &str = "ctx";
const MANIFEST: &str = "Cargo.toml";
const SOURCE: &str = "src/lib.rs";
/// The environment variable in which evcxr names a file; it reads the path of the compiled library from that file.
pub(crate) const PATH_FILE: &str = "EVCXR_EXECUTION_SO_PATH";

/// Answers `cargo build` and `cargo check` in the folder of evcxr's crate; returns the exit code.
///
/// # Errors
/// When evcxr calls cargo in another way, or the library cannot be copied.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let has = |argument: &str| arguments.iter().any(|given| given == argument);
    if !has("build") && !has("check") {
        bail!("evcxr has changed: it calls cargo with {arguments:?}");
    }
    // evcxr renames the file that it gets, so it gets a second link to the library. An empty file means that there is nothing
    // to run.
    let path_file = env::var_os(PATH_FILE)
        .context("evcxr has changed: it does not say where it looks for its library")?;
    let library = env::var_os(LIBRARY).filter(|library| !library.is_empty()).map(PathBuf::from);
    let to_run = match &library {
        Some(library) => library.with_file_name("to_run"),
        None => env::current_dir()?.join("nothing_to_run"),
    };
    match &library {
        Some(library) => fs::hard_link(library, &to_run).or_else(|_| fs::copy(library, &to_run).map(drop))?,
        None => fs::write(&to_run, "")?,
    }
    fs::write(path_file, to_run.as_os_str().as_encoded_bytes())?;
    Ok(0)
}

/// Answers `cargo metadata` for the rust-analyzer inside evcxr.
///
/// # Errors
/// When the current folder is gone.
#[allow(clippy::print_stdout)]
pub fn describe() -> Result<()> {
    println!("{}", description(&env::current_dir()?));
    Ok(())
}

/// evcxr's crate in the format of [`cargo metadata`](https://doc.rust-lang.org/cargo/commands/cargo-metadata.html), without
/// any dependencies.
pub(crate) fn description(folder: &Path) -> Value {
    let target = json!({
        "kind": ["cdylib"], "crate_types": ["cdylib"], "name": CRATE, "src_path": folder.join(SOURCE), "edition": "2024",
        "doc": true, "doctest": false, "test": true,
    });
    let package = json!({
        "name": CRATE, "version": "1.0.0", "id": CRATE, "license": null, "license_file": null, "description": null,
        "source": null, "dependencies": [], "targets": [target], "features": {}, "manifest_path": folder.join(MANIFEST),
        "metadata": null, "publish": null, "authors": [], "categories": [], "keywords": [], "readme": null,
        "repository": null, "homepage": null, "documentation": null, "edition": "2024", "links": null,
        "default_run": null, "rust_version": null,
    });
    json!({
        "packages": [package], "workspace_members": [CRATE], "workspace_default_members": [CRATE], "resolve": null,
        "target_directory": folder.join("target"), "build_directory": folder.join("target"), "version": 1,
        "workspace_root": folder, "metadata": null,
    })
}
