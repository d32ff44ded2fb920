//! A training in pictures and words.

use super::history::{History, Score};
use crate::display::Display;
use crate::number::fixed;
use crate::plot::{self, Curve, escape};
use crate::{pace, progress};
use std::time::Duration;

/// The most points of a curve; if there are more steps, each point is the mean of several.
const POINTS: usize = 200;
/// The number of steps whose mean is the current score.
const RECENT: usize = 50;

/// Describes a training in pictures and words.
pub struct Report {
    /// With the name of the data set.
    pub title: String,
    pub epochs: usize,
    pub steps_per_epoch: usize,
}

/// Whether the training still runs, or how it has ended.
#[derive(Clone, Copy, PartialEq)]
pub enum State {
    Running,
    Finished,
    Interrupted,
    Stopped,
}

impl Report {
    /// The curves, the text below them, and what is seen of the network: HTML, and what it says about the digit.
    pub fn display(
        &self,
        history: &History,
        state: State,
        time: Duration,
        (network, answer): (&str, Option<String>),
    ) -> Display {
        let (place, score) = (self.place(history), score(history));
        let pace = self.pace(history, state, time);
        let bad = bad_losses(history);
        let text = [Some(place.clone()), Some(score.clone()), Some(pace.clone()), bad.clone(), answer];
        let text = format!("{}: {}", self.title, text.into_iter().flatten().collect::<Vec<_>>().join("; "));
        let bar = progress::bar(self.done(history), self.total());
        let curves = self.curves(history, state);
        let mut html = format!("{curves}<div>{bar} {place}, {pace}</div><div>{score}</div>");
        if let Some(bad) = bad {
            html += &format!("<div><b>{bad}</b></div>");
        }
        html += network;
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

    /// The curves as HTML. A training must not fail because it cannot be drawn.
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
        // The axis has room for the whole training, into which the curves grow.
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
            alt += &format!(", loss from {} to {}", fixed(first, 4), fixed(last, 4));
        }
        let accuracies = thinned(&history.steps, |score| 100.0 * score.accuracy);
        if let [(_, first), .., (_, last)] = accuracies[..] {
            alt += &format!(", accuracy from {} % to {} %", fixed(first, 2), fixed(last, 2));
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

/// `after 420 steps: loss 0.0480, accuracy 98.45 % (mean of 50 steps)`
pub fn moment(history: &History) -> String {
    match history.steps().len() {
        0 => "before the first step".into(),
        1 => format!("after 1 step: {}", current(history)),
        steps => format!("after {steps} steps: {}", current(history)),
    }
}

/// The current score, on the training batches and on the validation images.
fn score(history: &History) -> String {
    let mut text = current(history);
    if let Some(validation) = history.epochs().last().and_then(|epoch| epoch.validation) {
        text += &format!("; validation {validation}");
    }
    text
}

/// The current score on the training batches.
fn current(history: &History) -> String {
    let steps = history.steps();
    let recent = &steps[steps.len().saturating_sub(RECENT)..];
    match recent.len() {
        1 => Score::mean(recent).to_string(),
        count => format!("{} (mean of {count} steps)", Score::mean(recent)),
    }
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

/// The points of a curve: means of the finite values over groups of steps of about equal size.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn display(losses: &[f32], accuracy: f32) -> (String, String, String) {
        let report = Report { title: "Training (data)".into(), epochs: 1, steps_per_epoch: losses.len() };
        let steps = losses.iter().map(|loss| Score { loss: *loss, accuracy }).collect();
        let history = History { steps, epochs: vec![] };
        let display = report.display(&history, State::Running, Duration::from_secs(1), ("", None));
        let content = |mime| display.content(mime).unwrap().to_string();
        (content("text/html"), content("text/plain"), report.line(&history, Duration::from_secs(1)))
    }

    #[test]
    fn losses_of_any_size_have_curves_and_short_words() {
        let many: Vec<f32> = (0..100_000).map(|step| 1.0 / (step + 1) as f32).collect();
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        for (losses, words) in [
            (&[0.0; 3][..], "loss 0.0000"),
            (&[0.5], "loss 0.5000"),
            (&[1e-30; 3], "loss 0.0000"),
            (&[1e30; 3], "loss 1.00e30"),
            (&[f32::MAX, f32::MIN], "loss 0.0000"),
            (&[nan; 3], "the loss is not a number since step 1"),
            (&[1.0, infinity], "the loss is infinite since step 2"),
            (&[1.0, nan, 1.0], "losses that are no finite numbers: 1 of 3, the first at step 2"),
            (&many, "loss 0.0000, accuracy 50.00 % (mean of 50 steps)"),
        ] {
            let (html, text, line) = display(losses, 0.5);
            assert!(text.contains(words) && line.contains(words), "{words} in {text} and {line}");
            assert!(html.contains("<img ") && html.contains(words), "{words} in {html}");
            assert!(text.len() < 200 && line.len() < 200 && html.len() < 60_000, "{} {text}", html.len());
        }
        let (_, text, _) = display(&[1.0], f32::MAX);
        assert!(text.contains("accuracy 3.40e40 %"), "{text}");
    }
}
