//! Builds the warm environment with a progress bar, for the command line.

use crate::terminal::{ProgressLog, warn_user};
use anyhow::Result;
use environment::warm::{Orders, Progress};
use environment::{Cuda, Environment, Lab, Toolchain};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Builds the warm environment of a `lab`, unless it is already built.
pub fn build_environment(cuda: Option<&Cuda>, lab: &Lab) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let what: String = lab.features.iter().map(|feature| format!(" + {feature}")).collect();
    with_progress(&toolchain, cuda, &what, |orders| Environment::build(lab, orders)).map(drop)
}

/// Builds the warm environment, with `what` besides, and a progress bar, or lines in a log.
pub fn with_progress(
    toolchain: &Toolchain,
    cuda: Option<&Cuda>,
    what: &str,
    build: impl FnOnce(Orders) -> Result<Environment>,
) -> Result<Environment> {
    add_rust_sources(toolchain);
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{spinner} building the warm environment{msg} {wide_bar} {pos}/{len} crates, {elapsed}",
    )?);
    bar.set_message(what.to_owned());
    let mut log = ProgressLog::new();
    let mut report = |progress: &Progress| {
        log.report(format_args!("building the warm environment{what}: {progress}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        true
    };
    let variables = BTreeMap::new();
    let built = build(Orders { toolchain, cuda, offline: false, variables: &variables, report: &mut report });
    bar.finish_and_clear();
    built
}

/// Installs the sources of std, which completion reads. Everything else works without them.
fn add_rust_sources(toolchain: &Toolchain) {
    let sources = toolchain.sysroot().map(|sysroot| sysroot.join("lib/rustlib/src/rust/library"));
    if sources.is_ok_and(|sources| !sources.exists()) {
        let added = Command::new("rustup").args(["--quiet", "component", "add", "rust-src"]).status();
        if !added.is_ok_and(|status| status.success()) {
            warn_user!("Completion will not know std: `rustup component add rust-src` failed.");
        }
    }
}
