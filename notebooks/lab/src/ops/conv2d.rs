mod backward;
mod forward;
mod patches;
mod places;
mod size;
pub(super) mod tile;

pub(super) use backward::backward;
pub(super) use forward::{pack, taps};
pub(super) use places::Gradient;
pub(super) use size::Size;

use super::{contiguous, has_kernel, relu, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// Convolution, or to be exact correlation, of images `x` `[batch, c_in, height, width]` with `weight`
/// `[c_out, c_in, k_h, k_w]`, plus `bias` `[c_out]`:
///
/// y\[n, o, i, j\] = bias\[o\] + Σ weight\[o, c, u, v\] · x\[n, c, i · stride + u - padding, j · stride + v - padding\]
///
/// summed over all c, u and v, where `x` is 0 outside of the image. Gives `[batch, c_out, rows, columns]` with
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
    convolve("conv2d", x, weight, bias, (stride, padding), false)
}

/// [`conv2d`], then [`relu`](super::relu()), in one: what is negative is set to 0 while it is in registers, and no gradient
/// is kept between the two.
///
/// # Errors
/// As of [`conv2d`].
pub fn conv2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    convolve("conv2d_relu", x, weight, bias, (stride, padding), true)
}

/// `op` is what errors call it.
fn convolve(
    op: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    (stride, padding): (usize, usize),
    has_relu: bool,
) -> Result<Tensor> {
    check_interrupt()?;
    let size = Size::new(op, x, weight, bias, stride, padding)?;
    if has_kernel(x) {
        return apply(x, weight, bias, Conv2d { op, size, has_relu });
    }
    let y = composed(x, weight, bias, &size)?;
    if has_relu { relu(&y) } else { Ok(y) }
}

/// Applies an operation of images, weight and bias to contiguous ones. No bias is one of zeros.
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

/// From candle's own operations, for every device and type.
pub(super) fn composed(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, size: &Size) -> Result<Tensor> {
    let used = |n, kernel| (n - 1) * size.stride + kernel;
    let (height, width) = (used(size.rows, size.k_h), used(size.columns, size.k_w));
    let y = if height == size.height + 2 * size.padding && width == size.width + 2 * size.padding {
        x.conv2d(weight, size.padding, size.stride, 1, 1)?
    } else {
        // candle's gradient fails where the strides leave rows or columns over, if not as many of both.
        let x =
            x.pad_with_zeros(2, size.padding, size.padding)?.pad_with_zeros(3, size.padding, size.padding)?;
        x.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?.conv2d(weight, 0, size.stride, 1, 1)?
    };
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, size.c_out, 1, 1))?),
        None => Ok(y),
    }
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
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let (x_values, weight_values, y, dy) = (values(x), values(weight), values(y), values(&dy));
        let (y, dy) = (y.as_slice::<f32>()?, dy.as_slice::<f32>()?);
        let places: Vec<u32> = (0..).take(self.size.pixels()).collect();
        let gradient = |output: usize| {
            let this = output * places.len()..(output + 1) * places.len();
            let relu = self.has_relu.then(|| &y[this.clone()]);
            Gradient { dy: &dy[this], relu, places: &places }
        };
        let (x_values, weight_values) = (x_values.as_slice()?, weight_values.as_slice()?);
        backward(x_values, weight_values, x.track_op(), &self.size, gradient).of(x, weight, bias)
    }
}
