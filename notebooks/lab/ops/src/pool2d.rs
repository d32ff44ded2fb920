//! What the pools have in common.

use candle_core::{Result, Tensor, bail};

/// The sizes of a pool, which fit each other.
#[derive(Clone, Copy)]
pub struct Pool {
    pub window: usize,
    pub stride: usize,
    /// The number of rows and columns of padding on each side.
    pub padding: usize,
}

impl Pool {
    /// Checks that a window fits into `x`, and that no window lies in the padding alone.
    pub fn check(&self, op: &str, x: &Tensor) -> Result<()> {
        let Self { window, stride, padding } = *self;
        let &[batch, channels, height, width] = x.dims() else {
            bail!("{op}: expected x [batch, channels, height, width], got {:?}", x.dims());
        };
        if batch == 0 || channels == 0 {
            bail!("{op}: expected at least one image and one channel, got {:?}", x.dims());
        }
        if padding > window / 2 {
            bail!("{op}: expected a padding of at most half the window of {window}, got {padding}");
        }
        let (padded_height, padded_width) = (height + 2 * padding, width + 2 * padding);
        if window == 0 || window > padded_height || window > padded_width || height == 0 || width == 0 {
            bail!("{op}: expected a window within {padded_height} x {padded_width}, got {window} x {window}");
        }
        if stride == 0 {
            bail!("{op}: expected a stride of at least 1, got 0");
        }
        if !x.dtype().is_float() {
            bail!("{op}: expected floating-point x, got {:?}", x.dtype());
        }
        Ok(())
    }

    /// The number of windows along a side.
    pub fn outputs(&self, side: usize) -> usize {
        (side + 2 * self.padding - self.window) / self.stride + 1
    }

    /// The images with their padding, which holds `value`.
    pub fn pad(&self, x: &Tensor, value: f64) -> Result<Tensor> {
        let padding = self.padding;
        if padding == 0 {
            return x.contiguous();
        }
        let padded = x.pad_with_zeros(2, padding, padding)?.pad_with_zeros(3, padding, padding)?;
        if value == 0.0 {
            return Ok(padded);
        }
        let (_, _, height, width) = padded.dims4()?;
        let is_outside = |at: usize, side: usize| at < padding || at >= side - padding;
        let border = |at: usize| {
            if is_outside(at / width, height) || is_outside(at % width, width) { value } else { 0.0 }
        };
        let border = Tensor::from_iter((0..height * width).map(|at| border(at) as f32), x.device())?;
        padded.broadcast_add(&border.reshape((height, width))?.to_dtype(x.dtype())?)
    }

    /// For each pixel of a window the values that all windows have there, `[batch, channels, rows, columns]`; of padded images.
    /// By candle's operations, for every device and type.
    pub fn pixels(&self, padded: &Tensor) -> Result<Vec<Tensor>> {
        let Self { window, stride, .. } = *self;
        let (_, _, height, width) = padded.dims4()?;
        // The row (or column) `start` of every window.
        let every = |start: usize, side: usize| {
            let last = (side - window) / stride;
            Tensor::from_iter((0..=last).map(|at| (at * stride + start) as u32), padded.device())
        };
        let rows: Vec<_> =
            (0..window).map(|row| padded.index_select(&every(row, height)?, 2)).collect::<Result<_>>()?;
        let columns: Vec<_> = (0..window).map(|column| every(column, width)).collect::<Result<_>>()?;
        let value = |pixel: usize| rows[pixel / window].index_select(&columns[pixel % window], 3);
        (0..window * window).map(value).collect()
    }
}
