//! The convolution.

mod backward;
mod dense;
mod depthwise;
mod forward;
mod patches;
mod places;
mod size;
pub(super) mod tile;
pub(super) mod winograd;

pub(super) use backward::gradients;
pub(super) use forward::Direct;
pub(super) use size::Size;

use self::depthwise::Depthwise;
use super::{contiguous, has_kernel, is_half, relu};
use crate::{IS_PAGE, check_interrupt};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};
use candle_nn::Conv2dConfig;

/// Convolution, strictly speaking cross-correlation, of images `x` `[batch, c_in, height, width]` with `weight`
/// `[c_out, c_in, k_h, k_w]`, plus `bias` `[c_out]`:
///
/// y\[n, o, i, j\] = bias\[o\] + Σ weight\[o, c, u, v\] · x\[n, c, i · stride + u - padding, j · stride + v - padding\]
///
/// summed over all c, u and v, where `x` is 0 outside the image. Gives `[batch, c_out, rows, columns]` with
/// rows = (height + 2 · padding - k_h) / stride + 1, rounded down, and columns likewise.
///
/// # Errors
/// When shapes, types or devices do not match, or the kernel does not fit into the image.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    conv2d_with_config(x, weight, bias, &Conv2dConfig { stride, padding, ..Default::default() })
}

/// [`conv2d`] with groups and a dilation. The channels of `x` and of the result are divided into groups, and each group of
/// input channels gives one group of output channels: `weight` is `[c_out, c_in / groups, k_h, k_w]`. A dilation of d spreads
/// the kernel: its values lie d pixels apart, so that it covers d · (k_h - 1) + 1 rows.
///
/// The gradient of candle 0.11.1's own `Tensor::conv2d` is an error for many sizes where the stride does not divide
/// height + 2 · padding - dilation · (k_h - 1) - 1.
///
/// # Errors
/// Those of [`conv2d`], and when the channels do not divide into the groups.
pub fn conv2d_with_config(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
) -> Result<Tensor> {
    convolve("conv2d", x, weight, bias, config, false)
}

/// [`conv2d`] followed by [`relu`](crate::relu()), in one operation: negative values are set to 0 while they are in
/// registers, and no gradient is kept between the two.
///
/// # Errors
/// Those of [`conv2d`].
pub fn conv2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    conv2d_relu_with_config(x, weight, bias, &Conv2dConfig { stride, padding, ..Default::default() })
}

/// [`conv2d_with_config`] followed by [`relu`](crate::relu()), in one operation as in [`conv2d_relu`].
///
/// # Errors
/// Those of [`conv2d_with_config`].
pub fn conv2d_relu_with_config(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
) -> Result<Tensor> {
    convolve("conv2d_relu", x, weight, bias, config, true)
}

/// The convolution. `op` is its name in errors.
fn convolve(
    op: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
    has_relu: bool,
) -> Result<Tensor> {
    check_interrupt()?;
    let size = Size::new(op, x, weight, bias, config)?;
    if x.device().is_cpu() && is_half(x) {
        // The kernel sums in `f32`.
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F32);
        let bias = bias.map(wide).transpose()?;
        return convolve(op, &wide(x)?, &wide(weight)?, bias.as_ref(), config, has_relu)?.to_dtype(x.dtype());
    }
    // A page has no such layers.
    if !IS_PAGE && config.groups > 1 && size.c_in == 1 && has_kernel(x) {
        return apply(x, weight, bias, Depthwise { op, size, channels: config.groups, has_relu });
    }
    if config.groups > 1 {
        let ungrouped = Conv2dConfig { groups: 1, ..*config };
        let outputs = size.c_out / config.groups;
        let group = |group: usize| {
            let bias = bias.map(|bias| bias.narrow(0, group * outputs, outputs)).transpose()?;
            let x = x.narrow(1, group * size.c_in, size.c_in)?;
            let weight = weight.narrow(0, group * outputs, outputs)?;
            convolve(op, &x, &weight, bias.as_ref(), &ungrouped, has_relu)
        };
        return Tensor::cat(&(0..config.groups).map(group).collect::<Result<Vec<_>>>()?, 1);
    }
    if has_kernel(x) {
        return apply(x, weight, bias, Conv2d { op, size, has_relu });
    }
    let y = composed(x, weight, bias, &size, config)?;
    if has_relu { relu(&y) } else { Ok(y) }
}

/// Applies an operation to images, weight and bias, made contiguous. A missing bias becomes zeros.
pub(super) fn apply(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    operation: impl CustomOp3 + Send + Sync + 'static,
) -> Result<Tensor> {
    let zeros = || Tensor::zeros(weight.dim(0)?, x.dtype(), x.device());
    let bias = bias.map_or_else(zeros, Tensor::contiguous)?;
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, operation)
}

/// Composed of candle's operations, for every device and type, without groups.
fn composed(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    size: &Size,
    config: &Conv2dConfig,
) -> Result<Tensor> {
    let &Conv2dConfig { padding, stride, dilation, cudnn_fwd_algo: algorithm, .. } = config;
    let used = |n, kernel| (n - 1) * stride + (kernel - 1) * dilation + 1;
    let (height, width) = (used(size.rows, size.k_h), used(size.columns, size.k_w));
    let (x, padding) = if height == size.padded_height() && width == size.padded_width() {
        (x.contiguous()?, padding)
    } else {
        // candle's gradient fails where the stride leaves rows or columns over, unless it leaves as many of both.
        let x = x.pad_with_zeros(2, padding, padding)?.pad_with_zeros(3, padding, padding)?;
        (x.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?, 0)
    };
    let y = x.conv2d_with_algo(&weight.contiguous()?, padding, stride, dilation, 1, algorithm)?;
    let Some(bias) = bias else { return Ok(y) };
    let bias = bias.reshape((1, size.c_out, 1, 1))?;
    if is_half(&y) {
        // The gradient of the bias is a sum over all images and places, for which half precision is too coarse.
        let wide = y.to_dtype(DType::F32)?.broadcast_add(&bias.to_dtype(DType::F32)?)?;
        return wide.to_dtype(y.dtype());
    }
    y.broadcast_add(&bias)
}

struct Conv2d {
    op: &'static str,
    size: Size,
    /// Whether ReLU follows.
    has_relu: bool,
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        self.op
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
        let x = contiguous::<f32>(self.name(), x, x_layout)?;
        let weight = contiguous(self.name(), weight, weight_layout)?;
        let bias = contiguous(self.name(), bias, bias_layout)?;
        let Size { batch, c_out, rows, columns, .. } = self.size;
        let y = forward::forward(x, weight, bias, self.has_relu, &self.size);
        Ok((CpuStorage::F32(y), (batch, c_out, rows, columns).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let places: Vec<u32> = (0..).take(self.size.pixels()).collect();
        gradients((x, weight, bias), (y, dy), &self.size, self.has_relu, |_| &places)
    }
}
