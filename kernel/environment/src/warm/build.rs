//! The build of an environment, by cargo.

use super::Report;
use super::home::Home;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Message, Target, TargetKind};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Stdio;

/// What cargo has built.
pub struct Built {
    /// The shared library of `lab`.
    pub library: PathBuf,
    /// The compiled crates that came from folders, as those in the folder of `lab`. The next `lab` may have others in the
    /// same files, but rustc looks for the very ones that the library was compiled with.
    pub crates: Vec<PathBuf>,
    /// Where the libraries of other languages are that it needs, in the form of the linker's option `-L`.
    pub native: Vec<String>,
}

/// Builds the package that [`Home::write_package`] has written.
pub fn build(home: &Home, toolchain: &Toolchain, report: Report) -> Result<Built> {
    let total = crates(home, toolchain)?;
    let (package, target) = (home.package(), home.target());
    let mut command = toolchain.cargo(&package);
    let mut rustflags = vec!["-Cprefer-dynamic".to_owned(), toolchain.rpath()?];
    if let Some(cuda) = &home.cuda {
        cuda.set(&mut command);
        rustflags.extend(cuda.rustflags());
    }
    command
        .args(["build", "--message-format=json-render-diagnostics", "--target", &toolchain.host])
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .stdout(Stdio::piped())
        .stderr(File::create(package.join("build.log"))?);
    let mut cargo = command.spawn().context("cannot run cargo")?;
    let mut done = BTreeSet::new();
    let (mut library, mut crates, mut native) = (None, Vec::new(), Vec::new());
    report(0, total);
    let output = BufReader::new(cargo.stdout.take().context("cargo has no output")?);
    for message in Message::parse_stream(output) {
        match message? {
            Message::CompilerArtifact(artifact) => {
                if artifact.target.name == "lab" {
                    library = artifact.filenames.into_iter().find(is_shared_library);
                } else if artifact.package_id.repr.starts_with("path+") && artifact.target.name != "warm" {
                    crates.extend(artifact.filenames.into_iter().map(Utf8PathBuf::into_std_path_buf));
                }
                if is_library(&artifact.target) {
                    done.insert(artifact.package_id);
                    report(done.len().min(total), total);
                }
            }
            Message::BuildScriptExecuted(script) => {
                native.extend(script.linked_paths.into_iter().map(String::from))
            }
            _ => {}
        }
    }
    if !cargo.wait()?.success() {
        let log = fs::read_to_string(package.join("build.log")).unwrap_or_default();
        bail!("the warm environment does not compile:\n{}", reason(&log));
    }
    if let Some(cuda) = &home.cuda {
        native.extend(cuda.link_folders().iter().map(|folder| format!("native={}", folder.display())));
    }
    let library = library.context("cargo built no shared library of `lab`")?.into_std_path_buf();
    Ok(Built { library, crates, native })
}

/// How many crates the environment consists of.
fn crates(home: &Home, toolchain: &Toolchain) -> Result<usize> {
    let mut command = toolchain.cargo(&home.package());
    command.args(["tree", "--edges", "normal,build", "--prefix", "none", "--target", &toolchain.host]);
    let output = command.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the dependencies cannot be had:\n{}", reason(&String::from_utf8_lossy(&output.stderr)));
    }
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(crates.len())
}

/// Whether this is what a crate is compiled for, rather than its build script.
fn is_library(target: &Target) -> bool {
    target.kind.iter().any(|kind| {
        matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::ProcMacro)
    })
}

fn is_shared_library(path: &Utf8PathBuf) -> bool {
    path.extension().is_some_and(|extension| extension == "so" || extension == "dylib")
}

/// The part of cargo's output from the first error on.
fn reason(log: &str) -> &str {
    log.find("error").map_or(log, |start| &log[start..]).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_was_busy_with_before_it_failed_is_left_out() {
        let log =
            "   Compiling one v1.0.0\n   Compiling two v1.0.0\nerror: no such thing\n  --> lib.rs:1:1\n\n";
        assert_eq!(reason(log), "error: no such thing\n  --> lib.rs:1:1");
        assert_eq!(reason("killed\n"), "killed");
    }
}
