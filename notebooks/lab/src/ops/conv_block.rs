use super::conv2d::{self, Size};
use super::{max_pool2d, relu};
use crate::check_interrupt;
use candle_core::{Result, Tensor, bail};

/// [`conv2d`](super::conv2d()) without padding at stride 1, then [`relu`], then
/// [`max_pool2d`](super::max_pool2d()), in one: `x` `[batch, c_in, height, width]` to
/// `[batch, c_out, rows / window, columns / window]`, with rows and columns as of the convolution.
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
    let size = Size::new(op, x, weight, bias, 1, 0)?;
    if window == 0 || window > size.rows || window > size.columns {
        bail!("{op}: expected a window within {} x {}, got {window} x {window}", size.rows, size.columns);
    }
    max_pool2d(&relu(&conv2d::conv2d(x, weight, bias, 1, 0)?)?, window)
}
