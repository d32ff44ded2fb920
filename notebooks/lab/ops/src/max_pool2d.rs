//! The max pool.

use super::output::Output;
use super::pool2d::Pool;
use super::processor::arch;
use super::threads;
use super::{contiguous, has_kernel, in_f32, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

/// The largest value of each `window` x `window` square: `[batch, channel, height, width]` to
/// `[batch, channel, height / window, width / window]`. Rows and columns that fill no window are left out.
///
/// The gradient goes to the largest value, and among equal values to the first, as in PyTorch.
///
/// # Errors
/// When `x` does not have four dimensions, is empty, or no window fits into it.
pub fn max_pool2d(x: &Tensor, window: usize) -> Result<Tensor> {
    max_pool2d_with_stride(x, window, window)
}

/// [`max_pool2d`] with windows that start every `stride` rows and columns, so that they may overlap:
/// `[batch, channel, (height - window) / stride + 1, (width - window) / stride + 1]`.
///
/// # Errors
/// When `x` does not have four dimensions, is empty, no window fits into it, or the stride is 0.
pub fn max_pool2d_with_stride(x: &Tensor, window: usize, stride: usize) -> Result<Tensor> {
    max_pool2d_with_padding(x, window, stride, 0)
}

/// [`max_pool2d_with_stride`] of images with so many rows and columns of padding on each side. The padding is never the largest
/// value: it counts as minus infinity.
///
/// # Errors
/// Those of [`max_pool2d_with_stride`], and when the padding is more than half of the window.
pub fn max_pool2d_with_padding(x: &Tensor, window: usize, stride: usize, padding: usize) -> Result<Tensor> {
    check_interrupt()?;
    let pool = Pool { window, stride, padding };
    pool.check("max_pool2d", x)?;
    // Where windows overlap, gradients are summed.
    in_f32(x, |x| {
        let x = pool.pad(x, f64::NEG_INFINITY)?;
        match has_kernel(&x) {
            true => x.apply_op1(MaxPool2d { window, stride, largest: OnceLock::new() }),
            false => composed(&x, pool),
        }
    })
}

/// Composed of candle's operations, for every device and type. Not by `argmax`, which chooses among equal values differently
/// on each device.
fn composed(padded: &Tensor, pool: Pool) -> Result<Tensor> {
    let mut values = pool.pixels(padded)?.into_iter();
    let first = values.next().expect("a window has a pixel");
    values.try_fold(first, |largest, value| {
        // NaN must propagate.
        let replaces = (value.gt(&largest)? + value.ne(&value)?)?;
        replaces.where_cond(&value, &largest)
    })
}

struct MaxPool2d {
    window: usize,
    stride: usize,
    /// The index of the largest value of each window within its plane.
    largest: OnceLock<Vec<u32>>,
}

impl CustomOp1 for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let outputs = |n| (n - self.window) / self.stride + 1;
        let (rows, columns) = (outputs(height), outputs(width));
        let (image, pooled) = (channels * height * width, channels * rows * columns);
        let (mut y, mut largest) = (Output::new(batch * pooled), Output::new(batch * pooled));
        let images = y.chunks(pooled).zip(largest.chunks(pooled)).zip(x.chunks(image));
        let arch = arch();
        threads::for_each(images, |((y, largest), x)| {
            let (y, largest) = (y.filled(0.0), largest.filled(0));
            let outputs = y.chunks_mut(rows * columns).zip(largest.chunks_mut(rows * columns));
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || {
                    for ((y, largest), x) in outputs.zip(x.chunks(height * width)) {
                        match self.stride {
                            1 => self.pool::<1>(x, width, columns, y, largest),
                            2 => self.pool::<2>(x, width, columns, y, largest),
                            _ => self.pool::<0>(x, width, columns, y, largest),
                        }
                    }
                },
            );
        });
        self.largest.get_or_init(|| largest.finish());
        Ok((CpuStorage::F32(y.finish()), (batch, channels, rows, columns).into()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let (batch, channels, height, width) = x.dims4()?;
        let (image, pooled) = (channels * height * width, y.elem_count() / batch);
        let Some(largest) = self.largest.get() else { bail!("max_pool2d: expected a forward pass before") };
        let dy = dy.contiguous()?;
        let dy = values(&dy);
        let mut dx = Output::new(x.elem_count());
        let outputs = largest.chunks(pooled).zip(dy.as_slice::<f32>()?.chunks(pooled));
        threads::for_each(dx.chunks(image).zip(outputs), |(dx, (largest, dy))| {
            let planes = dx.filled(0.0).chunks_mut(height * width);
            let outputs = largest.chunks(pooled / channels).zip(dy.chunks(pooled / channels));
            for (dx, (largest, dy)) in planes.zip(outputs) {
                for (at, dy) in largest.iter().zip(dy) {
                    dx[*at as usize] += dy;
                }
            }
        });
        Tensor::from_vec(dx.finish(), x.shape(), x.device()).map(Some)
    }
}

impl MaxPool2d {
    /// The largest value of each window of a plane, and its index. A stride that is known at compile time lets the compiler
    /// use vector instructions; 0 stands for any other.
    #[inline(always)]
    fn pool<const STRIDE: usize>(
        &self,
        x: &[f32],
        width: usize,
        columns: usize,
        y: &mut [f32],
        largest: &mut [u32],
    ) {
        let stride = if STRIDE == 0 { self.stride } else { STRIDE };
        let rows = y.chunks_exact_mut(columns).zip(largest.chunks_exact_mut(columns));
        for (row, (y, largest)) in rows.enumerate() {
            for pixel in 0..self.window * self.window {
                let start = (row * stride + pixel / self.window) * width + pixel % self.window;
                assert!(start + (columns - 1) * stride < x.len(), "a window beyond the plane");
                for (column, (y, largest)) in y.iter_mut().zip(largest.iter_mut()).enumerate() {
                    let at = start + column * stride;
                    // SAFETY: `y` has `columns` values, so `column` is at most `columns - 1`, and `at` is at most the index that
                    // the assertion above has found to be within `x`.
                    let value = unsafe { *x.get_unchecked(at) };
                    // NaN must propagate.
                    let replaces = (value > *y) | value.is_nan() | (pixel == 0);
                    *y = if replaces { value } else { *y };
                    *largest = if replaces { at as u32 } else { *largest };
                }
            }
        }
    }
}
