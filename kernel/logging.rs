//! Writes the log of the program to standard error.

use std::env;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// The variable that selects what is written: a level for the program such as `debug`, and levels for single modules and for
/// other crates, as in `info,wire::server=trace,zeromq=debug`.
const VARIABLE: &str = "TAPER_LOG";
/// The crates of this program, whose warnings are written by default.
const OWN: [&str; 5] = ["taper", "cell", "engine", "environment", "wire"];

/// Starts the log of this process.
pub fn start() {
    let chosen = env::var(VARIABLE).unwrap_or_default();
    let parsed = targets(&chosen);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // If standard error is closed, errors of the log cannot be reported either.
        .log_internal_errors(false)
        .with_filter(parsed.clone().unwrap_or_else(|| own(LevelFilter::WARN)));
    tracing_subscriber::registry().with(log).init();
    if parsed.is_none() {
        tracing::warn!(
            "ignored {VARIABLE}: `{chosen}` is not of the form `debug` or `info,wire::server=trace`"
        );
    }
}

/// The crates and levels that the variable selects. `None` if it cannot be parsed.
fn targets(chosen: &str) -> Option<Targets> {
    if chosen.is_empty() {
        return Some(own(LevelFilter::WARN));
    }
    let chosen: Targets = chosen.parse().ok()?;
    Some(own(chosen.default_level().unwrap_or(LevelFilter::WARN)).with_targets(chosen))
}

/// The crates of this program at one level.
fn own(level: LevelFilter) -> Targets {
    Targets::new().with_targets(OWN.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_crates_of_this_program_are_those_of_its_workspace() {
        let manifest: toml::Table = toml::from_str(include_str!("../Cargo.toml")).unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let local = dependencies.iter().filter(|(_, dependency)| dependency.get("path").is_some());
        let mut crates: Vec<&str> = local.map(|(name, _)| name.as_str()).chain(["taper"]).collect();
        crates.sort();
        let mut own = OWN;
        own.sort();
        assert_eq!(crates, own);
    }

    #[test]
    fn warnings_of_this_program_are_written_unless_something_else_is_chosen() {
        for chosen in ["", "zeromq=debug"] {
            let targets = targets(chosen).unwrap();
            assert!(targets.would_enable("wire::server", &Level::WARN));
            assert!(targets.would_enable("environment::session_directory", &Level::WARN));
            assert!(!targets.would_enable("wire::server", &Level::INFO));
            assert!(!targets.would_enable("ra_ap_project_model", &Level::WARN));
            assert_eq!(targets.would_enable("zeromq", &Level::DEBUG), !chosen.is_empty());
        }
        let chosen = targets("info,wire::server=trace").unwrap();
        assert!(chosen.would_enable("wire::server", &Level::TRACE));
        assert!(chosen.would_enable("taper", &Level::INFO) && !chosen.would_enable("taper", &Level::DEBUG));
        assert!(!targets("off").unwrap().would_enable("taper", &Level::ERROR));
        assert!(targets("taper=loud").is_none());
    }
}
