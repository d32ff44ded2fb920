//! Builds the warm environment with a progress bar, for the command line.

use crate::terminal::warn_user;
use anyhow::Result;
use environment::warm::Report;
use environment::{Cuda, Environment, Lab, Toolchain};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::Command;
use std::time::Duration;

/// Builds the warm environment of a `lab`, unless it is already built.
pub fn build_environment(cuda: Option<&Cuda>, lab: &Lab) -> Result<()> {
    let toolchain = Toolchain::find()?;
    with_progress(&toolchain, lab, |report| Environment::build(&toolchain, cuda, lab, report)).map(drop)
}

/// Runs a build of the warm environment, and shows its progress.
pub fn with_progress(
    toolchain: &Toolchain,
    lab: &Lab,
    build: impl FnOnce(Report) -> Result<Environment>,
) -> Result<Environment> {
    add_rust_sources(toolchain);
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{spinner} building the warm environment{msg} {wide_bar} {pos}/{len} crates, {elapsed}",
    )?);
    let features: String = lab.features.iter().map(|feature| format!(" + {feature}")).collect();
    bar.set_message(features);
    let mut report = |done: usize, total: usize| {
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let built = build(&mut report);
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
