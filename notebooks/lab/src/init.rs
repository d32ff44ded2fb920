//! Initial weights, and dropout, that follow from a seed; candle's own on the CPU do not.
//!
//! ```
//! use lab::candle_core::Device;
//!
//! let numbers = |seed| lab::init::uniform(1000, -1.0, 1.0, seed, &Device::Cpu)?.to_vec1::<f32>();
//! assert_eq!(numbers(1)?, numbers(1)?);
//! assert_ne!(numbers(1)?, numbers(2)?);
//! let mean = numbers(1)?.iter().sum::<f32>() / 1000.0;
//! assert!(mean.abs() < 0.1);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

pub use crate::nn::Dropout;

use ::ops::random::Random;
use candle_core::{Device, Result, Shape, Tensor};
use candle_nn::VarMap;

/// A tensor of `f32` drawn uniformly from `low` to `high`. The same shape and seed give the same numbers, so give each tensor a
/// seed of its own.
///
/// # Errors
/// When the device has not enough memory.
pub fn uniform(shape: impl Into<Shape>, low: f32, high: f32, seed: u64, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let mut random = Random::new(seed, 0);
    let values: Vec<f32> = (0..shape.elem_count()).map(|_| random.between(low, high)).collect();
    Tensor::from_vec(values, shape, device)
}

/// Draws the parameters of a network anew: weights uniformly within ±√(6 / n), where n is the number of inputs of the layer,
/// and biases 0. Other parameters of one dimension, as in normalization layers, are left as they are. Thus signals keep their
/// size on the way through layers with ReLU: He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015. candle chooses the
/// same bound, but a normal distribution and random biases.
///
/// # Errors
/// When the device has not enough memory.
pub fn seed(weights: &VarMap, seed: u64) -> Result<()> {
    let variables = weights.data().lock().expect("no thread panics while it holds the parameters");
    let mut names: Vec<&String> = variables.keys().collect();
    names.sort();
    for (stream, name) in names.into_iter().enumerate() {
        let variable = &variables[name];
        let values = if name.ends_with("bias") {
            variable.zeros_like()?
        } else if variable.rank() < 2 {
            continue;
        } else {
            let inputs: usize = variable.dims().iter().skip(1).product();
            let bound = (6.0 / inputs as f32).sqrt();
            let mut random = Random::new(seed, stream as u64);
            let values = (0..variable.elem_count()).map(|_| random.between(-bound, bound));
            Tensor::from_iter(values, variable.device())?.reshape(variable.shape())?
        };
        variable.set(&values.to_dtype(variable.dtype())?)?;
    }
    Ok(())
}
