//! The layer of the convolution.

use crate as ops;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Conv2dConfig, VarBuilder};

/// The layer of [`ops::conv2d_with_config`]: `[batch, c_in, height, width]` to `[batch, c_out, rows, columns]`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: Conv2dConfig,
    relu: bool,
}

impl Conv2d {
    /// With `weight` `[c_out, c_in / groups, k_h, k_w]` and `bias` `[c_out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>, config: Conv2dConfig) -> Self {
        Self { weight, bias, config, relu: false }
    }

    /// The same layer followed by ReLU, in one operation: [`ops::conv2d_relu_with_config`].
    #[must_use]
    pub fn with_relu(self) -> Self {
        Self { relu: true, ..self }
    }

    /// Stride, padding, dilation and groups.
    pub fn config(&self) -> &Conv2dConfig {
        &self.config
    }

    /// Whether ReLU follows.
    pub fn has_relu(&self) -> bool {
        self.relu
    }

    /// The kernels, `[c_out, c_in / groups, k_h, k_w]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to each output channel, `[c_out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl From<candle_nn::Conv2d> for Conv2d {
    fn from(layer: candle_nn::Conv2d) -> Self {
        Self::new(layer.weight().clone(), layer.bias().cloned(), *layer.config())
    }
}

/// A layer with kernels of `kernel` x `kernel`, whose parameters are `weight` and `bias` of `vb`.
///
/// # Errors
/// When `vb` holds parameters of other shapes, or the channels do not divide into the groups.
pub fn conv2d(
    c_in: usize,
    c_out: usize,
    kernel: usize,
    config: Conv2dConfig,
    vb: VarBuilder,
) -> Result<Conv2d> {
    check(c_in, c_out, &config)?;
    Ok(candle_nn::conv2d(c_in, c_out, kernel, config, vb)?.into())
}

/// [`conv2d`] without `bias`.
///
/// # Errors
/// Those of [`conv2d`].
pub fn conv2d_no_bias(
    c_in: usize,
    c_out: usize,
    kernel: usize,
    config: Conv2dConfig,
    vb: VarBuilder,
) -> Result<Conv2d> {
    check(c_in, c_out, &config)?;
    Ok(candle_nn::conv2d_no_bias(c_in, c_out, kernel, config, vb)?.into())
}

/// An error for groups that candle would panic on.
fn check(c_in: usize, c_out: usize, config: &Conv2dConfig) -> Result<()> {
    let groups = config.groups;
    if c_in == 0 || groups == 0 || !c_in.is_multiple_of(groups) || !c_out.is_multiple_of(groups) {
        bail!("conv2d: expected channels in {groups} groups, got {c_in} to {c_out}");
    }
    Ok(())
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let conv2d = if self.relu { ops::conv2d_relu_with_config } else { ops::conv2d_with_config };
        conv2d(x, &self.weight, self.bias.as_ref(), &self.config)
    }
}
