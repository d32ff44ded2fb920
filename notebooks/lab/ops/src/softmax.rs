//! Softmax and its logarithm.

use super::rows::{self, RowOp};
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
    along("softmax", x, dim, Softmax, composed_softmax)
}

/// The logarithm of [`softmax`]. It is more accurate than taking the logarithm of the result of `softmax`, which is -∞ where
/// a probability is too small for its type.
///
/// # Errors
/// Those of [`softmax`].
pub fn log_softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    along("log_softmax", x, dim, LogSoftmax, composed_log_softmax)
}

/// Applies a kernel, or the composed operation where there is none, to the rows along `dim`.
fn along(
    name: &'static str,
    x: &Tensor,
    dim: impl Dim,
    kernel: impl RowOp + 'static,
    composed: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    check_interrupt()?;
    check_real(name, x)?;
    let (dim, last) = (dim.to_index(x.shape(), name)?, x.rank() - 1);
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

struct Softmax;

impl RowOp for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, x: &[f64], y: &mut [f64]) {
        let largest = largest(x);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - largest).exp());
        let sum: f64 = y.iter().sum();
        y.iter_mut().for_each(|y| *y /= sum);
    }

    /// dx = y · (dy - Σ y · dy)
    fn backward(&self, _x: &[f64], y: &[f64], dy: &[f64], dx: &mut [f64]) {
        let mean: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
        dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (y, dy))| *dx = y * (dy - mean));
    }
}

struct LogSoftmax;

impl RowOp for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn forward(&self, x: &[f64], y: &mut [f64]) {
        let largest = largest(x);
        let sum = x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x - largest - sum);
    }

    /// dx = dy - exp(y) · Σ dy
    fn backward(&self, _x: &[f64], y: &[f64], dy: &[f64], dx: &mut [f64]) {
        let sum: f64 = dy.iter().sum();
        dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (y, dy))| *dx = dy - y.exp() * sum);
    }
}

fn largest(x: &[f64]) -> f64 {
    x.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
