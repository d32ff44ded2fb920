//! The compiler of cells: rustc, started at once, for the crate that is made of a cell.
//!
//! cargo would look, for longer than many cells take to compile, whether anything has changed. What a cell is linked with is
//! known already: `lab`, and the sets that hold the crates of the session's `:dep` lines.

use anyhow::{Context, Result, bail};
use cell::code::Code;
use environment::session_directory as directory;
use std::collections::BTreeMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// rustc, and what every cell of a session is compiled with.
pub struct Compiler {
    pub rustc: PathBuf,
    /// The folder of the crate.
    folder: PathBuf,
    /// What links `lab` and other crates.
    pub flags: Vec<String>,
    /// Shared libraries of crates, which code is linked with although it does not name them.
    pub sets: Vec<String>,
    /// Flags that the user has chosen.
    pub chosen: Vec<String>,
    /// Variables that the user has set for the compiler.
    pub environment: BTreeMap<String, String>,
    pub opt_level: String,
    pub edition: String,
    /// How many libraries it has made.
    number: usize,
}

/// What rustc has made of some code.
pub struct Compiled {
    /// The library, if the code compiles.
    pub library: Option<PathBuf>,
    /// What rustc says of it, one JSON object in a line, <https://doc.rust-lang.org/rustc/json.html>.
    pub messages: String,
}

/// The name of the crate, which is part of what `std::any::type_name` says: it is the stock kernel's.
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

    /// The folder of the crate that is made of a cell.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Compiles the crate to a library of its own.
    pub fn build(&mut self, code: &Code) -> Result<Compiled> {
        self.number += 1;
        // The folder is what tells libraries from each other: evcxr will give this one another name.
        let out = self.folder.join("target").join(self.number.to_string());
        fs::create_dir_all(&out)?;
        let mut command = self.command(code)?;
        command.args(["--emit", "link", "-Ccodegen-units=4", "-Crpath"]).arg("--out-dir").arg(&out);
        command.arg(format!("-Copt-level={}", self.opt_level));
        // The lines of backtraces cost next to nothing.
        command.args(["-Cdebug-assertions=on", "-Cdebuginfo=line-tables-only", "-Cstrip=none"]);
        let (is_compiled, messages) = run(command)?;
        let library = out.join(format!("{DLL_PREFIX}{}{DLL_SUFFIX}", CRATE));
        Ok(Compiled { library: is_compiled.then_some(library), messages })
    }

    /// Has rustc check the crate, and spell types with full paths.
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
        // These are options of nightly toolchains.
        command.env("RUSTC_BOOTSTRAP", "1");
        Ok(run(command)?.1)
    }

    /// Has rustc check the crate; returns what it says of it.
    pub fn check(&self, code: &Code) -> Result<String> {
        let mut command = self.command(code)?;
        command.args(["--emit", "metadata", "--out-dir", "target"]);
        Ok(run(command)?.1)
    }

    /// Has rustc read the crate, no more; returns what it says of the syntax.
    pub fn parse(&self, code: &Code) -> Result<String> {
        let mut command = self.command(code)?;
        command.arg("-Zparse-crate-root-only").env("RUSTC_BOOTSTRAP", "1");
        Ok(run(command)?.1)
    }

    fn command(&self, code: &Code) -> Result<Command> {
        let source = self.folder.join(SOURCE);
        fs::create_dir_all(source.parent().unwrap_or(&self.folder))?;
        let mut text = code.text().to_owned();
        // After the code, whose places stay what they are.
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

/// Runs rustc; returns whether it succeeded, and what it said.
fn run(mut command: Command) -> Result<(bool, String)> {
    let output = command.output().context("cannot run rustc")?;
    if output.status.code().is_none() {
        bail!("the compiler was ended ({})", output.status);
    }
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
