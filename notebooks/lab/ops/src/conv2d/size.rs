//! The sizes of a convolution.

use candle_core::{Result, Tensor, bail};
use candle_nn::Conv2dConfig;

/// The sizes of a convolution, which fit each other.
#[derive(Clone, Copy)]
pub struct Size {
    pub batch: usize,
    /// The number of input channels that an output channel is computed from: with groups, a part of the channels of `x`.
    pub c_in: usize,
    pub height: usize,
    pub width: usize,
    pub c_out: usize,
    pub k_h: usize,
    pub k_w: usize,
    pub stride: usize,
    pub padding: usize,
    /// The distance from one value under the kernel to the next, in pixels.
    pub dilation: usize,
    /// Rows of the output; `columns` likewise.
    pub rows: usize,
    pub columns: usize,
}

impl Size {
    pub fn new(
        op: &str,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        config: &Conv2dConfig,
    ) -> Result<Self> {
        let &Conv2dConfig { stride, padding, dilation, groups, .. } = config;
        let &[batch, channels, height, width] = x.dims() else {
            bail!("{op}: expected x [batch, channels, height, width], got {:?}", x.dims());
        };
        let &[c_out, c_in, k_h, k_w] = weight.dims() else {
            bail!("{op}: expected weight [c_out, c_in, height, width], got {:?}", weight.dims());
        };
        if groups == 0 || !channels.is_multiple_of(groups) || !c_out.is_multiple_of(groups) {
            bail!("{op}: expected channels in {groups} groups, got {channels} to {c_out}");
        }
        if c_in != channels / groups {
            let of = if groups == 1 { String::new() } else { format!(" in {groups} groups") };
            bail!(
                "{op}: expected weight for the {channels} channels of x{of}, got {c_in} in {:?}",
                weight.dims()
            );
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
            // Not by `same_device`, to which the same GPU is another device each time that it is opened.
            let (expected, got) = (x.device().location(), other.device().location());
            if got != expected {
                bail!("{op}: expected {name} on {expected:?} as x, got {got:?}");
            }
        }
        if !x.dtype().is_float() {
            bail!("{op}: expected floating-point x, got {:?}", x.dtype());
        }
        if stride == 0 {
            bail!("{op}: expected a stride of at least 1, got 0");
        }
        if dilation == 0 {
            bail!("{op}: expected a dilation of at least 1, got 0");
        }
        if [batch, c_in, height, width, c_out, k_h, k_w].contains(&0) {
            bail!("{op}: expected sizes of at least 1, got {:?} and weight {:?}", x.dims(), weight.dims());
        }
        let padded = |n: usize| padding.checked_mul(2)?.checked_add(n);
        let (Some(padded_height), Some(padded_width)) = (padded(height), padded(width)) else {
            bail!("{op}: expected a padding that can be counted, got {padding}");
        };
        let fits = |kernel, padded| reach(kernel, dilation).is_some_and(|reach| reach <= padded);
        if !fits(k_h, padded_height) || !fits(k_w, padded_width) {
            let dilated = if dilation == 1 { String::new() } else { format!(" with dilation {dilation}") };
            bail!(
                "{op}: expected a kernel within {padded_height} x {padded_width}, got {k_h} x {k_w}{dilated}"
            );
        }
        let outputs = |padded: usize, kernel: usize| (padded - 1 - (kernel - 1) * dilation) / stride + 1;
        let (rows, columns) = (outputs(padded_height, k_h), outputs(padded_width, k_w));
        Ok(Self { batch, c_in, height, width, c_out, k_h, k_w, stride, padding, dilation, rows, columns })
    }

    /// The number of values of an image.
    pub fn image(&self) -> usize {
        self.c_in * self.height * self.width
    }

    /// The number of values of an output image.
    pub fn output(&self) -> usize {
        self.c_out * self.pixels()
    }

    /// The number of pixels of an output image.
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// The number of weights of an output channel.
    pub fn kernel(&self) -> usize {
        self.c_in * self.k_h * self.k_w
    }

    pub fn padded_height(&self) -> usize {
        self.height + 2 * self.padding
    }

    pub fn padded_width(&self) -> usize {
        self.width + 2 * self.padding
    }
}

/// The number of pixels from the first value under a kernel to the last, both included; none if it overflows.
fn reach(kernel: usize, dilation: usize) -> Option<usize> {
    (kernel - 1).checked_mul(dilation)?.checked_add(1)
}
