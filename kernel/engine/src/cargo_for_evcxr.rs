//! What evcxr finds in the place of cargo.
//!
//! evcxr would make a crate of a cell and have cargo build it. Cells are compiled by `compiler.rs` instead, and crates by
//! `environment`; this hands evcxr the library that is there already.

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::PathBuf;
use std::{env, fs};

/// This program, for the scripts by which evcxr and cargo call it.
pub const PROGRAM: &str = "TAPER_PROGRAM";
/// The compiled cell that evcxr is to run; empty or not set while it has none to run.
pub const LIBRARY: &str = "TAPER_LIBRARY";
/// evcxr's name for the crate.
const CRATE: &str = "ctx";
const MANIFEST: &str = "Cargo.toml";
const SOURCE: &str = "src/lib.rs";
/// The file whose name evcxr gives, and in which it wants the path of the compiled cell.
const PATH_FILE: &str = "EVCXR_EXECUTION_SO_PATH";

/// `cargo build` in the folder of evcxr's crate.
///
/// # Errors
/// When evcxr asks for something else.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let has = |argument: &str| arguments.iter().any(|given| given == argument);
    if !has("build") && !has("check") {
        bail!("evcxr has changed: it calls cargo with {arguments:?}");
    }
    // evcxr gives what it runs another name. An empty file is nothing to run.
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

/// What `cargo metadata` says of the crate, for the rust-analyzer inside evcxr: that it is there, and nothing of others.
/// <https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>
#[allow(clippy::print_stdout)]
pub fn describe() -> Result<()> {
    let folder = env::current_dir()?;
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
    let description = json!({
        "packages": [package], "workspace_members": [CRATE], "workspace_default_members": [CRATE], "resolve": null,
        "target_directory": folder.join("target"), "build_directory": folder.join("target"), "version": 1,
        "workspace_root": folder, "metadata": null,
    });
    println!("{description}");
    Ok(())
}
