//! Jupyter's own programs, for the tests: a virtual environment that is made once, and folders to work in.

use crate::support::{installed, root, taper};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The files that pin what is installed; each includes the one before.
const REQUIREMENTS: [&str; 3] =
    ["notebooks/requirements.txt", "deploy/requirements.txt", "tests/requirements.txt"];

/// Variables that say where Jupyter looks and writes.
const OWN_FOLDERS: [&str; 4] =
    ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"];

/// The environment's programs, in the cache next to the Jupyter of taper's own. `taper uninstall` removes both.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let mut digest = Sha256::new();
        REQUIREMENTS.iter().for_each(|file| digest.update(fs::read(root().join(file)).unwrap()));
        let digest: String = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let own = std::env::var_os("TAPER_CACHE").map(PathBuf::from);
        let cache = own.unwrap_or_else(|| dirs::cache_dir().unwrap().join("taper"));
        make_environment(&cache.join(format!("python-tests-{digest}")))
    })
}

/// Makes the environment unless it is there, even if several processes ask for it.
fn make_environment(folder: &Path) -> PathBuf {
    let (programs, complete) = (folder.join("bin"), folder.join("complete"));
    let cache = folder.parent().unwrap();
    fs::create_dir_all(cache).unwrap();
    // The lock is not in the folder itself, which venv empties.
    let lock = File::create(cache.join("tests.lock")).unwrap();
    lock.lock().unwrap();
    if !complete.exists() {
        say(&format!("installing Jupyter's clients for the tests in {}", folder.display()));
        step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
        let mut pip = Command::new(programs.join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        step(pip.arg(root().join(REQUIREMENTS[2])));
        fs::write(complete, "").unwrap();
    }
    programs
}

/// Runs a command, which must succeed.
pub fn step(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Prints a line even if the test passes, when cargo shows no other output.
pub fn say(text: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// One of the environment's programs.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.env("PYTHONNOUSERSITE", "1").stdin(Stdio::null());
    command
}

/// A folder in which Jupyter's programs find the kernel but nothing that belongs to the user.
pub struct Workplace {
    /// Has the folder to work in, and those that Jupyter writes to.
    folder: TempDir,
    path: PathBuf,
}

impl Workplace {
    pub fn new() -> Self {
        installed();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work");
        let jupyters = OWN_FOLDERS.map(|name| folder.path().join(name));
        jupyters.iter().chain([&path]).for_each(|folder| fs::create_dir(folder).unwrap());
        Self { folder, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One of the environment's programs, to be run in the folder.
    pub fn command(&self, name: &str) -> Command {
        self.at_home(program(name))
    }

    /// taper with Jupyter's folders.
    pub fn taper(&self) -> Command {
        self.at_home(taper())
    }

    /// A command in the folder, with Jupyter's folders.
    fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.path()).env("JUPYTER_PATH", installed());
        command.envs(OWN_FOLDERS.map(|name| (name, self.jupyters(name))));
        command
    }

    /// One of the folders that Jupyter writes to, by the variable that says so.
    pub fn jupyters(&self, variable: &str) -> PathBuf {
        self.folder.path().join(variable)
    }

    /// Runs a program; returns whether it succeeded, and what it wrote.
    pub fn run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let output = self.command(program).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Writes a notebook with these cells, the first of which is tagged `parameters`.
    pub fn write_notebook(&self, name: &str, cells: &[&str]) {
        let cells = cells.iter().enumerate().map(|(index, source)| {
            let metadata = if index == 0 { json!({ "tags": ["parameters"] }) } else { json!({}) };
            json!({ "cell_type": "code", "id": format!("cell-{index}"), "metadata": metadata, "source": source,
                "execution_count": null, "outputs": [] })
        });
        let notebook = json!({
            "cells": cells.collect::<Vec<_>>(),
            "metadata": { "kernelspec": { "name": "taper", "display_name": "Rust (taper)", "language": "rust" } },
            "nbformat": 4,
            "nbformat_minor": 5,
        });
        fs::write(self.path().join(name), notebook.to_string()).unwrap();
    }

    /// The outputs of a notebook in short, with the number of their cell.
    pub fn outputs(&self, name: &str) -> Vec<String> {
        let notebook = fs::read_to_string(self.path().join(name)).unwrap();
        let notebook: Value = serde_json::from_str(&notebook).unwrap();
        let cells = notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
        let outputs = cells.flat_map(|cell| {
            let count = &cell["execution_count"];
            cell["outputs"].as_array().unwrap().iter().map(move |output| format!("{count} {}", short(output)))
        });
        outputs.collect()
    }
}

fn short(output: &Value) -> String {
    match output["output_type"].as_str().unwrap() {
        "stream" => format!("{}: {}", output["name"].as_str().unwrap(), text(&output["text"])),
        "execute_result" => {
            format!("result {}: {}", output["execution_count"], text(&output["data"]["text/plain"]))
        }
        "error" => format!("error {}: {}", text(&output["ename"]), text(&output["evalue"])),
        kind => {
            let mut types: Vec<&str> =
                output["data"].as_object().unwrap().keys().map(String::as_str).collect();
            types.sort_unstable();
            format!("{kind} {}", types.join(" "))
        }
    }
}

/// Text as notebooks have it: whole, or a list of lines.
fn text(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().map(text).collect(),
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}
