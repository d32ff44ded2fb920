//! The compiler of cells: runs rustc, without cargo, on the crate that is generated for a cell.
//!
//! cargo would check whether any dependency has changed, which takes longer than many cells take to compile. Here, everything
//! that a cell is linked with is known: `lab`, and the sets with the crates of the session's `:dep` lines.

use anyhow::{Context, Result, bail};
use cell::code::Code;
use environment::session_directory as directory;
use std::collections::BTreeMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// rustc, and the options with which it compiles the cells of a session.
pub struct Compiler {
    pub rustc: PathBuf,
    /// The folder of the crate.
    folder: PathBuf,
    /// The flags that link `lab` and other crates.
    pub flags: Vec<String>,
    /// The shared libraries of crates that every cell is linked with, even if it does not name them.
    pub sets: Vec<String>,
    /// The flags for the linker and the backend that the user has chosen.
    pub chosen: Vec<String>,
    /// The environment variables that the user has set for the compiler.
    pub environment: BTreeMap<String, String>,
    pub opt_level: String,
    pub edition: String,
    /// The number of the last library.
    number: usize,
}

/// The outcome of a compilation.
pub struct Compiled {
    /// The library, if the code compiles.
    pub library: Option<PathBuf>,
    /// rustc's messages: a [JSON object](https://doc.rust-lang.org/rustc/json.html) on each line.
    pub messages: String,
}

/// The name of the crate. It is the same as in evcxr's own kernel, because `std::any::type_name` shows it.
const CRATE: &str = "ctx";
const SOURCE: &str = "src/lib.rs";

impl Compiler {
    pub fn new(rustc: PathBuf, session: &Path) -> Self {
        Self {
            rustc,
            folder: session.join(directory::CELLS),
            flags: Vec::new(),
            sets: Vec::new(),
            chosen: Vec::new(),
            environment: BTreeMap::new(),
            opt_level: "2".into(),
            edition: "2024".into(),
            number: 0,
        }
    }

    /// The folder of the crate that is generated for a cell.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Compiles the crate to a new library.
    pub fn build(&mut self, code: &Code) -> Result<Compiled> {
        self.number += 1;
        // A new folder identifies the library, because evcxr will rename the file.
        let out = self.folder.join("target").join(self.number.to_string());
        fs::create_dir_all(&out)?;
        let mut command = self.command(code)?;
        // Optimizing the units together as well would take a sixth of the time of a cell, and hardly any code runs faster for it.
        command.args(["--emit", "link", "-Ccodegen-units=4", "-Clto=off", "-Crpath"]);
        command.arg("--out-dir").arg(&out);
        command.arg(format!("-Copt-level={}", self.opt_level));
        // Line tables, which backtraces need, cost next to nothing.
        command.args(["-Cdebug-assertions=on", "-Cdebuginfo=line-tables-only", "-Cstrip=none"]);
        let (is_compiled, messages) = run(command)?;
        let library = out.join(format!("{DLL_PREFIX}{}{DLL_SUFFIX}", CRATE));
        Ok(Compiled { library: is_compiled.then_some(library), messages })
    }

    /// Checks the crate, with types spelled as full paths in the messages; returns the messages.
    pub fn probe(&self, code: &Code) -> Result<String> {
        let mut command = self.command(code)?;
        command.args([
            "--emit",
            "metadata",
            "--out-dir",
            "target",
            "-Ztrim-diagnostic-paths=no",
            "--verbose",
        ]);
        // Needed for `-Ztrim-diagnostic-paths`, which is unstable.
        command.env("RUSTC_BOOTSTRAP", "1");
        Ok(run(command)?.1)
    }

    /// Checks the crate; returns rustc's messages.
    pub fn check(&self, code: &Code) -> Result<String> {
        let mut command = self.command(code)?;
        command.args(["--emit", "metadata", "--out-dir", "target"]);
        Ok(run(command)?.1)
    }

    /// Parses the crate; returns rustc's messages, which are about its syntax.
    pub fn parse(&self, code: &Code) -> Result<String> {
        let mut command = self.command(code)?;
        command.arg("-Zparse-crate-root-only").env("RUSTC_BOOTSTRAP", "1");
        Ok(run(command)?.1)
    }

    fn command(&self, code: &Code) -> Result<Command> {
        let source = self.folder.join(SOURCE);
        fs::create_dir_all(source.parent().unwrap_or(&self.folder))?;
        let mut text = code.text().to_owned();
        // Appended, so that the positions in the code do not change.
        self.sets.iter().for_each(|set| text.push_str(&format!("extern crate {set} as _;\n")));
        fs::write(&source, text).with_context(|| format!("cannot write {}", source.display()))?;
        let mut command = Command::new(&self.rustc);
        command
            .current_dir(&self.folder)
            .args(["--crate-name", CRATE, "--crate-type", "cdylib", SOURCE])
            .arg(format!("--edition={}", self.edition))
            .args(["--error-format=json", "--json=diagnostic-rendered-ansi"])
            .args(&self.flags)
            .args(&self.chosen)
            .envs(&self.environment);
        Ok(command)
    }
}

/// Runs rustc; returns whether it succeeded, and its messages.
fn run(mut command: Command) -> Result<(bool, String)> {
    let output = command.output().context("cannot run rustc")?;
    if output.status.code().is_none() {
        bail!("the compiler was killed ({})", output.status);
    }
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
