use super::history::{History, Score};
use super::panel::Panel;
use crate::data::Split;
use crate::ops::{accuracy, cross_entropy};
use candle_core::{Device, Result, Tensor, bail};
use candle_nn::Optimizer;

/// Images of a batch whose gradient is not needed.
const EVALUATION_BATCH: usize = 500;

/// How [`fit`] trains.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// What the panel calls the training.
    pub title: &'a str,
    /// How often all images are shown.
    pub epochs: usize,
    /// Images of a step, but for the last one of an epoch, which may have fewer.
    pub batch_size: usize,
    /// Decides the order of the images: `seed` in the first epoch, `seed + 1` in the second, ….
    pub seed: u64,
    /// Where the weights are, and batches are put.
    pub device: &'a Device,
}

/// Trains with cross-entropy, and shows it in a [`Panel`]. `forward` takes images `[batch, 1, 28, 28]`, and whether this
/// is training, to logits `[batch, 10]`. After each epoch the network is tested on `validation`, if there is one.
///
/// # Errors
/// When there are no images to learn from, the forward pass or the optimizer fails, or the user interrupts; what the
/// network has learnt by then stays.
pub fn fit(
    forward: impl Fn(&Tensor, bool) -> Result<Tensor>,
    optimizer: &mut impl Optimizer,
    training: &Split,
    validation: Option<&Split>,
    settings: &Settings,
) -> Result<History> {
    let Settings { title, epochs, batch_size, seed, device } = *settings;
    if training.is_empty() {
        bail!("no images of {} to learn from", training.name());
    }
    let mut panel = Panel::new(title, training.name(), epochs, training.len().div_ceil(batch_size.max(1)));
    for epoch in 0..epochs {
        for batch in training.batches(batch_size, seed.wrapping_add(epoch as u64), device) {
            let (images, labels) = batch?;
            let logits = forward(&images, true)?;
            let loss = cross_entropy(&logits, &labels)?;
            optimizer.backward_step(&loss)?;
            panel.step(loss.to_scalar()?, accuracy(&logits, &labels)?)?;
        }
        let score = validation.map(|split| evaluate(&forward, split, device)).transpose()?;
        panel.epoch(score)?;
    }
    Ok(panel.finish())
}

/// Tests a network on all images of a split, without training; `forward` is as in [`fit`].
///
/// # Errors
/// When there are no images, the forward pass fails, or the user interrupts.
pub fn evaluate(
    forward: impl Fn(&Tensor, bool) -> Result<Tensor>,
    split: &Split,
    device: &Device,
) -> Result<Score> {
    if split.is_empty() {
        bail!("no images of {} to test on", split.name());
    }
    let (mut loss, mut right) = (0.0, 0.0);
    for batch in split.batches_in_order(EVALUATION_BATCH, device) {
        let (images, labels) = batch?;
        let logits = forward(&images, false)?;
        // The last batch may be smaller, and then counts for less.
        let weight = labels.elem_count() as f64;
        loss += weight * f64::from(cross_entropy(&logits, &labels)?.to_scalar::<f32>()?);
        right += weight * f64::from(accuracy(&logits, &labels)?);
    }
    let mean = |sum: f64| (sum / split.len() as f64) as f32;
    Ok(Score { loss: mean(loss), accuracy: mean(right) })
}
