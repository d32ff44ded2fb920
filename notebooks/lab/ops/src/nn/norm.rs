//! The layers of the norms.

use crate as ops;
use candle_core::{Module, Result, Tensor};
use candle_nn::{LayerNormConfig, VarBuilder};

/// The layer of [`ops::layer_norm`] for inputs `[…, size]`. With a configuration that does not remove the mean, it is
/// [`ops::rms_norm`] plus the bias, if there is one. candle's own layer has no gradient.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Option<Tensor>,
    remove_mean: bool,
    eps: f64,
}

impl LayerNorm {
    /// With `weight` `[size]` and `bias` `[size]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>, eps: f64) -> Self {
        Self { weight, bias, remove_mean: true, eps }
    }

    /// What each value is multiplied by, `[size]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added at the end, `[size]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Whether the mean is removed. Otherwise it is [`RmsNorm`] plus the bias.
    pub fn remove_mean(&self) -> bool {
        self.remove_mean
    }

    /// What is added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }
}

impl From<candle_nn::LayerNorm> for LayerNorm {
    fn from(layer: candle_nn::LayerNorm) -> Self {
        let (weight, bias) = (layer.weight().clone(), layer.bias().cloned());
        Self { weight, bias, remove_mean: layer.remove_mean(), eps: layer.eps() }
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (&self.weight, self.bias.as_ref());
        if self.remove_mean {
            return ops::layer_norm(x, weight, bias, self.eps);
        }
        let y = ops::rms_norm(x, weight, self.eps)?;
        bias.map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
    }
}

/// A layer whose parameters are `weight` and `bias` of `vb`, initially 1 and 0. `config` may be just its `eps`.
///
/// # Errors
/// When `vb` holds parameters of other shapes.
pub fn layer_norm(size: usize, config: impl Into<LayerNormConfig>, vb: VarBuilder) -> Result<LayerNorm> {
    Ok(candle_nn::layer_norm(size, config, vb)?.into())
}

/// [`layer_norm`] without `bias`.
///
/// # Errors
/// Those of [`layer_norm`].
pub fn layer_norm_no_bias(size: usize, eps: f64, vb: VarBuilder) -> Result<LayerNorm> {
    Ok(candle_nn::layer_norm_no_bias(size, eps, vb)?.into())
}

/// The layer of [`ops::rms_norm`] for inputs `[…, size]`. candle's own has no gradient.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// With `weight` `[size]`.
    pub fn new(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps }
    }

    /// What each value is multiplied by, `[size]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to the mean of the squares.
    pub fn eps(&self) -> f64 {
        self.eps
    }
}

impl From<candle_nn::RmsNorm> for RmsNorm {
    fn from(layer: candle_nn::RmsNorm) -> Self {
        Self::new(layer.weight().clone(), layer.eps())
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::rms_norm(x, &self.weight, self.eps)
    }
}

/// A layer whose parameter is `weight` of `vb`, initially 1.
///
/// # Errors
/// When `vb` holds a parameter of another shape.
pub fn rms_norm(size: usize, eps: f64, vb: VarBuilder) -> Result<RmsNorm> {
    Ok(candle_nn::rms_norm(size, eps, vb)?.into())
}
