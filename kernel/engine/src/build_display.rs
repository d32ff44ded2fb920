//! The progress of a build, in the output of the cell that waits for it.

use environment::warm::Progress;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use uuid::Uuid;
use wire::{IoPub, Output};

/// The key in the metadata of such a display, by which `taper run` knows it.
pub const BUILD: &str = "taper_build";
/// Shorter builds are not shown.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the display is updated.
const INTERVAL: Duration = Duration::from_secs(1);

/// A line with the progress of a build, updated in place. Its final text stays in the notebook.
pub struct BuildDisplay {
    iopub: IoPub,
    id: String,
    what: String,
    start: Instant,
    shown: Option<Instant>,
}

impl BuildDisplay {
    /// A display of the build of `what`. Shows nothing yet.
    pub fn new(iopub: &IoPub, what: &str) -> Self {
        let id = Uuid::new_v4().to_string();
        Self { iopub: iopub.clone(), id, what: what.to_owned(), start: Instant::now(), shown: None }
    }

    /// Shows the progress, if the last update is long enough ago.
    pub fn report(&mut self, progress: &Progress) {
        let is_due = match self.shown {
            None => self.start.elapsed() > PATIENCE,
            Some(shown) => shown.elapsed() > INTERVAL,
        };
        if is_due {
            self.show(&self.line(progress));
        }
    }

    /// Shows that the build is complete, if its progress was shown.
    pub fn finish(&mut self) {
        if self.shown.is_some() {
            self.show(&format!(
                "Built {} in {}. From now on, notebooks use it without a build.",
                self.what,
                self.time()
            ));
        }
    }

    fn line(&self, progress: &Progress) -> String {
        let why = if progress.again {
            " again, because Rust, taper or `lab` has changed"
        } else {
            ", once for all notebooks"
        };
        let (what, time) = (&self.what, self.time());
        format!("Building {what}{why}: {time}, {progress}").trim_end_matches(", ").to_owned()
    }

    fn time(&self) -> String {
        let seconds = self.start.elapsed().as_secs();
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    }

    fn show(&mut self, text: &str) {
        let data = Map::from_iter([("text/plain".to_owned(), Value::from(text))]);
        let metadata = Map::from_iter([(BUILD.to_owned(), true.into())]);
        let display_id = Some(self.id.clone());
        self.iopub.output(Output::Display { data, metadata, display_id, update: self.shown.is_some() });
        self.shown = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_build_is_shown_and_a_short_one_is_not() {
        let mut display = BuildDisplay::new(&IoPub::new().0, "polars");
        let progress = Progress { done: 20, total: 300, doing: "compiling arrow".into(), again: false };
        display.report(&progress);
        assert_eq!(display.shown, None, "the build has just begun");
        display.start -= Duration::from_secs(75);
        let text = "Building polars, once for all notebooks: 1:15 min, 20 of 300 crates, compiling arrow";
        assert_eq!(display.line(&progress), text);
        let begun = Progress { doing: "updating crates.io index".into(), ..Progress::default() };
        assert_eq!(
            display.line(&begun),
            "Building polars, once for all notebooks: 1:15 min, updating crates.io index"
        );
        let again = Progress { again: true, ..begun };
        assert_eq!(
            display.line(&again),
            "Building polars again, because Rust, taper or `lab` has changed: 1:15 min, updating crates.io index"
        );
        display.report(&progress);
        assert!(display.shown.is_some());
    }
}
