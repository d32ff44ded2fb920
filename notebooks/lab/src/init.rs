//! Randomness in training that follows from a seed, which candle's own on the CPU does not.

use crate::check_interrupt;
use crate::random::Random;
use candle_core::{Result, Tensor};
use candle_nn::VarMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws all parameters of a network anew: uniform within ±1 / √n, where n is the number of inputs of the layer, for
/// weights and biases alike, as PyTorch's `Conv2d` and `Linear` do. A bias goes by the weight of its layer.
///
/// # Errors
/// When a bias has no weight beside it.
pub fn seed(weights: &VarMap, seed: u64) -> Result<()> {
    let variables = weights.data().lock().expect("no thread panics while it holds the parameters");
    let mut names: Vec<&String> = variables.keys().collect();
    names.sort();
    for (stream, name) in names.into_iter().enumerate() {
        let variable = &variables[name];
        let weight = match name.strip_suffix("bias") {
            Some(layer) => variables.get(&format!("{layer}weight")),
            None => Some(variable),
        };
        let Some(weight) = weight else { candle_core::bail!("{name} has no weight beside it") };
        let inputs: usize = weight.dims().iter().skip(1).product();
        let bound = 1.0 / (inputs as f32).sqrt();
        let mut random = Random::new(seed, stream as u64);
        let values = (0..variable.elem_count()).map(|_| random.between(-bound, bound));
        let values = Tensor::from_iter(values, variable.device())?.reshape(variable.shape())?;
        variable.set(&values.to_dtype(variable.dtype())?)?;
    }
    Ok(())
}

/// Dropout: in training it sets each value to 0 with probability `p`, and scales the others by 1 / (1 - p) so that
/// their sum stays the same on average. Its masks follow from the seed and the number of calls before.
pub struct Dropout {
    p: f32,
    seed: u64,
    calls: AtomicU64,
}

impl Dropout {
    /// Drops with probability `p`, at least 0 and less than 1.
    pub fn new(p: f32, seed: u64) -> Self {
        assert!((0.0..1.0).contains(&p), "a probability of {p} to drop is not in 0..1");
        Self { p, seed, calls: AtomicU64::new(0) }
    }

    /// Of any shape. Returns `x` itself when not in training.
    pub fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        check_interrupt()?;
        if !training {
            return Ok(x.clone());
        }
        let mut random = Random::new(self.seed, self.calls.fetch_add(1, Ordering::Relaxed));
        let kept = 1.0 / (1.0 - self.p);
        let mask = (0..x.elem_count()).map(|_| if random.between(0.0, 1.0) < self.p { 0.0 } else { kept });
        let mask = Tensor::from_iter(mask, x.device())?.reshape(x.shape())?;
        x.mul(&mask.to_dtype(x.dtype())?)
    }
}
