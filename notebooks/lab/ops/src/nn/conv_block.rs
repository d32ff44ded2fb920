//! The layer of convolution, ReLU and max pool in one.

use crate as ops;
use candle_core::{Module, Result, Tensor};
use candle_nn::{Conv2dConfig, VarBuilder};

/// Convolution without padding at stride 1, ReLU and max pool as one layer:
/// `[batch, c_in, height, width]` to `[batch, c_out, rows / window, columns / window]`.
///
/// **Fused** unless [`fused(false)`](Self::fused) says otherwise: on the CPU in `f32`, the three are one operation
/// ([`ops::conv2d_relu_max_pool2d`]), which never stores the whole convolution, and computes gradients only where the
/// pool passes one on. Otherwise it is [`ops::conv2d_relu`] followed by [`ops::max_pool2d`].
/// The results are the same up to rounding.
#[derive(Clone, Debug)]
pub struct ConvBlock {
    weight: Tensor,
    bias: Option<Tensor>,
    window: usize,
    fused: bool,
}

impl ConvBlock {
    /// With `weight` `[c_out, c_in, k_h, k_w]` and `bias` `[c_out]`, fused.
    pub fn new(weight: Tensor, bias: Option<Tensor>, window: usize) -> Self {
        Self { weight, bias, window, fused: true }
    }

    /// Whether to compute all in one operation where that is possible, which is the default.
    #[must_use]
    pub fn fused(self, fused: bool) -> Self {
        Self { fused, ..self }
    }

    /// The number of rows, and of columns, of a window of the pool.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The kernels, `[c_out, c_in, k_h, k_w]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to each output channel, `[c_out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

/// A block with kernels of `kernel` x `kernel` and a pool of `window` x `window`, whose parameters are `weight` and
/// `bias` of `vb`, like those of [`conv2d`](super::conv2d()).
///
/// # Errors
/// When `vb` holds parameters of other shapes.
pub fn conv_block(
    c_in: usize,
    c_out: usize,
    kernel: usize,
    window: usize,
    vb: VarBuilder,
) -> Result<ConvBlock> {
    let layer = super::conv2d(c_in, c_out, kernel, Conv2dConfig::default(), vb)?;
    Ok(ConvBlock::new(layer.weight().clone(), layer.bias().cloned(), window))
}

impl Module for ConvBlock {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (&self.weight, self.bias.as_ref());
        if self.fused {
            return ops::conv2d_relu_max_pool2d(x, weight, bias, self.window);
        }
        ops::max_pool2d(&ops::conv2d_relu(x, weight, bias, 1, 0)?, self.window)
    }
}
