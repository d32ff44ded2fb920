//! The scores of a training, step by step and epoch by epoch.

use crate::number::fixed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How well a network performs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Score {
    /// The mean loss of an example; cross-entropy is in nats.
    pub loss: f32,
    /// The fraction of correct predictions, 0 to 1.
    pub accuracy: f32,
}

/// The scores of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The number of its last step, counted from 1 through all epochs.
    pub last_step: usize,
    /// The mean over its steps, while the weights changed.
    pub training: Score,
    /// The score on the validation images at its end, if there are any.
    pub validation: Option<Score>,
    /// Its duration, including validation.
    pub seconds: f64,
}

/// The course of a training.
#[derive(Clone, Default, PartialEq)]
pub struct History {
    pub(super) steps: Vec<Score>,
    pub(super) epochs: Vec<Epoch>,
}

impl History {
    /// The score of each step on its batch, before the weights changed.
    pub fn steps(&self) -> &[Score] {
        &self.steps
    }

    /// The completed epochs.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The loss of each step.
    pub fn losses(&self) -> Vec<f32> {
        self.steps.iter().map(|score| score.loss).collect()
    }

    /// The accuracy of each step, 0 to 1.
    pub fn accuracies(&self) -> Vec<f32> {
        self.steps.iter().map(|score| score.accuracy).collect()
    }

    /// The duration of the completed epochs, including validation.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }

    /// The steps since the last completed epoch.
    pub(super) fn of_epoch(&self) -> &[Score] {
        &self.steps[self.epochs.last().map_or(0, |epoch| epoch.last_step)..]
    }
}

/// Without the single steps, which would flood the output of a cell that ends in a history.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let steps = format_args!("{} scores", self.steps.len());
        f.debug_struct("History").field("steps", &steps).field("epochs", &self.epochs).finish()
    }
}

impl Score {
    /// The mean; NaN if there are no scores, or if one of them is NaN.
    pub(super) fn mean(scores: &[Self]) -> Self {
        let mean = |value: fn(Self) -> f32| {
            let sum: f64 = scores.iter().map(|score| f64::from(value(*score))).sum();
            (sum / scores.len() as f64) as f32
        };
        Self { loss: mean(|score| score.loss), accuracy: mean(|score| score.accuracy) }
    }
}

/// `loss 0.1234, accuracy 96.12 %`
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (loss, percent) = (fixed(self.loss.into(), 4), fixed(100.0 * f64::from(self.accuracy), 2));
        write!(f, "loss {loss}, accuracy {percent} %")
    }
}
