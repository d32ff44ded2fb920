//! The Rust toolchain, and what rust-analyzer gets to see of it.
//!
//! evcxr asks rust-analyzer for the types of variables, for which it reads the sources of every dependency and of
//! std. `types.rs` has better answers, so the rust-analyzer in a session is given a `cargo` and a `rustc` that
//! know of no dependencies and no std: it is ready at once and stays small. Completion, which needs the whole
//! picture, has its own process (`analyzer.rs`).

use crate::shared::Shared;
use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that cargo is told to use for cells.
pub const RUSTC_OF_CELLS: &str = "rustc-of-cells";
/// The folder that comes first on the kernel's search path.
pub const FIRST_ON_PATH: &str = "path";

/// The compiler of a shared install, for them.
pub const RUSTC: &str = "TAPER_RUSTC";

/// Programs that stand in for the real ones.
const TOOLS: [(&str, &str); 5] = [
    ("cargo", include_str!("tools/cargo.sh")),
    ("rustc", include_str!("tools/rustc.sh")),
    ("path/rustup", include_str!("tools/rustup.sh")),
    ("cargo-of-cells", include_str!("tools/cargo-of-cells.sh")),
    (RUSTC_OF_CELLS, include_str!("tools/rustc-of-cells.sh")),
];

/// The compiler in use.
#[derive(Clone, Debug)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// What `rustc -vV` prints.
    pub version: String,
    /// The target that this machine is.
    pub host: String,
}

impl Toolchain {
    /// Finds the toolchain that evcxr will use too.
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
        Ok(Self { cargo, rustc, host: host.to_owned(), version })
    }

    /// What `rustc -vV` prints in a toolchain that rustup knows by this name; none if it has no such.
    pub fn version_of(&self, name: &str) -> Option<String> {
        let text = |command: &mut Command| {
            let output = command.env("RUSTUP_AUTO_INSTALL", "0").output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let rustc = text(Command::new("rustup").args(["which", "--toolchain", name, "rustc"]))?;
        text(Command::new(rustc.trim()).arg("-vV"))
    }

    /// The linker flag by which a library finds the shared std.
    pub fn rpath(&self) -> Result<String> {
        let output = Command::new(&self.rustc).args(["--print", "target-libdir"]).output()?;
        Ok(format!("-Clink-arg=-Wl,-rpath,{}", String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// The folder of the toolchain.
    pub fn sysroot(&self) -> Result<PathBuf> {
        let output = Command::new(&self.rustc).args(["--print", "sysroot"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    }

    /// The path of rustc.
    pub fn rustc_path(&self) -> &Path {
        &self.rustc
    }

    /// The path of cargo.
    pub fn cargo_path(&self) -> &Path {
        &self.cargo
    }

    /// cargo, to be run in a folder, unaffected by settings for rust-analyzer.
    pub fn cargo(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(folder).env("RUSTC", &self.rustc);
        command
    }
}

/// The program itself rather than rustup's proxy, which costs 30 ms at each call. In a shared install it is the one of
/// those who made it.
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

fn shared_programs() -> Option<PathBuf> {
    Shared::own()?.toolchain()
}

/// The compiler of a shared install, or nothing.
pub fn shared_rustc() -> OsString {
    shared_programs().map(|programs| programs.join("rustc").into()).unwrap_or_default()
}

/// The search path on which these folders come first, and then the toolchain of a shared install.
pub fn search_path(first: &[PathBuf]) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(shared_programs());
    Ok(env::join_paths(folders.chain(env::split_paths(&path)))?)
}

/// Writes the programs that stand in for the real ones.
pub fn write_tools(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join(FIRST_ON_PATH))?;
    for (name, script) in TOOLS {
        let path = folder.join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The variables that this process changes for itself, with the user's values, which user code gets back.
#[derive(Clone, Debug, Default)]
pub struct OwnVariables(Vec<(&'static str, Option<OsString>)>);

impl OwnVariables {
    /// Sets variables of this process.
    ///
    /// # Safety
    /// There must be no other thread yet.
    pub unsafe fn set(variables: &[(&'static str, OsString)]) -> Self {
        let before = variables.iter().map(|(name, _)| (*name, env::var_os(name))).collect();
        for (name, value) in variables {
            // SAFETY: the caller says that there is no other thread.
            unsafe { env::set_var(name, value) };
        }
        Self(before)
    }

    /// The user's value of one of them.
    pub fn users(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(own, _)| *own == name)?.1.as_ref()
    }

    /// Gives a command the user's values.
    pub fn restore(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}
