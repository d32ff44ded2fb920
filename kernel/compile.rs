//! The compiler of cells: what evcxr takes for cargo.
//!
//! evcxr has cargo build the crate that it makes of a cell. That crate has no dependencies as long as the user adds none (see
//! `warm.rs`), so all that cargo does for it is to look, for longer than many cells take to compile, whether anything has
//! changed, by times that a clock set back makes wrong. Here rustc is started at once, always. For crates with dependencies
//! there is the real cargo, which comes back here for the cell itself.
//!
//! What evcxr has written is improved on the way: see [`improved`].

use anyhow::{Context, Result};
use serde_json::json;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// This program, for the scripts by which evcxr and cargo call it.
pub const PROGRAM: &str = "TAPER_PROGRAM";
/// The real cargo.
pub const CARGO: &str = "TAPER_CARGO";
/// Set when rustc is asked for types.
pub const SPELL_TYPES: &str = "TAPER_SPELL_TYPES";
/// evcxr's name for the crate.
const CRATE: &str = "ctx";
const MANIFEST: &str = "Cargo.toml";
const SOURCE: &str = "src/lib.rs";
/// Makes the crate a workspace of its own.
const WORKSPACE: &str = "\n[workspace]\n";
/// The messages of the compiler, for `diagnostics.rs`.
pub const DIAGNOSTICS: &str = "diagnostics.json";

/// Where the compiled cell is, from the folder of the crate.
const OUT: &str = "target/cells";
/// The file whose name evcxr gives, and in which it wants the path of the compiled cell.
const PATH_FILE: &str = "EVCXR_EXECUTION_SO_PATH";

/// `cargo build` and `cargo check` in the folder of a cell's crate; anything else is cargo's.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let has = |argument: &str| arguments.iter().any(|given| given == argument);
    let manifest = fs::read_to_string(MANIFEST)?;
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split(WORKSPACE).next());
    let is_alone = dependencies.is_some_and(|dependencies| dependencies.trim().is_empty());
    let emit = match (has("build"), has("check")) {
        // A wrapper is there for the sake of cargo's cache.
        _ if !is_alone || env::var_os("RUSTC_WRAPPER").is_some() => return real_cargo(arguments),
        (true, _) => "link",
        (_, true) => "metadata",
        _ => return real_cargo(arguments),
    };
    let opt_level = manifest.lines().find_map(|line| line.strip_prefix("opt-level = ")).unwrap_or("2");
    let mut command = Command::new(env::var_os("RUSTC").context("RUSTC is not set")?);
    command
        .args(["--crate-name", CRATE, "--edition=2024", SOURCE, "--crate-type", "cdylib"])
        .args(["--error-format=json", "--json=diagnostic-rendered-ansi"])
        .args(["--emit", emit, "--out-dir", OUT])
        .args(["-Cdebug-assertions=on", "-Ccodegen-units=4", "-Crpath"])
        .arg(format!("-Copt-level={opt_level}"))
        .args(flags());
    let status = compile(command)?;
    if status == 0 && emit == "link" {
        let name = format!("{}{CRATE}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        let library = env::current_dir()?.join(OUT).join(name);
        let path_file = env::var_os(PATH_FILE).context("evcxr has changed")?;
        fs::write(path_file, library.as_os_str().as_encoded_bytes())?;
    }
    Ok(status)
}

/// What `cargo metadata` says of the crate, for the rust-analyzer inside evcxr: that it is there, and nothing of others.
/// <https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>
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

/// The compiler flags that evcxr gives cargo.
fn flags() -> Vec<String> {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS");
    let flags = encoded.as_ref().map(|flags| flags.split('\u{1f}').collect());
    let plain = env::var("RUSTFLAGS").unwrap_or_default();
    let flags: Vec<&str> = flags.unwrap_or_else(|_| plain.split_whitespace().collect());
    flags.into_iter().map(str::to_owned).collect()
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
    match arguments.windows(2).any(|pair| pair == ["--crate-name", CRATE]) {
        true => compile(command),
        false => Err(command.exec()).context("cannot run rustc"),
    }
}

/// Compiles the crate of a cell, in the current folder.
fn compile(mut command: Command) -> Result<u8> {
    let code = fs::read_to_string(SOURCE)?;
    fs::write(SOURCE, improved(&code))?;
    if env::var_os(SPELL_TYPES).is_some() {
        // With full paths and never shortened.
        command.env("RUSTC_BOOTSTRAP", "1").args(["-Ztrim-diagnostic-paths=no", "--verbose"]);
        return Ok(command.status()?.code().unwrap_or(1) as u8);
    }
    // The lines of backtraces cost next to nothing.
    command.args(["-Cdebuginfo=line-tables-only", "-Cstrip=none"]);
    let output = command.stdout(Stdio::inherit()).output().context("cannot run rustc")?;
    fs::write(DIAGNOSTICS, &output.stderr)?;
    io::stderr().write_all(&output.stderr)?;
    Ok(output.status.code().unwrap_or(1) as u8)
}

/// The crate as evcxr has written it, but
/// - the store of variables is that of `lab`, which is compiled already;
/// - the error of a `?` is reported by `lab`, which tells too which `?` it was;
/// - `Result` is std's where evcxr means that: notebooks like to import another one.
///
/// All lines stay where they are, for evcxr goes by them.
fn improved(code: &str) -> String {
    let code = edited(code, "mod evcxr_internal_runtime {\n", "#[unsafe(no_mangle)]\n", |module| {
        "use ::lab::kernel::variables as evcxr_internal_runtime;".to_owned()
            + &"\n".repeat(module.lines().count())
    });
    let code = edited(&code, "            struct EvcxrUserCodeError {}\n", "\n            }\n", |error| {
        error
            .replace("fn from(", "#[track_caller] fn from(")
            .replace("eprintln!(\"{}\", error)", "::lab::kernel::report_error(&error)")
    });
    let analysis = "\n) -> Result<(), EvcxrUserCodeError> {\n";
    code.replace(analysis, &analysis.replace("Result", "::std::result::Result"))
}

/// The code with the first part from `start` to before `end` edited.
fn edited(code: &str, start: &str, end: &str, edit: impl Fn(&str) -> String) -> String {
    let Some((before, rest)) = code.split_once(start) else { return code.to_owned() };
    let Some(length) = rest.find(end) else { return code.to_owned() };
    [before, &edit(&[start, &rest[..length]].concat()), &rest[length..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_evcxr_generates_is_improved_line_by_line() {
        let code = "fn user() { eprintln!(\"{}\", error); }

            struct EvcxrUserCodeError {}
            impl<T: std::fmt::Display> From<T> for EvcxrUserCodeError {
                fn from(error: T) -> Self {
                    eprintln!(\"{}\", error);
                    EvcxrUserCodeError {}
                }
            }
        
mod evcxr_internal_runtime {
// Its text
}
#[unsafe(no_mangle)]
pub extern \"C\" fn run_user_code_1(
) -> Result<(), EvcxrUserCodeError> {
";
        let improved = improved(code);
        let changed: Vec<(usize, &str)> = (1..)
            .zip(improved.lines().zip(code.lines()))
            .filter(|(_, (new, old))| new != old)
            .map(|(number, (new, _))| (number, new.trim()))
            .collect();
        let expected = [
            (5, "#[track_caller] fn from(error: T) -> Self {"),
            (6, "::lab::kernel::report_error(&error);"),
            (11, "use ::lab::kernel::variables as evcxr_internal_runtime;"),
            (12, ""),
            (13, ""),
            (16, ") -> ::std::result::Result<(), EvcxrUserCodeError> {"),
        ];
        assert_eq!(changed, expected);
        assert_eq!(improved.lines().count(), code.lines().count());
    }
}
