//! The Rust toolchain: the user's, or the one of a shared install.

use crate::shared::SharedInstall;
use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The environment variable that tells the stand-in for rustup the compiler of a shared install.
pub const RUSTC: &str = "TAPER_RUSTC";

/// The toolchain in use.
#[derive(Clone, Debug)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// What `rustc -vV` prints.
    pub version: String,
    /// The target triple of this machine.
    pub host: String,
    /// The folder of rustc's libraries, once it has been asked for.
    libraries: OnceLock<String>,
}

impl Toolchain {
    /// Finds the toolchain that cells and `lab` are compiled with.
    ///
    /// # Errors
    /// When no toolchain is installed, or its compiler does not work.
    pub fn find() -> Result<Self> {
        let rustc = rustc();
        let cargo = Some(rustc.with_file_name("cargo")).filter(|cargo| cargo.is_file());
        let cargo = cargo.unwrap_or_else(|| "cargo".into());
        let output = Command::new(&rustc).arg("-vV").output();
        let output = output.with_context(|| match rustc.is_absolute() {
            true => format!("cannot run {}", rustc.display()),
            false => "Rust is not installed, or not on the PATH: see https://rustup.rs".into(),
        })?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(host) = version.lines().find_map(|line| line.strip_prefix("host: ")) else {
            bail!("`rustc -vV` does not work: {}", String::from_utf8_lossy(&output.stderr).trim());
        };
        Ok(Self { cargo, rustc, host: host.to_owned(), version, libraries: OnceLock::new() })
    }

    /// What `rustc -vV` prints in the toolchain that rustup knows by this name. `None` if it is not installed.
    pub fn version_of(&self, name: &str) -> Option<String> {
        let text = |command: &mut Command| {
            let output = command.env("RUSTUP_AUTO_INSTALL", "0").output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let rustc = text(Command::new("rustup").args(["which", "--toolchain", name, "rustc"]))?;
        text(Command::new(rustc.trim()).arg("-vV"))
    }

    /// The linker flag by which a library finds the shared library of std.
    ///
    /// # Errors
    /// When rustc does not print the folder of its libraries.
    pub(crate) fn rpath(&self) -> Result<String> {
        let libraries = match self.libraries.get() {
            Some(libraries) => libraries,
            None => {
                let printed = self.print("target-libdir")?;
                self.libraries.get_or_init(|| printed)
            }
        };
        Ok(format!("-Clink-arg=-Wl,-rpath,{libraries}"))
    }

    /// The folder of the toolchain.
    ///
    /// # Errors
    /// When rustc does not print it.
    pub fn sysroot(&self) -> Result<PathBuf> {
        Ok(self.print("sysroot")?.into())
    }

    fn print(&self, what: &str) -> Result<String> {
        let output = Command::new(&self.rustc).args(["--print", what]).output();
        let output = output.with_context(|| format!("cannot run {}", self.rustc.display()))?;
        if !output.status.success() {
            bail!("`rustc --print {what}` fails: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The path of rustc.
    pub fn rustc_path(&self) -> &Path {
        &self.rustc
    }

    /// The path of cargo.
    pub fn cargo_path(&self) -> &Path {
        &self.cargo
    }

    /// A cargo command in a folder. It uses this toolchain's rustc rather than the one that `RUSTC` names for rust-analyzer.
    pub fn cargo(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(folder).env("RUSTC", &self.rustc);
        command
    }
}

/// The path of rustc. It is the program itself rather than rustup's proxy, which costs 30 ms at each call. A shared install has
/// its own.
fn rustc() -> PathBuf {
    if let Some(programs) = shared_programs() {
        return programs.join("rustc");
    }
    let output = Command::new("rustup").args(["which", "rustc"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().into(),
        _ => "rustc".into(),
    }
}

/// The folder with the programs of a shared install's toolchain.
fn shared_programs() -> Option<PathBuf> {
    SharedInstall::current()?.toolchain()
}

/// The path of a shared install's compiler; empty if there is no shared install.
pub fn shared_rustc() -> OsString {
    shared_programs().map(|programs| programs.join("rustc").into()).unwrap_or_default()
}

/// The value of `PATH` with these folders first, then the toolchain of a shared install, then the present folders.
///
/// # Errors
/// When the path of a folder contains a colon.
pub fn search_path(first: &[PathBuf]) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(shared_programs());
    Ok(env::join_paths(folders.chain(env::split_paths(&path)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_of_this_machine_is_found_whole() {
        let toolchain = Toolchain::find().unwrap();
        let version = Command::new("rustc").arg("-vV").output().unwrap();
        assert_eq!(toolchain.version, String::from_utf8(version.stdout).unwrap());
        let libraries = toolchain.sysroot().unwrap().join("lib/rustlib").join(&toolchain.host).join("lib");
        assert_eq!(toolchain.rpath().unwrap(), format!("-Clink-arg=-Wl,-rpath,{}", libraries.display()));
        let error = toolchain.print("no-such-thing").unwrap_err().to_string();
        assert!(error.starts_with("`rustc --print no-such-thing` fails: error: "), "{error}");
    }
}
