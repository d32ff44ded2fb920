//! The programs that stand in for cargo and rustc, for evcxr.
//!
//! evcxr would make a crate of a cell and have cargo build it. Cells are compiled by `compiler.rs` instead; what evcxr finds
//! in the place of cargo hands it the library that is there already. Only for the crates of `:dep` lines the real cargo is
//! run, which comes back here for evcxr's own crate: with what it is to be linked, cells are linked too.

use anyhow::{Context, Result};
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// This program, for the scripts by which evcxr and cargo call it.
pub const PROGRAM: &str = "TAPER_PROGRAM";
/// The real cargo.
pub const CARGO: &str = "TAPER_CARGO";
/// The compiled cell that evcxr is to run; empty or not set while it has none to run.
pub const LIBRARY: &str = "TAPER_LIBRARY";
/// evcxr's name for the crate.
const CRATE: &str = "ctx";
const MANIFEST: &str = "Cargo.toml";
const SOURCE: &str = "src/lib.rs";
/// Makes the crate a workspace of its own.
const WORKSPACE: &str = "\n[workspace]\n";
/// The compiler flags that link the crates of `:dep` lines, in the folder of evcxr's crate, as JSON.
const DEPENDENCIES: &str = "dependencies.json";
/// The file whose name evcxr gives, and in which it wants the path of the compiled cell.
const PATH_FILE: &str = "EVCXR_EXECUTION_SO_PATH";

/// `cargo build` in the folder of evcxr's crate; anything else is cargo's.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let has = |argument: &str| arguments.iter().any(|given| given == argument);
    if !has("build") && !has("check") {
        return real_cargo(arguments);
    }
    let library = env::var_os(LIBRARY).filter(|library| !library.is_empty()).map(PathBuf::from);
    if library.is_none() && has_dependencies()? {
        return real_cargo(arguments);
    }
    // evcxr gives what it runs another name. An empty file is nothing to run.
    let path_file = env::var_os(PATH_FILE)
        .context("evcxr has changed: it does not say where it looks for its library")?;
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

/// Whether evcxr's crate has any.
fn has_dependencies() -> Result<bool> {
    let manifest = fs::read_to_string(MANIFEST)?;
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split(WORKSPACE).next());
    Ok(dependencies.context("evcxr has changed: its manifest has no dependencies")?.trim() != "")
}

/// What links the crates that cargo has built last, and not yet been taken: compiler flags. `folder` is evcxr's crate.
pub fn take_dependencies(folder: &Path) -> Result<Option<Vec<String>>> {
    let file = folder.join(DEPENDENCIES);
    let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
    fs::remove_file(&file)?;
    Ok(Some(serde_json::from_str(&text)?))
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

fn real_cargo(arguments: &[String]) -> Result<u8> {
    let mut manifest = fs::read_to_string(MANIFEST)?;
    if !manifest.contains(WORKSPACE) {
        // The folder may be within that of a workspace, which knows nothing of cells.
        manifest.push_str(WORKSPACE);
        fs::write(MANIFEST, manifest)?;
    }
    // Whether the cell has changed is not for the clock to say.
    let target = Path::new("target");
    for folder in [target.to_owned()].into_iter().chain(subfolders(target)) {
        for package in subfolders(&folder.join("debug/.fingerprint")) {
            if package.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ctx-")) {
                fs::remove_dir_all(package)?;
            }
        }
    }
    let cargo = env::var_os(CARGO).unwrap_or_else(|| "cargo".into());
    Err(Command::new(cargo).args(arguments).exec()).context("cannot run cargo")
}

fn subfolders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// rustc with arguments, for cargo: a cell's crate, or any other.
pub fn rustc(arguments: &[String]) -> Result<u8> {
    let (rustc, arguments) = arguments.split_first().context("there is no compiler to run")?;
    let mut command = Command::new(rustc);
    command.args(arguments);
    if arguments.windows(2).any(|pair| pair == ["--crate-name", CRATE]) {
        let folder = env::current_dir()?;
        fs::write(folder.join(DEPENDENCIES), json!(linked(arguments, &folder)).to_string())?;
    }
    Err(command.exec()).context("cannot run rustc")
}

/// The flags among rustc's arguments that say what to link.
fn linked(arguments: &[String], folder: &Path) -> Vec<String> {
    let absolute = |path: &str| folder.join(path).to_string_lossy().into_owned();
    let mut flags = Vec::new();
    for pair in arguments.windows(2) {
        let (kind, value) = (pair[0].as_str(), pair[1].as_str());
        let value = match (kind, value.split_once('=')) {
            // `lab` comes with the flags of every cell.
            ("--extern", Some(("lab", _))) => continue,
            ("--extern" | "-L", Some((name, path))) => format!("{name}={}", absolute(path)),
            ("-L", None) => absolute(value),
            ("-l", _) => value.to_owned(),
            _ => continue,
        };
        flags.extend([kind.to_owned(), value]);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_links_is_told_from_its_other_arguments() {
        let arguments = "--crate-name ctx --edition=2024 src/lib.rs -C opt-level=2 --out-dir /s/target -L \
                         dependency=/s/target/deps --extern itoa=/s/target/deps/libitoa.rlib --extern lab=/c/liblab.so \
                         -L native=out -Cprefer-dynamic";
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let expected = [
            "-L",
            "dependency=/s/target/deps",
            "--extern",
            "itoa=/s/target/deps/libitoa.rlib",
            "-L",
            "native=/s/out",
        ];
        assert_eq!(linked(&arguments, Path::new("/s")), expected);
    }
}
