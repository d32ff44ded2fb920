//! Convolution, ReLU and max pool in one.

mod forward;
mod pool;

use super::conv2d::{Size, apply, gradients};
use super::{contiguous, conv2d_relu, has_kernel, is_half, max_pool2d};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use candle_nn::Conv2dConfig;
use std::sync::OnceLock;

/// [`conv2d_relu`](crate::conv2d_relu()) without padding at stride 1, followed by [`max_pool2d`](crate::max_pool2d()), in one
/// operation: `x` `[batch, c_in, height, width]` to `[batch, c_out, rows / window, columns / window]`, where rows and columns
/// are those of the convolution.
///
/// # Errors
/// When shapes, types or devices do not match, or no kernel or window fits.
pub fn conv2d_relu_max_pool2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    window: usize,
) -> Result<Tensor> {
    check_interrupt()?;
    let op = "conv2d_relu_max_pool2d";
    let size = Size::new(op, x, weight, bias, &Conv2dConfig::default())?;
    if window == 0 || window > size.rows || window > size.columns {
        bail!("{op}: expected a window within {} x {}, got {window} x {window}", size.rows, size.columns);
    }
    if x.device().is_cpu() && is_half(x) {
        // The kernel sums in `f32`.
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F32);
        let bias = bias.map(wide).transpose()?;
        return conv2d_relu_max_pool2d(&wide(x)?, &wide(weight)?, bias.as_ref(), window)?.to_dtype(x.dtype());
    }
    if !has_kernel(x) {
        return max_pool2d(&conv2d_relu(x, weight, bias, 1, 0)?, window);
    }
    apply(x, weight, bias, ConvBlock { size, window, largest: OnceLock::new() })
}

struct ConvBlock {
    size: Size,
    window: usize,
    /// For each output, the place of the largest value of its window in the convolution.
    largest: OnceLock<Vec<u32>>,
}

impl CustomOp3 for ConvBlock {
    fn name(&self) -> &'static str {
        "conv2d_relu_max_pool2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(self.name(), x, x_layout)?;
        let weight = contiguous(self.name(), weight, weight_layout)?;
        let bias = contiguous(self.name(), bias, bias_layout)?;
        let (y, largest) = forward::forward(x, weight, bias, self.window, &self.size);
        self.largest.get_or_init(|| largest);
        let Size { batch, c_out, rows, columns, .. } = self.size;
        Ok((CpuStorage::F32(y), (batch, c_out, rows / self.window, columns / self.window).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(largest) = self.largest.get() else {
            bail!("{}: expected a forward pass before the gradient", self.name());
        };
        let windows = (self.size.rows / self.window) * (self.size.columns / self.window);
        let places = |output: usize| &largest[output * windows..][..windows];
        gradients((x, weight, bias), (y, dy), &self.size, true, places)
    }
}
