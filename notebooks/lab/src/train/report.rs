use super::history::{History, Score};
use crate::display::Display;
use crate::plot::{self, Curve, escape};
use crate::{pace, progress};
use std::time::Duration;

/// Points of a curve at most; where there are more steps, each is the mean of some of them.
const POINTS: usize = 200;
/// Steps whose mean is the current score.
const RECENT: usize = 50;

/// Puts a training into pictures and words.
pub struct Report {
    /// With the name of the data set.
    pub title: String,
    pub epochs: usize,
    pub steps_per_epoch: usize,
}

/// Whether it still goes on, or how it has ended.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    Running,
    Finished,
    Interrupted,
    Stopped,
}

impl Report {
    /// Curves, and below them what there is to say.
    pub fn display(&self, history: &History, state: State, time: Duration) -> Display {
        let (place, score) = (self.place(history), score(history));
        let pace = self.pace(history, state, time);
        let bad = bad_losses(history);
        let text = [Some(place.clone()), Some(score.clone()), Some(pace.clone()), bad.clone()];
        let text = format!("{}: {}", self.title, text.into_iter().flatten().collect::<Vec<_>>().join("; "));
        let bar = progress::bar(self.done(history), self.total());
        let curves = self.curves(history, state);
        let mut html = format!("{curves}<div>{bar} {place}, {pace}</div><div>{score}</div>");
        if let Some(bad) = bad {
            html += &format!("<div><b>{bad}</b></div>");
        }
        Display::html(&html).alt(&text)
    }

    /// One line for a place where nothing can be redrawn.
    pub fn line(&self, history: &History, time: Duration) -> String {
        let done = match history.epochs().last() {
            Some(epoch) if history.of_epoch().is_empty() => {
                let validation = epoch.validation.map(|score| format!("; validation {score}"));
                format!("mean {}{}", epoch.training, validation.unwrap_or_default())
            }
            _ => score(history),
        };
        let bad = bad_losses(history).map(|bad| format!("; {bad}")).unwrap_or_default();
        format!("{}: {done}; {}{bad}", self.place(history), self.pace(history, State::Running, time))
    }

    /// The curves as HTML. Nobody wants a training to fail because it cannot be drawn.
    fn curves(&self, history: &History, state: State) -> String {
        let curves = |value: fn(Score) -> f32| {
            let validation = history
                .epochs()
                .iter()
                .filter_map(|epoch| Some((epoch.last_step as f64, f64::from(value(epoch.validation?)))));
            let validation: Vec<_> = validation.collect();
            let mut curves = vec![Curve::at("training", &thinned(&history.steps, value))];
            if !validation.is_empty() {
                curves.push(Curve::at("validation", &validation));
            }
            curves
        };
        // The curves grow into the room that the whole training will need.
        let steps = history.steps().len();
        let end = if state == State::Running { steps.max(self.total()) } else { steps };
        let charts =
            [("loss", curves(|score| score.loss)), ("accuracy in %", curves(|score| 100.0 * score.accuracy))];
        let picture = plot::pair(&self.title, &self.alt(history), ("step", 0.0..end as f64), charts);
        match &picture {
            Ok(picture) => picture.content("text/html").unwrap_or_default().to_string(),
            Err(error) => format!("<div>{}</div>", escape(&format!("{error:#}"))),
        }
    }

    /// `Training (MNIST), 469 steps: loss from 2.3026 to 0.1522, accuracy from 10.94 % to 96.88 %`
    fn alt(&self, history: &History) -> String {
        let mut alt = format!("{}, {} steps", self.title, history.steps().len());
        let losses = thinned(&history.steps, |score| score.loss);
        if let [(_, first), .., (_, last)] = losses[..] {
            alt += &format!(", loss from {first:.4} to {last:.4}");
        }
        let accuracies = thinned(&history.steps, |score| 100.0 * score.accuracy);
        if let [(_, first), .., (_, last)] = accuracies[..] {
            alt += &format!(", accuracy from {first:.2} % to {last:.2} %");
        }
        alt
    }

    fn total(&self) -> usize {
        self.epochs * self.steps_per_epoch
    }

    fn done(&self, history: &History) -> usize {
        history.epochs().len() * self.steps_per_epoch + history.of_epoch().len().min(self.steps_per_epoch)
    }

    /// `epoch 1/5, step 230/469`
    fn place(&self, history: &History) -> String {
        let (epochs, steps) = (history.epochs(), history.of_epoch().len());
        let (epoch, step) = match (epochs, steps) {
            ([], _) => (1, steps),
            ([.., before, last], 0) => (epochs.len(), last.last_step - before.last_step),
            ([last], 0) => (1, last.last_step),
            _ => (epochs.len() + 1, steps),
        };
        format!("epoch {epoch}/{}, step {step}/{}", self.epochs, self.steps_per_epoch)
    }

    /// `3.9 steps/s, 1:01 left`
    fn pace(&self, history: &History, state: State, time: Duration) -> String {
        let clock = pace::clock(time);
        let time_text = match state {
            State::Running => pace::left(self.done(history), self.total(), time),
            State::Finished => Some(format!("done in {clock}")),
            State::Interrupted => Some(format!("interrupted after {clock}")),
            State::Stopped => Some(format!("stopped after {clock}")),
        };
        let rate = pace::rate(history.steps().len(), time, " steps");
        [rate, time_text].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The current score, on the batches learnt from and on the validation images.
fn score(history: &History) -> String {
    let steps = history.steps();
    let recent = &steps[steps.len().saturating_sub(RECENT)..];
    let mut text = match recent.len() {
        1 => Score::mean(recent).to_string(),
        count => format!("{} (mean of {count} steps)", Score::mean(recent)),
    };
    if let Some(validation) = history.epochs().last().and_then(|epoch| epoch.validation) {
        text += &format!("; validation {validation}");
    }
    text
}

/// Says since when, or how often, the loss was not a number.
fn bad_losses(history: &History) -> Option<String> {
    let is_bad = |score: &Score| !score.loss.is_finite();
    let steps = history.steps();
    let first = steps.iter().position(is_bad)?;
    let good_until = steps.iter().rposition(|score| !is_bad(score)).map_or(0, |last| last + 1);
    Some(if good_until < steps.len() {
        let what = if steps[good_until].loss.is_nan() { "not a number" } else { "infinite" };
        format!("the loss is {what} since step {}", good_until + 1)
    } else {
        let count = steps.iter().filter(|score| is_bad(score)).count();
        format!(
            "losses that are no finite numbers: {count} of {}, the first at step {}",
            steps.len(),
            first + 1
        )
    })
}

/// The points of a curve: means over groups of steps that are as equal as can be, of the finite values only.
fn thinned(steps: &[Score], value: fn(Score) -> f32) -> Vec<(f64, f64)> {
    let count = steps.len().min(POINTS);
    let point = |at: usize| {
        let (start, end) = (at * steps.len() / count, (at + 1) * steps.len() / count);
        let values = steps[start..end].iter().copied().map(value);
        let finite: Vec<f64> = values.filter(|value| value.is_finite()).map(f64::from).collect();
        let middle = (start + 1 + end) as f64 / 2.0;
        (!finite.is_empty()).then(|| (middle, finite.iter().sum::<f64>() / finite.len() as f64))
    };
    (0..count).filter_map(point).collect()
}
