//! The panel that shows a training live.

use super::history::{Epoch, History, Score};
use super::report::{Report, State};
use crate::live::{Live, Mode};
use crate::{Interrupted, check_interrupt};
use std::mem::take;
use std::time::{Duration, Instant};

/// The time between two redraws.
const INTERVAL: Duration = Duration::from_millis(250);
/// Where nothing can be redrawn, a line is written after so many steps, or after a tenth of an epoch if that is more.
const LINE_STEPS: usize = 50;

/// Shows a training while it runs: the curves of loss and accuracy, how far it is, how fast, and how long it will still take,
/// in one output that changes in place. A loop reports each of its steps and epochs:
///
/// ```
/// # fn train_on_batch() -> (f32, f32) { (0.5, 0.9) }
/// # fn main() -> lab::Result<()> {
/// let mut panel = lab::train::Panel::new("Training", "MNIST", 2, 3);
/// for epoch in 0..2 {
///     for batch in 0..3 {
///         let (loss, accuracy) = train_on_batch();
///         panel.step(loss, accuracy)?;
///     }
///     panel.epoch(None)?;
/// }
/// let history = panel.finish();
/// assert_eq!((history.epochs().len(), history.steps().len()), (2, 6));
/// assert_eq!(history.epochs()[1].training.loss, 0.5);
/// # Ok(())
/// # }
/// ```
///
/// Where output cannot change in place, it writes lines instead, and shows the curves at the end. If it is dropped before
/// [`finish`](Self::finish), because an error or an interrupt ends the cell, it says so.
pub struct Panel {
    report: Report,
    history: History,
    live: Live,
    start: Instant,
    /// When the current epoch began.
    epoch_start: Instant,
    /// When the last state was drawn.
    ended: Option<Instant>,
}

impl Panel {
    /// A panel for a training named `title` on the data set named `data`, of `epochs` epochs with so many steps each. The clock
    /// starts now.
    pub fn new(title: &str, data: &str, epochs: usize, steps_per_epoch: usize) -> Self {
        let start = Instant::now();
        let report = Report { title: format!("{title} ({data})"), epochs, steps_per_epoch };
        let history = History::default();
        Self { report, history, live: Live::new(INTERVAL), start, epoch_start: start, ended: None }
    }

    /// Reports a step: its loss, and its accuracy from 0 to 1, both on its batch. Values that are not finite are kept in the
    /// history, left out of the curves, and pointed out.
    ///
    /// # Errors
    /// When the user has interrupted the cell.
    pub fn step(&mut self, loss: f32, accuracy: f32) -> Result<(), Interrupted> {
        self.history.steps.push(Score { loss, accuracy });
        self.check_interrupt()?;
        let step = self.history.of_epoch().len();
        match self.in_place() {
            true if self.live.is_due(Instant::now()) => self.draw(State::Running),
            false if step.is_multiple_of(LINE_STEPS.max(self.report.steps_per_epoch / 10)) => self.line(),
            _ => {}
        }
        Ok(())
    }

    /// Reports the end of an epoch, with the score on the validation images if there is one.
    ///
    /// # Errors
    /// When the user has interrupted the cell.
    pub fn epoch(&mut self, validation: Option<Score>) -> Result<(), Interrupted> {
        let (last_step, training) = (self.history.steps.len(), Score::mean(self.history.of_epoch()));
        let seconds = self.epoch_start.elapsed().as_secs_f64();
        self.epoch_start = Instant::now();
        self.history.epochs.push(Epoch { last_step, training, validation, seconds });
        self.check_interrupt()?;
        match self.in_place() {
            true => self.draw(State::Running),
            false => self.line(),
        }
        Ok(())
    }

    /// What has been reported so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Draws the last state and returns what has been reported.
    pub fn finish(mut self) -> History {
        self.end(State::Finished);
        take(&mut self.history)
    }

    fn in_place(&self) -> bool {
        matches!(self.live.mode, Mode::Display(_))
    }

    /// Draws at once when the user has interrupted. A panel may outlive its cell and go on in another one, where it needs an
    /// output of its own.
    fn check_interrupt(&mut self) -> Result<(), Interrupted> {
        check_interrupt().inspect_err(|_| self.end(State::Interrupted))?;
        if let Some(end) = self.ended.take() {
            self.live = Live::new(INTERVAL);
            self.start += end.elapsed();
            self.epoch_start += end.elapsed();
        }
        Ok(())
    }

    fn draw(&mut self, state: State) {
        let Self { report, history, live, start, .. } = self;
        live.show(|| report.display(history, state, start.elapsed()));
    }

    fn line(&mut self) {
        if !self.live.shown {
            self.live.line(&self.report.title, false);
        }
        let line = self.report.line(&self.history, self.start.elapsed());
        self.live.line(&line, false);
    }

    fn end(&mut self, state: State) {
        if self.ended.is_none() && !self.history.steps.is_empty() {
            self.draw(state);
        }
        self.ended.get_or_insert_with(Instant::now);
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.end(if check_interrupt().is_err() { State::Interrupted } else { State::Stopped });
    }
}
