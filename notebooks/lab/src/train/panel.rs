//! The panel that shows a training live.

use super::history::{Epoch, History, Score};
use super::report::{self, Report, State};
use super::watch::{Watch, Weights};
use crate::live::{Live, Mode};
use crate::{Interrupted, check_interrupt};
use candle_core::backprop::GradStore;
use candle_core::{Result as CandleResult, Tensor};
use std::mem::take;
use std::time::{Duration, Instant};

/// The time between two redraws.
const INTERVAL: Duration = Duration::from_millis(250);
/// The same with a watched network, whose picture is larger.
const WATCHED_INTERVAL: Duration = Duration::from_millis(500);
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
    watch: Option<Watch>,
}

impl Panel {
    /// A panel for a training named `title` on the data set named `data`, of `epochs` epochs with so many steps each. The clock
    /// starts now.
    pub fn new(title: &str, data: &str, epochs: usize, steps_per_epoch: usize) -> Self {
        let start = Instant::now();
        let report = Report { title: format!("{title} ({data})"), epochs, steps_per_epoch };
        let history = History::default();
        Self {
            report,
            history,
            live: Live::new(INTERVAL),
            start,
            epoch_start: start,
            ended: None,
            watch: None,
        }
    }

    /// Shows the inside of the network too, as [`look`](Self::look) finds it: the filters of its first layer, the norm of each
    /// weight and of its gradient, and the feature maps and the probabilities of `digit` `[1, channels, height, width]`, whose
    /// values are 0 to 1. The filters are those of the first of `weights` whose shape is `[n, channels, h, w]` or
    /// `[n, channels * height * width]`. Of more than 64 maps, and of more than ten weights or classes, the first are shown. A bar
    /// is as long as its norm is in relation to the largest that this norm has in the pictures that are kept.
    ///
    /// # Errors
    /// When `digit` has another shape.
    pub fn watch(mut self, weights: &(impl Weights + ?Sized), digit: &Tensor) -> CandleResult<Self> {
        self.watch = Some(Watch::new(weights, digit)?);
        self.live = Live::new(WATCHED_INTERVAL);
        Ok(self)
    }

    /// Looks into the network if it is time, for a panel that is to [`watch`](Self::watch) it; does nothing for any other. It is
    /// time after the last step, and before that twice a second at most, so rarely that a look takes no more than a fortieth of
    /// the time. So a loop can call it after each [`step`](Self::step). `gradients` are those of that step. Only when it is time
    /// `inside` is called: with the digit, to return its feature maps `[1, n, height, width]` and its logits `[1, classes]`.
    ///
    /// In the end a player shows up to 40 looks of the whole training, and after an interrupt those up to then. Where output
    /// cannot change in place, only the last one is shown.
    ///
    /// ```
    /// use lab::candle_core::{DType, Device, Tensor};
    /// use lab::nn::{self, Module, Optimizer, VarBuilder, VarMap};
    /// use lab::train::Panel;
    ///
    /// let digits = lab::data::drawn_sized(0, 100, 1)?;
    /// let weights = VarMap::new();
    /// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    /// let block = nn::conv_block(1, 8, 3, 2, vb.pp("conv"))?;
    /// let dense = nn::linear(8 * 13 * 13, 10, vb.pp("dense"))?;
    /// let mut sgd = nn::SGD::new(weights.all_vars(), 0.1)?;
    ///
    /// let digit = digits.test.images(&Device::Cpu)?;
    /// let mut panel = Panel::new("Training", &digits.name, 1, 10).watch(&weights, &digit)?;
    /// let mut looks = 0;
    /// for batch in digits.train.batches(10, 1, &Device::Cpu) {
    ///     let (images, labels) = batch?;
    ///     let logits = dense.forward(&block.forward(&images)?.flatten_from(1)?)?;
    ///     let loss = lab::ops::cross_entropy(&logits, &labels)?;
    ///     let gradients = loss.backward()?;
    ///     sgd.step(&gradients)?;
    ///     panel.step(loss.to_scalar()?, lab::ops::accuracy(&logits, &labels)?)?;
    ///     panel.look(&gradients, |digit| {
    ///         looks += 1;
    ///         let maps = block.forward(digit)?;
    ///         let logits = dense.forward(&maps.flatten_from(1)?)?;
    ///         Ok((maps, logits))
    ///     })?;
    /// }
    /// assert_eq!(panel.finish().steps().len(), 10);
    /// // After the first step and after the last one, and in between if they took more than half a second.
    /// assert!((2..=10).contains(&looks));
    /// # Ok::<(), lab::anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `inside`, and when the feature maps have another shape.
    pub fn look(
        &mut self,
        gradients: &GradStore,
        inside: impl FnOnce(&Tensor) -> CandleResult<(Tensor, Tensor)>,
    ) -> CandleResult<()> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let steps = self.history.steps.len();
        let is_last = steps == self.report.epochs * self.report.steps_per_epoch;
        if is_last || watch.is_due(Instant::now()) {
            watch.look(Instant::now, report::moment(&self.history), gradients, inside)?;
        }
        Ok(())
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
            self.live = Live::new(if self.watch.is_some() { WATCHED_INTERVAL } else { INTERVAL });
            self.start += end.elapsed();
            self.epoch_start += end.elapsed();
        }
        Ok(())
    }

    fn draw(&mut self, state: State) {
        let in_place = self.in_place();
        let Self { report, history, live, start, watch, .. } = self;
        live.show(|| {
            let watched = watch.as_ref().map(|watch| match state {
                State::Finished | State::Interrupted | State::Stopped if in_place => watch.player(),
                _ => watch.drawn().to_string(),
            });
            let answer = watch.as_ref().and_then(Watch::answer);
            report.display(history, state, start.elapsed(), (&watched.unwrap_or_default(), answer))
        });
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
