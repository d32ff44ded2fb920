//! Shows the progress of a build in the output of the cell that waits for it.

use environment::Lab;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use uuid::Uuid;
use wire::{IoPub, Output};

/// Shorter builds are not shown.
const PATIENCE: Duration = Duration::from_secs(2);
/// A build with no more crates left than this is not shown: `lab` itself is compiled in seconds.
const FEW: usize = 2;

/// A line with the progress of a build, which is updated in place. Its last state stays in the notebook.
pub struct BuildDisplay {
    iopub: IoPub,
    id: String,
    what: String,
    start: Instant,
    shown: bool,
}

impl BuildDisplay {
    /// Starts the clock. Nothing is shown yet.
    pub fn new(iopub: &IoPub, lab: &Lab) -> Self {
        let features: Vec<&str> = lab.features.iter().map(String::as_str).collect();
        let what = match features.is_empty() {
            true => "the crates of `lab`".to_owned(),
            false => format!("the crates of `lab` with {}", features.join(" and ")),
        };
        let id = Uuid::new_v4().to_string();
        Self { iopub: iopub.clone(), id, what, start: Instant::now(), shown: false }
    }

    /// Reports the progress: crates done, and crates in total.
    pub fn report(&mut self, done: usize, total: usize) {
        if let Some(text) = self.progress(done, total) {
            self.show(&text);
        }
    }

    /// Reports that the build is complete.
    pub fn finish(&mut self) {
        if self.shown {
            self.show(&format!(
                "Built {} in {}. Notebooks that use them now start at once.",
                self.what,
                self.time()
            ));
        }
    }

    /// The text to show, unless the build is too short to be shown.
    fn progress(&self, done: usize, total: usize) -> Option<String> {
        let is_shown = self.shown || (self.start.elapsed() > PATIENCE && total - done > FEW);
        let (what, time) = (&self.what, self.time());
        is_shown.then(|| {
            format!(
                "Building {what}, once for all notebooks: {done} of {total} in {time}. This takes minutes."
            )
        })
    }

    fn time(&self) -> String {
        let seconds = self.start.elapsed().as_secs();
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    }

    fn show(&mut self, text: &str) {
        let data = Map::from_iter([("text/plain".to_owned(), Value::from(text))]);
        let (display_id, metadata) = (Some(self.id.clone()), Map::new());
        self.iopub.output(Output::Display { data, metadata, display_id, update: self.shown });
        self.shown = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_build_is_shown_and_a_short_one_is_not() {
        let lab = Lab::embedded().with(["burn".to_owned()].into());
        let mut display = BuildDisplay::new(&IoPub::new().0, &lab);
        assert_eq!(display.progress(0, 300), None, "begun just now");
        display.start -= Duration::from_secs(75);
        assert_eq!(display.progress(298, 300), None, "as good as done");
        let text = "Building the crates of `lab` with burn, once for all notebooks: 20 of 300 in 1:15 min. This takes minutes.";
        assert_eq!(display.progress(20, 300).as_deref(), Some(text));
        display.report(20, 300);
        assert!(display.progress(299, 300).is_some(), "once it is shown, it is shown to the end");
    }
}
