//! Builds packages that depend on `lab`, with cargo.

use super::compiled::Crate;
use super::failure;
use crate::cuda::Cuda;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, Metadata, PackageId, Target, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{fmt, fs};

/// How often a build reports when cargo says nothing.
const INTERVAL: Duration = Duration::from_millis(500);

/// The progress of a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The number of crates that have been compiled.
    pub done: usize,
    /// The number of crates in total; 0 until it is known.
    pub total: usize,
    /// What cargo is doing now, such as `compiling serde, syn`.
    pub doing: String,
    /// Whether the same crates have been built before, with another version of Rust, taper or `lab`.
    pub again: bool,
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { done, total, doing, .. } = self;
        let crates = (*total > 0).then(|| format!("{done} of {total} crates"));
        let doing = (!doing.is_empty()).then(|| doing.clone());
        formatter.write_str(&crates.into_iter().chain(doing).collect::<Vec<_>>().join(", "))
    }
}

/// A callback that receives the progress of a build, and returns whether to go on.
pub type Report<'a> = &'a mut dyn FnMut(&Progress) -> bool;

/// The options of a build.
pub struct Orders<'a> {
    /// The toolchain to build with.
    pub toolchain: &'a Toolchain,
    /// CUDA, to build for GPUs as well.
    pub cuda: Option<&'a Cuda>,
    /// Whether cargo must not use the network.
    pub offline: bool,
    /// Environment variables for cargo, the compiler and build scripts.
    pub variables: &'a BTreeMap<String, String>,
    /// Receives the progress.
    pub report: Report<'a>,
}

/// What cargo has built.
pub struct Built {
    /// The shared library of `lab`.
    pub library: PathBuf,
    /// The folders of the native libraries that it needs, in the form of rustc's option `-L`.
    pub native: Vec<String>,
    /// All crates that were compiled, for the target or for the host.
    pub crates: Vec<Crate>,
    /// The direct dependencies of the package, by the names that code uses for them.
    pub direct: BTreeMap<String, PackageId>,
}

/// Builds the package in the folder `package`, with the target folder `target`.
///
/// # Errors
/// When a dependency cannot be downloaded or compiled (the error has cargo's message), or when the build is interrupted.
pub fn build(package: &Path, target: &Path, orders: &mut Orders) -> Result<Built> {
    let mut progress = Progress::default();
    let metadata = describe(package, target, orders, &mut progress)?;
    let resolve = metadata.resolve.context("the output of `cargo metadata` has no dependency graph")?;
    progress.total = resolve.nodes.len() - 1;
    let root = resolve.nodes.iter().find(|node| Some(&node.id) == resolve.root.as_ref());
    let root = root.context("the output of `cargo metadata` lacks the package")?;
    let direct: BTreeMap<_, _> =
        root.deps.iter().map(|dependency| (dependency.name.clone(), dependency.pkg.clone())).collect();
    // The crates that are left out of the list: cells are linked with the shared library of `lab`, and the other two are empty.
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
    let mut with_native = BTreeSet::new();
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
                        if !own.contains(&Some(&artifact.package_id)) {
                            let has_native = with_native.contains(&artifact.package_id);
                            crates.extend(Crate::of(&artifact, has_native));
                        }
                        done.insert(artifact.package_id);
                    }
                }
                Ok(Message::BuildScriptExecuted(script)) => {
                    if script.linked_libs.iter().any(|library| library.as_str().starts_with("static")) {
                        with_native.insert(script.package_id);
                    }
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

/// Runs `cargo metadata`, which resolves the versions and downloads the missing sources.
fn describe(package: &Path, target: &Path, orders: &mut Orders, progress: &mut Progress) -> Result<Metadata> {
    let mut command = orders.cargo(package);
    command.args(["metadata", "--format-version", "1", "--filter-platform", &orders.toolchain.host]);
    // Where cargo keeps what it knows of rustc, which it would ask for again.
    command.env("CARGO_TARGET_DIR", target).env("CARGO_BUILD_BUILD_DIR", target);
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

/// Writes cargo's output to a log file. A failure to write it is ignored.
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

/// Runs cargo; returns its standard error. Calls `look` with each line of output, and with `None` at intervals; when it returns
/// `false`, cargo is killed.
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
            bail!("the build was interrupted; the next one continues where it stopped");
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
