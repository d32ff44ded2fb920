//! The linear layer.

use crate as ops;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;

/// The layer of [`ops::linear`]: `[…, n]` to `[…, m]`. candle's own adds its bias on a single thread.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// With `weight` `[m, n]` and `bias` `[m]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// What inputs are multiplied by, `[m, n]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added at the end, `[m]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl From<candle_nn::Linear> for Linear {
    fn from(layer: candle_nn::Linear) -> Self {
        Self::new(layer.weight().clone(), layer.bias().cloned())
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.weight, self.bias.as_ref())
    }
}

/// A layer from `[…, in_dim]` to `[…, out_dim]`, whose parameters are `weight` and `bias` of `vb`.
///
/// # Errors
/// When `vb` holds parameters of other shapes.
pub fn linear(in_dim: usize, out_dim: usize, vb: VarBuilder) -> Result<Linear> {
    Ok(candle_nn::linear(in_dim, out_dim, vb)?.into())
}

/// [`linear`] without `bias`.
///
/// # Errors
/// Those of [`linear`].
pub fn linear_no_bias(in_dim: usize, out_dim: usize, vb: VarBuilder) -> Result<Linear> {
    Ok(candle_nn::linear_no_bias(in_dim, out_dim, vb)?.into())
}
