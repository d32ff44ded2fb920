//! `taper doctor`: checks everything that taper needs, and says how to fix what is missing.

mod data;

use super::exit_code;
use crate::kernelspec;
use crate::packages::JUPYTER;
use crate::terminal::say;
use anyhow::{Result, ensure};
use environment::cache::cache;
use environment::{Cuda, Environment, SharedInstall, Toolchain};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The oldest Rust that compiles cells and `lab`.
const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");
/// The space that the warm environment with Burn and the sessions need, in bytes.
const NEEDED_SPACE: u64 = 3 << 30;

/// The result of a check.
#[derive(Debug, PartialEq)]
enum Finding {
    Good(String),
    /// It is missing, but taper works without it.
    Absent(String),
    /// What is wrong, and what to do about it.
    Bad(String),
}
use Finding::{Absent, Bad, Good};

/// Check everything that taper needs, and say how to fix what is missing
///
/// Checks Rust, the linker, the warm environment, the kernel's registration, Jupyter, the data, the GPU and the disk space.
/// The exit code is 1 if something is missing that taper needs.
#[derive(clap::Args)]
pub struct Doctor;

impl Doctor {
    /// Prints a line for each check.
    pub fn run(&self) -> Result<ExitCode> {
        let toolchain = Toolchain::find();
        let findings = [
            ("Rust", toolchain.as_ref().map_or_else(|error| Bad(format!("{error:#}")), rust)),
            ("linker", linker()),
            ("environment", toolchain.as_ref().map_or_else(|_| Bad("needs Rust".into()), environment)),
            ("kernel", kernel()),
            ("Jupyter", jupyter()),
            ("digits", data::digits()),
            ("pictures", data::pictures()),
            ("networks", data::networks()),
            ("GPU", gpu()),
            ("disk", disk(&cache()?)),
        ];
        for (name, finding) in &findings {
            let (mark, text) = match finding {
                Good(text) => ("ok  ", text),
                Absent(text) => ("--  ", text),
                Bad(text) => ("BAD ", text),
            };
            say!("{mark}{name:<12} {text}")?;
        }
        Ok(exit_code(!findings.iter().any(|(_, finding)| matches!(finding, Bad(_)))))
    }
}

fn rust(toolchain: &Toolchain) -> Finding {
    let version = toolchain.version.lines().next().unwrap_or_default();
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    match is_older(number, OLDEST_RUST) {
        true => Bad(format!("{version} is older than {OLDEST_RUST}: run `rustup update`")),
        false => Good(format!("{version} for {}", toolchain.host)),
    }
}

/// Compares versions such as `1.95.0`.
fn is_older(version: &str, oldest: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
    };
    numbers(version) < numbers(oldest)
}

fn linker() -> Finding {
    match first_line(Command::new("cc").arg("--version")) {
        Some(version) => Good(version),
        None => Bad(
            "there is no `cc`, which Rust links with: install build-essential (Debian, Ubuntu), gcc (other Linux) or, on \
             macOS, run `xcode-select --install`"
                .into(),
        ),
    }
}

fn environment(toolchain: &Toolchain) -> Finding {
    match Environment::open(toolchain, None) {
        Ok(environment) => {
            let library = environment.lab_library();
            let is_shared =
                SharedInstall::current().is_some_and(|shared| library.starts_with(shared.folder()));
            let whose = if is_shared { " for all users" } else { "" };
            Good(format!("built{whose}: {}", library.display()))
        }
        Err(error) => Bad(format!("{error:#}")),
    }
}

/// Checks the kernelspec that Jupyter finds first.
fn kernel() -> Finding {
    let Some(kernelspec) = kernelspec::registered() else {
        return Absent(
            "not registered with Jupyter: run `taper install`, or use `taper lab`, which needs no registration"
                .into(),
        );
    };
    let text = fs::read_to_string(&kernelspec).unwrap_or_default();
    let parsed: Value = serde_json::from_str(&text).unwrap_or_default();
    match parsed["argv"][0].as_str().map(Path::new) {
        Some(program) if program.exists() => Good(format!("registered: {}", kernelspec.display())),
        Some(program) => Bad(format!(
            "{} names the program {}, which does not exist: run `taper install` again",
            kernelspec.display(),
            program.display()
        )),
        None => Bad(format!("{} is damaged: run `taper install` again", kernelspec.display())),
    }
}

fn jupyter() -> Finding {
    let version = "import jupyterlab; print('JupyterLab', jupyterlab.__version__)";
    match JUPYTER.found() {
        Ok(Some(python)) => {
            let version = first_line(Command::new(&python).args(["-c", version])).unwrap_or_default();
            Good(format!("{version}, in {}", python.display()))
        }
        Ok(None)
            if first_line(Command::new("python3").args(["-c", "import venv, ensurepip; print()"]))
                .is_some() =>
        {
            Absent("not installed: `taper lab` and `taper run` install it for taper alone".into())
        }
        Ok(None) => Bad(
            "not installed, and taper cannot install it without Python 3 and its module venv: install python3 and \
             python3-venv"
                .into(),
        ),
        Err(error) => Bad(format!("{error:#}")),
    }
}

fn gpu() -> Finding {
    match Cuda::find(true) {
        Ok(cuda) => Good(format!("{}: `taper install --cuda` builds the kernel for it", cuda.describe())),
        Err(error) => {
            // The message is a heading, and a line for each missing part.
            let text = format!("{error:#}");
            let reason = text.lines().nth(1).unwrap_or(&text).trim_start_matches(['-', ' ']);
            Absent(format!("notebooks use the CPU: {reason}"))
        }
    }
}

fn disk(cache: &Path) -> Finding {
    let Some(present) = cache.ancestors().find(|folder| folder.exists()) else {
        return Bad(format!("{} cannot be created", cache.display()));
    };
    match free(present) {
        Ok(free) if free < NEEDED_SPACE => Bad(format!(
            "{:.1} GiB free in {}, but builds and sessions may need {}: free some space, or set TAPER_CACHE to another folder",
            gibibytes(free),
            present.display(),
            gibibytes(NEEDED_SPACE)
        )),
        Ok(free) => Good(format!("{:.0} GiB free in {}", gibibytes(free), present.display())),
        Err(error) => Bad(format!("{}: {error:#}", present.display())),
    }
}

fn free(folder: &Path) -> Result<u64> {
    let system = rustix::fs::statvfs(folder)?;
    ensure!(system.f_frsize > 0, "the file system does not report its free space");
    Ok(system.f_bavail * system.f_frsize)
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// The first line that a command prints. `None` if it fails.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("1.94.1", "1.95") && is_older("1.9.0", "1.95"));
        assert!(
            !is_older("1.95.0", "1.95") && !is_older("1.100.0-nightly", "1.95") && !is_older("2.0", "1.95")
        );
    }

    #[test]
    fn a_disk_is_looked_for_where_the_folder_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let finding = disk(&folder.path().join("not/yet/there"));
        let (Good(text) | Bad(text)) = finding else { panic!("{finding:?}") };
        assert!(text.contains(&folder.path().display().to_string()), "{text}");
    }
}
