use crate::check_interrupt;
use candle_core::{D, Result, Tensor, bail};

/// Largest value of each `window` x `window` square: `[batch, channel, height, width]` to
/// `[batch, channel, height / window, width / window]`. Rows and columns that fill no window are left out.
///
/// The gradient goes to the largest value: of equal ones to the first, as in PyTorch.
///
/// # Errors
/// When `x` has not four dimensions, or no window fits into it.
pub fn max_pool2d(x: &Tensor, window: usize) -> Result<Tensor> {
    max_pool2d_with_stride(x, window, window)
}

/// [`max_pool2d`] with windows that start every `stride` rows and columns, so that they may overlap:
/// `[batch, channel, (height - window) / stride + 1, (width - window) / stride + 1]`.
///
/// # Errors
/// When `x` has not four dimensions, no window fits into it, or the stride is 0.
pub fn max_pool2d_with_stride(x: &Tensor, window: usize, stride: usize) -> Result<Tensor> {
    check_interrupt()?;
    let &[_, _, height, width] = x.dims() else {
        bail!("max_pool2d: expected x [batch, channels, height, width], got {:?}", x.dims());
    };
    if window == 0 || window > height || window > width {
        bail!("max_pool2d: expected a window within {height} x {width}, got {window} x {window}");
    }
    if stride == 0 {
        bail!("max_pool2d: expected a stride of at least 1, got 0");
    }
    if !x.dtype().is_float() {
        bail!("max_pool2d: expected floating-point x, got {:?}", x.dtype());
    }
    composed(x, window, stride)
}

/// From candle's own operations, for every device and type: all windows side by side, then the first largest of each.
fn composed(x: &Tensor, window: usize, stride: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    // Row u of all windows, then of these column v of all windows.
    let every = |start: usize, len: usize| {
        let last = (len - window) / stride;
        Tensor::from_iter((0..=last).map(|at| (at * stride + start) as u32), x.device())
    };
    let mut values = Vec::with_capacity(window * window);
    for u in 0..window {
        let rows = x.contiguous()?.index_select(&every(u, height)?, 2)?;
        for v in 0..window {
            values.push(rows.index_select(&every(v, width)?, 3)?);
        }
    }
    let windows = Tensor::stack(&values, D::Minus1)?.contiguous()?;
    // What is no number counts as largest, so that it does not vanish.
    let infinity = windows.zeros_like()?.affine(0.0, f64::INFINITY)?;
    let order = windows.ne(&windows)?.where_cond(&infinity, &windows)?.detach();
    let largest = order.argmax_keepdim(D::Minus1)?;
    windows.gather(&largest, D::Minus1)?.squeeze(D::Minus1)
}
