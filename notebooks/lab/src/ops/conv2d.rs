use crate::check_interrupt;
use candle_core::{Result, Tensor, bail};

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
    check_interrupt()?;
    let size = Size::new("conv2d", x, weight, bias, stride, padding)?;
    composed(x, weight, bias, &size)
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

/// The sizes of one convolution, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub batch: usize,
    pub c_in: usize,
    pub height: usize,
    pub width: usize,
    pub c_out: usize,
    pub k_h: usize,
    pub k_w: usize,
    pub stride: usize,
    pub padding: usize,
    /// Of the output.
    pub rows: usize,
    pub columns: usize,
}

impl Size {
    pub fn new(
        op: &str,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        stride: usize,
        padding: usize,
    ) -> Result<Self> {
        let &[batch, c_in, height, width] = x.dims() else {
            bail!("{op}: expected x [batch, channels, height, width], got {:?}", x.dims());
        };
        let &[c_out, of, k_h, k_w] = weight.dims() else {
            bail!("{op}: expected weight [c_out, c_in, height, width], got {:?}", weight.dims());
        };
        if of != c_in {
            bail!("{op}: expected weight for the {c_in} channels of x, got {of} in {:?}", weight.dims());
        }
        if let Some(bias) = bias
            && bias.dims() != [c_out]
        {
            bail!("{op}: expected bias [{c_out}], got {:?}", bias.dims());
        }
        for (name, other) in [("weight", Some(weight)), ("bias", bias)] {
            let Some(other) = other else { continue };
            if other.dtype() != x.dtype() {
                bail!("{op}: expected {name} of {:?} as x, got {:?}", x.dtype(), other.dtype());
            }
            if !other.device().same_device(x.device()) {
                let (expected, got) = (x.device().location(), other.device().location());
                bail!("{op}: expected {name} on {expected:?} as x, got {got:?}");
            }
        }
        if !x.dtype().is_float() {
            bail!("{op}: expected floating-point x, got {:?}", x.dtype());
        }
        if stride == 0 {
            bail!("{op}: expected a stride of at least 1, got 0");
        }
        if [batch, c_in, c_out, k_h, k_w].contains(&0) {
            bail!("{op}: expected sizes of at least 1, got {:?} and weight {:?}", x.dims(), weight.dims());
        }
        let (padded_height, padded_width) = (height + 2 * padding, width + 2 * padding);
        if k_h > padded_height || k_w > padded_width {
            bail!("{op}: expected a kernel within {padded_height} x {padded_width}, got {k_h} x {k_w}");
        }
        let (rows, columns) = ((padded_height - k_h) / stride + 1, (padded_width - k_w) / stride + 1);
        Ok(Self { batch, c_in, height, width, c_out, k_h, k_w, stride, padding, rows, columns })
    }
}
