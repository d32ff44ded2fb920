//! Softmax and its logarithm.

use super::rows::{self, Real, RowOp};
use super::{check_real, in_f32};
use crate::check_interrupt;
use candle_core::shape::Dim;
use candle_core::{D, Result, Tensor};

/// exp(x) / Σ exp(x), summed over the dimension `dim` of `x`: numbers from 0 to 1 whose sum is 1. Has the shape of `x`.
/// Large values do not overflow, since the largest is subtracted first.
///
/// candle 0.11.1's own `softmax_last_dim` gives no gradient, without an error, and its `softmax` sums half precision in
/// half precision.
///
/// # Errors
/// When `x` has no such dimension, or is not of type `f16`, `bf16`, `f32` or `f64`.
pub fn softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    softmax_along(x, dim.to_index(x.shape(), "softmax")?)
}

/// The logarithm of [`softmax`]. It is more accurate than taking the logarithm of the result of `softmax`, which is -∞ where
/// a probability is too small for its type.
///
/// # Errors
/// Those of [`softmax`].
pub fn log_softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    log_softmax_along(x, dim.to_index(x.shape(), "log_softmax")?)
}

// Generic functions are compiled where they are called, in a cell for example, which would be slower code. So the kernels are called
// from functions that are not.

fn softmax_along(x: &Tensor, dim: usize) -> Result<Tensor> {
    along("softmax", x, dim, Softmax, composed_softmax)
}

fn log_softmax_along(x: &Tensor, dim: usize) -> Result<Tensor> {
    along("log_softmax", x, dim, LogSoftmax, composed_log_softmax)
}

/// Applies a kernel, or the composed operation where there is none, to the rows along `dim`.
fn along(
    name: &'static str,
    x: &Tensor,
    dim: usize,
    kernel: impl RowOp + 'static,
    composed: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    check_interrupt()?;
    check_real(name, x)?;
    let last = x.rank() - 1;
    in_f32(x, |x| {
        let rows = x.transpose(dim, last)?;
        let y = if rows::has_kernel(x) { rows::apply(&rows, kernel)? } else { composed(&rows)? };
        y.transpose(dim, last)
    })
}

/// The softmax of each row, composed of candle's operations, for every device.
pub(super) fn composed_softmax(x: &Tensor) -> Result<Tensor> {
    let exponentials = shifted(x)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

/// The logarithm of the softmax of each row, in the same way.
pub(super) fn composed_log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = shifted(x)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// x minus the largest value of its row. The result of a softmax does not depend on what is subtracted, so that gets no
/// gradient.
fn shifted(x: &Tensor) -> Result<Tensor> {
    x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())
}

/// The softmax of a row.
pub(super) struct Softmax;

impl RowOp for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    #[inline(always)]
    fn forward<T: Real>(&self, x: &[T], y: &mut [T]) {
        let largest = largest(x);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - largest).exp_of_negative());
        let sum = rows::sum([&*y], |[y]| y);
        y.iter_mut().for_each(|y| *y = T::narrow(y.wide() / sum));
    }

    /// dx = y · (dy - Σ y · dy)
    #[inline(always)]
    fn backward<T: Real>(&self, y: &[T], dy: &[T], dx: &mut [T]) {
        let mean = rows::sum([y, dy], |[y, dy]| y * dy);
        for (dx, (y, dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
            *dx = T::narrow(y.wide() * (dy.wide() - mean));
        }
    }
}

struct LogSoftmax;

impl RowOp for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    #[inline(always)]
    fn forward<T: Real>(&self, x: &[T], y: &mut [T]) {
        let largest = largest(x);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - largest).exp_of_negative());
        let subtracted = largest.wide() + rows::sum([&*y], |[y]| y).ln();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = T::narrow(x.wide() - subtracted));
    }

    /// dx = dy - exp(y) · Σ dy
    #[inline(always)]
    fn backward<T: Real>(&self, y: &[T], dy: &[T], dx: &mut [T]) {
        let sum = rows::sum([dy], |[dy]| dy);
        for (dx, (y, dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
            *dx = T::narrow(dy.wide() - y.exp_of_negative().wide() * sum);
        }
    }
}

/// The largest value, in lanes; NaN counts as the smallest.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    let larger = |one: T, other: T| if other > one { other } else { one };
    let lowest = T::narrow(f64::NEG_INFINITY);
    let mut lanes = [lowest; 16];
    let chunks = x.chunks_exact(16);
    let rest = chunks.remainder().iter().copied().fold(lowest, larger);
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *value);
        }
    }
    lanes.into_iter().fold(rest, larger)
}
