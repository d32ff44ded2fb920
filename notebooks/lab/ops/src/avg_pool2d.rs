//! The average pools.

use super::output::Output;
use super::pool2d::Pool;
use super::processor::arch;
use super::threads;
use super::{check_real, contiguous, has_kernel, in_f32, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};

/// The mean of each `window` x `window` square: `[batch, channel, height, width]` to
/// `[batch, channel, height / window, width / window]`. Rows and columns that fill no window are left out.
///
/// The gradient of candle 0.11.1's own `Tensor::avg_pool2d` is an error where windows overlap.
///
/// # Errors
/// When `x` does not have four dimensions, is empty, or no window fits into it.
pub fn avg_pool2d(x: &Tensor, window: usize) -> Result<Tensor> {
    avg_pool2d_with_padding(x, window, window, 0)
}

/// [`avg_pool2d`] with windows that start every `stride` rows and columns, of images with so many rows and columns of zeros on each
/// side. The zeros count, as in PyTorch: each sum is divided by `window` · `window`.
///
/// # Errors
/// Those of [`avg_pool2d`], and when the stride is 0 or the padding is more than half of the window.
pub fn avg_pool2d_with_padding(x: &Tensor, window: usize, stride: usize, padding: usize) -> Result<Tensor> {
    check_interrupt()?;
    let pool = Pool { window, stride, padding };
    pool.check("avg_pool2d", x)?;
    in_f32(x, |x| {
        let x = pool.pad(x, 0.0)?;
        if has_kernel(&x) {
            return x.apply_op1(AvgPool2d(Pool { padding: 0, ..pool }));
        }
        let mut values = pool.pixels(&x)?.into_iter();
        let first = values.next().expect("a window has a pixel");
        values.try_fold(first, |sum, value| sum + value)? / (window * window) as f64
    })
}

/// The mean of each channel of each image: `[batch, channel, height, width]` to `[batch, channel]`.
///
/// # Errors
/// When `x` does not have four dimensions, or has no pixel.
pub fn global_avg_pool2d(x: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    check_real("global_avg_pool2d", x)?;
    if x.rank() != 4 || x.elem_count() == 0 {
        bail!(
            "global_avg_pool2d: expected x [batch, channels, height, width] with at least one pixel, got {:?}",
            x.dims()
        );
    }
    in_f32(x, |x| x.flatten_from(2)?.mean(D::Minus1))
}

/// Of images that have their padding already.
struct AvgPool2d(Pool);

impl CustomOp1 for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let (rows, columns) = (self.0.outputs(height), self.0.outputs(width));
        let mut y = Output::new(batch * channels * rows * columns);
        let images = y.chunks(channels * rows * columns).zip(x.chunks(channels * height * width));
        threads::for_each(images, |(y, x)| {
            let planes = y.filled(0.0).chunks_mut(rows * columns).zip(x.chunks(height * width));
            arch().dispatch(
                #[inline(always)]
                || {
                    planes.for_each(|(y, x)| {
                        self.each(width, columns, y.len(), |y_at, x_at| y[y_at] += x[x_at] * self.scale())
                    })
                },
            );
        });
        Ok((CpuStorage::F32(y.finish()), (batch, channels, rows, columns).into()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let (_, channels, height, width) = x.dims4()?;
        let (_, _, rows, columns) = y.dims4()?;
        let dy = dy.contiguous()?;
        let dy = values(&dy);
        let mut dx = Output::new(x.elem_count());
        let images =
            dx.chunks(channels * height * width).zip(dy.as_slice::<f32>()?.chunks(channels * rows * columns));
        threads::for_each(images, |(dx, dy)| {
            let planes = dx.filled(0.0).chunks_mut(height * width).zip(dy.chunks(rows * columns));
            arch().dispatch(
                #[inline(always)]
                || {
                    planes.for_each(|(dx, dy)| {
                        self.each(width, columns, dy.len(), |y_at, x_at| dx[x_at] += dy[y_at] * self.scale())
                    })
                },
            );
        });
        Tensor::from_vec(dx.finish(), x.shape(), x.device()).map(Some)
    }
}

impl AvgPool2d {
    fn scale(&self) -> f32 {
        1.0 / (self.0.window * self.0.window) as f32
    }

    /// Calls `f` with the index of each output of a plane and that of each pixel of its window.
    #[inline(always)]
    fn each(&self, width: usize, columns: usize, outputs: usize, mut f: impl FnMut(usize, usize)) {
        let Pool { window, stride, .. } = self.0;
        for output in 0..outputs {
            let corner = output / columns * stride * width + output % columns * stride;
            for row in 0..window {
                (0..window).for_each(|column| f(output, corner + row * width + column));
            }
        }
    }
}
