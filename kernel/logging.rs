//! The log of the kernel, on standard error.

use std::env;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Says what is written: a level, such as `debug`, and perhaps levels for modules and for the crates that this program uses, as
/// in `info,taper::server=trace,zeromq=debug`.
const VARIABLE: &str = "TAPER_LOG";
/// The crates of this program, whose warnings are written by default.
const OWN: [&str; 3] = ["taper", "environment", "cell"];

/// Starts the log of this process.
pub fn start() {
    let chosen = env::var(VARIABLE).unwrap_or_default();
    let parsed = targets(&chosen);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Where standard error is closed there is nobody to tell that either.
        .log_internal_errors(false)
        .with_filter(parsed.clone().unwrap_or_else(|| own(LevelFilter::WARN)));
    tracing_subscriber::registry().with(log).init();
    if parsed.is_none() {
        tracing::warn!(
            "{VARIABLE} is `{chosen}`, which has another form than `debug` or `info,taper::server=trace`"
        );
    }
}

/// What the variable says, if that is understood.
fn targets(chosen: &str) -> Option<Targets> {
    if chosen.is_empty() {
        return Some(own(LevelFilter::WARN));
    }
    let chosen: Targets = chosen.parse().ok()?;
    Some(own(chosen.default_level().unwrap_or(LevelFilter::WARN)).with_targets(chosen))
}

fn own(level: LevelFilter) -> Targets {
    Targets::new().with_targets(OWN.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn warnings_of_this_program_are_written_unless_something_else_is_chosen() {
        for chosen in ["", "zeromq=debug"] {
            let targets = targets(chosen).unwrap();
            assert!(targets.would_enable("taper::server", &Level::WARN));
            assert!(targets.would_enable("environment::session_directory", &Level::WARN));
            assert!(!targets.would_enable("taper::server", &Level::INFO));
            assert!(!targets.would_enable("ra_ap_project_model", &Level::WARN));
            assert_eq!(targets.would_enable("zeromq", &Level::DEBUG), !chosen.is_empty());
        }
        let chosen = targets("info,taper::server=trace").unwrap();
        assert!(chosen.would_enable("taper::server", &Level::TRACE));
        assert!(chosen.would_enable("taper", &Level::INFO) && !chosen.would_enable("taper", &Level::DEBUG));
        assert!(!targets("off").unwrap().would_enable("taper", &Level::ERROR));
        assert!(targets("taper=loud").is_none());
    }
}
