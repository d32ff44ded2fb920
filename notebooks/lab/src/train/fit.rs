//! The training loop.

use super::history::{History, Score};
use super::panel::Panel;
use crate::data::Split;
use crate::ops::{accuracy, cross_entropy};
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::Optimizer;

/// The size of a batch whose gradient is not needed.
const EVALUATION_BATCH: usize = 500;

/// How [`fit`] trains.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The title of the panel.
    pub title: &'a str,
    /// How many times the network sees all images.
    pub epochs: usize,
    /// The number of images in a batch; the last batch of an epoch may have fewer.
    pub batch_size: usize,
    /// The seed of the order of the images: `seed` in the first epoch, `seed + 1` in the second, ….
    pub seed: u64,
    /// The device of the weights, to which batches are moved.
    pub device: &'a Device,
}

/// Trains with cross-entropy, and shows the training in a [`Panel`]. `forward` computes logits `[batch, 10]` from images
/// `[batch, 1, 28, 28]`; its second argument says whether this is training. After each epoch the network is tested on
/// `validation`, if there is one.
///
/// # Errors
/// When there are no images to train on, the forward pass or the optimizer fails, or the user interrupts. The network keeps
/// what it has learnt until then.
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
            panel.step(scalar(&loss)?, accuracy(&logits, &labels)?)?;
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
        // The last batch may be smaller, and then weighs less.
        let weight = labels.elem_count() as f64;
        loss += weight * f64::from(scalar(&cross_entropy(&logits, &labels)?)?);
        right += weight * f64::from(accuracy(&logits, &labels)?);
    }
    let mean = |sum: f64| (sum / split.len() as f64) as f32;
    Ok(Score { loss: mean(loss), accuracy: mean(right) })
}

/// The value of a loss, of any type that the network computes in.
fn scalar(loss: &Tensor) -> Result<f32> {
    loss.to_dtype(DType::F32)?.to_scalar()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::drawn_sized;
    use crate::nn::{Module, SGD, VarBuilder, VarMap, linear};

    #[test]
    fn networks_of_every_type_are_trained_and_tested() -> Result<()> {
        let digits = drawn_sized(0, 40, 10).expect("nobody interrupts");
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let weights = VarMap::new();
            let vb = VarBuilder::from_varmap(&weights, dtype, &Device::Cpu);
            let dense = linear(784, 10, vb)?;
            crate::init::seed(&weights, 1)?;
            let forward = |x: &Tensor, _training| dense.forward(&x.flatten_from(1)?.to_dtype(dtype)?);
            let mut optimizer = SGD::new(weights.all_vars(), 0.1)?;
            let device = &Device::Cpu;
            let settings = Settings { title: "Training", epochs: 8, batch_size: 20, seed: 1, device };
            let history = fit(forward, &mut optimizer, &digits.train, Some(&digits.test), &settings)?;
            let loss = |epoch: usize| history.epochs()[epoch].training.loss;
            assert!(loss(7) < loss(0) / 2.0, "{dtype:?}: {} to {}", loss(0), loss(7));
        }
        Ok(())
    }
}
