//! `taper cache`: lists what has been compiled for notebooks, and removes what nobody uses.

use crate::terminal::say;
use anyhow::Result;
use environment::Toolchain;
use environment::cache::environments;
use environment::warm::stored::{self, Stored};
use std::process::ExitCode;
use std::time::Duration;

/// List what has been compiled for `:dep` lines, or by other versions of Rust and taper, with its size and last use
///
/// What a running kernel uses is never removed. The crates are compiled again when a notebook asks for them.
#[derive(clap::Args)]
pub struct Cache {
    /// Remove those that no kernel has used for this many days; 0 removes all that are not in use
    #[arg(long, value_name = "DAYS")]
    remove_unused: Option<u64>,
}

impl Cache {
    /// Lists them, or removes those that have not been used.
    pub fn run(&self) -> Result<ExitCode> {
        let environments = environments()?;
        if !environments.exists() {
            say!("Nothing has been compiled yet.")?;
            return Ok(ExitCode::SUCCESS);
        }
        for set in stored::stored(&environments, &Toolchain::find()?)? {
            match self.remove_unused {
                Some(days) if set.unused_for() >= Duration::from_secs(days * 24 * 60 * 60) => {
                    let done = if set.remove()? { "removed" } else { "kept, a kernel uses it" };
                    say!("{done}: {}", describe(&set))?;
                }
                _ => say!("{}", describe(&set))?,
            }
        }
        if self.remove_unused.is_some() {
            say!("{} of compiled crates were removed.", amount(stored::sweep(&environments)?))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(set: &Stored) -> String {
    let days = set.unused_for().as_secs() / (24 * 60 * 60);
    let last = match (set.is_in_use, days) {
        (true, _) => "in use".to_owned(),
        (false, 0) => "used today".to_owned(),
        (false, 1) => "unused for a day".to_owned(),
        (false, days) => format!("unused for {days} days"),
    };
    let what = match &set.lines {
        Some(lines) => lines.join(", "),
        None => "all that another version of Rust or taper has compiled".to_owned(),
    };
    format!("{:>9}, {last}: {what}", amount(set.size))
}

/// An amount of memory as people read it.
fn amount(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
