//! Layer normalization and root mean square normalization.

use super::rows::{self, RowOp};
use super::{check_real, in_f32};
use crate::check_interrupt;
use candle_core::{D, Result, Tensor, bail};

/// Layer normalization of `x` `[…, n]`: each vector along the last dimension has its mean subtracted, is divided by
/// √(variance + `eps`) and multiplied by `weight` `[n]`, and `bias` `[n]` is added. The variance is the mean of the squared
/// deviations (divided by n), as in PyTorch. Ba, Kiros and Hinton, "Layer normalization", 2016.
///
/// candle 0.11.1's own `layer_norm` gives no gradient, without an error.
///
/// # Errors
/// When shapes, types or devices do not match, a vector is empty, or `eps` is negative or NaN.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    normalize(x, weight, bias, Norm { op: "layer_norm", centered: true, eps })
}

/// [`layer_norm`] without subtraction of the mean and without bias: each vector along the last dimension of `x` `[…, n]` is
/// divided by √(mean of its squares + `eps`), and multiplied by `weight` `[n]`. Zhang and Sennrich, "Root mean square layer
/// normalization", 2019.
///
/// candle 0.11.1's own `rms_norm` gives no gradient, without an error.
///
/// # Errors
/// Those of [`layer_norm`].
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    normalize(x, weight, None, Norm { op: "rms_norm", centered: false, eps })
}

fn normalize(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, norm: Norm) -> Result<Tensor> {
    check_interrupt()?;
    let Norm { op, eps, .. } = norm;
    check_real(op, x)?;
    let n = x.dims().last().copied().unwrap_or(0);
    if n == 0 {
        bail!("{op}: expected x with at least one value in its last dimension, got {:?}", x.dims());
    }
    if eps.is_nan() || eps < 0.0 {
        bail!("{op}: expected an eps of at least 0, got {eps}");
    }
    for (name, parameter) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(parameter) = parameter else { continue };
        if parameter.dims() != [n] {
            bail!("{op}: expected {name} [{n}], got {:?}", parameter.dims());
        }
        if parameter.dtype() != x.dtype() {
            bail!("{op}: expected {name} of {:?} as x, got {:?}", x.dtype(), parameter.dtype());
        }
        let (expected, got) = (x.device().location(), parameter.device().location());
        if got != expected {
            bail!("{op}: expected {name} on {expected:?} as x, got {got:?}");
        }
    }
    in_f32(x, |x| {
        let normalized = if rows::has_kernel(x) { rows::apply(x, norm)? } else { norm.composed(x)? };
        let y = normalized.broadcast_mul(&weight.to_dtype(x.dtype())?)?;
        let Some(bias) = bias else { return Ok(y) };
        y.broadcast_add(&bias.to_dtype(x.dtype())?)
    })
}

pub(super) struct Norm {
    pub op: &'static str,
    /// Whether the mean is subtracted.
    pub centered: bool,
    pub eps: f64,
}

impl Norm {
    /// Composed of candle's operations, for every device.
    pub fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let x = if self.centered { x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)? } else { x.clone() };
        x.broadcast_div(&(x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?)
    }

    /// What is subtracted from a row, and what the difference is multiplied by.
    fn mean_and_scale(&self, x: &[f64]) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = if self.centered { x.iter().sum::<f64>() / n } else { 0.0 };
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

impl RowOp for Norm {
    fn name(&self) -> &'static str {
        self.op
    }

    fn forward(&self, x: &[f64], y: &mut [f64]) {
        let (mean, scale) = self.mean_and_scale(x);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale);
    }

    /// dx = scale · (dy - mean of dy - ŷ · mean of (dy · ŷ)), where ŷ is the normalized row before rounding. The mean of dy
    /// is left out if the row is not centered.
    fn backward(&self, x: &[f64], _y: &[f64], dy: &[f64], dx: &mut [f64]) {
        let (n, (mean, scale)) = (x.len() as f64, self.mean_and_scale(x));
        let mean_dy = if self.centered { dy.iter().sum::<f64>() / n } else { 0.0 };
        let along = x.iter().zip(dy).map(|(x, dy)| (x - mean) * scale * dy).sum::<f64>() / n;
        for (dx, (x, dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
            *dx = scale * (dy - mean_dy - (x - mean) * scale * along);
        }
    }
}
