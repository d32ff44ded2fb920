//! Builds of packages that depend on `lab`, by cargo.

use super::compiled::Crate;
use super::failure;
use crate::cuda::Cuda;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, Metadata, PackageId, Target, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often a build reports when cargo says nothing.
const INTERVAL: Duration = Duration::from_millis(500);

/// How far a build is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Crates that are compiled.
    pub done: usize,
    /// Crates in total; 0 until that is known.
    pub total: usize,
    /// What cargo is doing, such as `compiling serde, syn`.
    pub doing: String,
}

/// Is told how far a build is; returns whether to go on.
pub type Report<'a> = &'a mut dyn FnMut(&Progress) -> bool;

/// How to build.
pub struct Orders<'a> {
    /// What to build with.
    pub toolchain: &'a Toolchain,
    /// What to build for, if not the processor alone.
    pub cuda: Option<&'a Cuda>,
    /// Whether cargo must do without a network.
    pub offline: bool,
    /// Variables for cargo, the compiler and build scripts.
    pub variables: &'a BTreeMap<String, String>,
    /// Who is told how far it is.
    pub report: Report<'a>,
}

/// What cargo has built.
pub struct Built {
    /// The shared library of `lab`.
    pub library: PathBuf,
    /// Where the libraries of other languages are that it needs, in the form of the linker's option `-L`.
    pub native: Vec<String>,
    /// Everything that was compiled, for cells or for the compiler of cells.
    pub crates: Vec<Crate>,
    /// What code calls the crates that the package itself depends on, with the packages they are from.
    pub direct: BTreeMap<String, PackageId>,
}

/// Builds a package that depends on `lab`.
pub fn build(package: &Path, target: &Path, orders: &mut Orders) -> Result<Built> {
    let mut progress = Progress::default();
    let metadata = describe(package, orders, &mut progress)?;
    let resolve = metadata.resolve.context("cargo has resolved nothing")?;
    progress.total = resolve.nodes.len() - 1;
    let root = resolve.nodes.iter().find(|node| Some(&node.id) == resolve.root.as_ref());
    let root = root.context("cargo has left out the package")?;
    let direct: BTreeMap<_, _> =
        root.deps.iter().map(|dependency| (dependency.name.clone(), dependency.pkg.clone())).collect();
    // Cells are linked with the shared library of `lab`, and the others are empty.
    let own = [Some(&root.id), direct.get("lab"), direct.get("taper_common")];

    let mut command = orders.cargo(package);
    let mut rustflags = vec!["-Cprefer-dynamic".to_owned(), orders.toolchain.rpath()?];
    if let Some(cuda) = orders.cuda {
        cuda.configure(&mut command);
        rustflags.extend(cuda.rustflags());
    }
    command
        .args(["build", "--message-format=json-render-diagnostics", "--target", &orders.toolchain.host])
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_BUILD_BUILD_DIR", target);
    let (mut library, mut native, mut crates) = (None, Vec::new(), Vec::new());
    let (mut done, mut compiling) = (BTreeSet::new(), Vec::new());
    let log = run(command, |line| {
        match line {
            None => {}
            Some(Line::Output(text)) => match serde_json::from_str(text) {
                Ok(Message::CompilerArtifact(artifact)) => {
                    compiling.retain(|name| *name != artifact.target.name.replace('_', "-"));
                    if artifact.target.name == "lab" {
                        library = artifact.filenames.iter().find(|path| is_shared_library(path)).cloned();
                    }
                    if is_library(&artifact.target) {
                        crates.extend(
                            Crate::of(&artifact).filter(|_| !own.contains(&Some(&artifact.package_id))),
                        );
                        done.insert(artifact.package_id);
                    }
                }
                Ok(Message::BuildScriptExecuted(script)) => {
                    native.extend(script.linked_paths.into_iter().map(String::from))
                }
                _ => {}
            },
            Some(Line::Error(text)) => {
                if let Some(name) = text.trim_start().strip_prefix("Compiling ") {
                    compiling.push(name.split(' ').next().unwrap_or_default().replace('_', "-"));
                }
            }
        }
        progress.done = done.len().min(progress.total);
        progress.doing =
            if compiling.is_empty() { String::new() } else { format!("compiling {}", compiling.join(", ")) };
        (orders.report)(&progress)
    });
    write_log(package, &log);
    log?;
    if let Some(cuda) = orders.cuda {
        native.extend(cuda.link_folders().iter().map(|folder| format!("native={}", folder.display())));
    }
    let library = library.context("cargo built no shared library of `lab`")?.into_std_path_buf();
    Ok(Built { library, native, crates, direct })
}

/// Has cargo choose the versions, and download what is not there yet.
fn describe(package: &Path, orders: &mut Orders, progress: &mut Progress) -> Result<Metadata> {
    let mut command = orders.cargo(package);
    command.args(["metadata", "--format-version", "1", "--filter-platform", &orders.toolchain.host]);
    let mut described = String::new();
    let log = run(command, |line| {
        match line {
            None => {}
            Some(Line::Output(text)) => described.push_str(text),
            Some(Line::Error(text)) => progress.doing = text.trim().to_lowercase(),
        }
        (orders.report)(progress)
    });
    write_log(package, &log);
    log?;
    Ok(serde_json::from_str(&described)?)
}

/// Where cargo's words can be read later. That they cannot be written is no reason to fail.
fn write_log(package: &Path, log: &Result<String>) {
    let text = log.as_ref().map_or_else(|error| format!("{error:#}"), String::clone);
    let _ = fs::write(package.join("build.log"), text);
}

impl Orders<'_> {
    fn cargo(&self, package: &Path) -> Command {
        let mut command = self.toolchain.cargo(package);
        command.envs(self.variables);
        if self.offline {
            command.env("CARGO_NET_OFFLINE", "true");
        }
        command
    }
}

/// A line of what a program prints.
enum Line<'a> {
    Output(&'a str),
    Error(&'a str),
}

/// Runs cargo; returns what it says on standard error. `look` is given each line, and nothing now and then; the program is
/// ended when it returns `false`.
fn run(mut command: Command, mut look: impl FnMut(Option<Line>) -> bool) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut cargo = command.spawn().context("cannot run cargo")?;
    let (send, lines) = mpsc::channel();
    let output = cargo.stdout.take().context("cargo has no output")?;
    let errors = cargo.stderr.take().context("cargo has no output")?;
    let to_main = send.clone();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| _ = to_main.send((true, line)));
    });
    std::thread::spawn(move || {
        BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| _ = send.send((false, line)));
    });
    let mut log = String::new();
    loop {
        let go_on = match lines.recv_timeout(INTERVAL) {
            Ok((true, line)) => look(Some(Line::Output(&line))),
            Ok((false, line)) => {
                log.push_str(&line);
                log.push('\n');
                look(Some(Line::Error(&line)))
            }
            Err(RecvTimeoutError::Timeout) => look(None),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if !go_on {
            crate::processes::end_descendants(cargo.id(), &[]);
            let _ = cargo.kill();
            let _ = cargo.wait();
            bail!("the build was interrupted; the next one goes on where it was");
        }
    }
    if !cargo.wait()?.success() {
        bail!("{}", failure::reason(&log));
    }
    Ok(log)
}

/// Whether this is the library of a crate, rather than its build script.
fn is_library(target: &Target) -> bool {
    target.kind.iter().any(|kind| {
        matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::ProcMacro)
    })
}

fn is_shared_library(path: &cargo_metadata::camino::Utf8PathBuf) -> bool {
    path.extension().is_some_and(|extension| extension == "so" || extension == "dylib")
}
