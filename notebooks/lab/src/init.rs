//! Randomness in training that follows from a seed, which candle's own on the CPU does not.

pub use crate::nn::Dropout;

use crate::random::Random;
use candle_core::{Device, Result, Shape, Tensor};
use candle_nn::VarMap;

/// A tensor of `f32` drawn uniformly from `low` to `high`. The same shape and seed give the same numbers, so give each tensor a
/// seed of its own.
///
/// # Errors
/// When the device has no room for it.
pub fn uniform(shape: impl Into<Shape>, low: f32, high: f32, seed: u64, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let mut random = Random::new(seed, 0);
    let values: Vec<f32> = (0..shape.elem_count()).map(|_| random.between(low, high)).collect();
    Tensor::from_vec(values, shape, device)
}

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
