//! Batch normalization.

mod affine;
mod moments;
mod training;

use self::affine::Affine;
use self::moments::{Moments, moments};
use self::training::BatchNorm;
use super::{check_real, has_kernel, in_f32, relu, values};
use crate::check_interrupt;
use crate::planes::Planes;
use candle_core::{Result, Tensor, bail};

/// What batch normalization has found in a batch: the mean of each channel, and its variance (divided by n), both `[channels]` and
/// without a gradient.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// The means.
    pub mean: Tensor,
    /// The variances.
    pub variance: Tensor,
}

/// Batch normalization of `x` `[batch, channels, …]` as in training: the values of each channel, of all images and places, have
/// their mean subtracted, are divided by √(variance + `eps`) and multiplied by the channel's value of `weight` `[channels]`, and
/// that of `bias` `[channels]` is added. The variance is divided by n, as in PyTorch. Ioffe and Szegedy, "Batch normalization",
/// 2015.
///
/// Gives the result, of the shape of `x`, and what it has found, from which a layer keeps running statistics.
///
/// # Errors
/// When shapes, types or devices do not match, a channel has fewer than two values, or `eps` is negative or NaN.
pub fn batch_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<(Tensor, BatchStatistics)> {
    normalize("batch_norm", x, weight, bias, eps, false)
}

/// [`batch_norm`] followed by [`relu`](crate::relu()), in one operation: memory is read and written once for both.
///
/// # Errors
/// Those of [`batch_norm`].
pub fn batch_norm_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    normalize("batch_norm_relu", x, weight, bias, eps, true)
}

/// The normalization as in training. `op` is its name in errors.
fn normalize(
    op: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    has_relu: bool,
) -> Result<(Tensor, BatchStatistics)> {
    check(op, x, [("weight", weight), ("bias", bias)], eps)?;
    if x.elem_count() < 2 * x.dims()[1] {
        bail!("{op}: expected at least two values in a channel, got {:?}", x.dims());
    }
    let mut found = None;
    let y = in_f32(x, |x| {
        let (weight, bias) = (weight.to_dtype(x.dtype())?, bias.to_dtype(x.dtype())?);
        let (y, statistics) = if has_kernel(x) {
            let x = x.contiguous()?;
            let moments = moments(&Planes::new(x.layout()), values(&x).as_slice()?);
            let statistics = statistics(&moments, &x)?;
            let operation = BatchNorm { op, moments, eps, has_relu };
            (x.apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?, statistics)
        } else {
            let (y, statistics) = composed(x, &weight, &bias, eps)?;
            (if has_relu { relu(&y)? } else { y }, statistics)
        };
        found = Some(statistics);
        Ok(y)
    })?;
    Ok((y, found.expect("it has been computed")))
}

/// Batch normalization as in evaluation: [`batch_norm`] with a `mean` and a `variance`, both `[channels]`, that were found before.
///
/// # Errors
/// When shapes, types or devices do not match, or `eps` is negative or NaN.
pub fn batch_norm_with_statistics(
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let parameters = [("mean", mean), ("variance", variance), ("weight", weight), ("bias", bias)];
    check("batch_norm_with_statistics", x, parameters, eps)?;
    in_f32(x, |x| {
        let [mean, variance, weight, bias] =
            [mean, variance, weight, bias].map(|parameter| parameter.to_dtype(x.dtype()));
        let scale = weight?.broadcast_div(&(variance? + eps)?.sqrt()?)?;
        let shift = (bias? - mean?.mul(&scale)?)?;
        match has_kernel(x) {
            true => x.contiguous()?.apply_op3(&scale.contiguous()?, &shift.contiguous()?, Affine),
            false => x.broadcast_mul(&along(&scale, x)?)?.broadcast_add(&along(&shift, x)?),
        }
    })
}

/// The checks that both have in common. `parameters` are named in errors.
fn check<const N: usize>(op: &str, x: &Tensor, parameters: [(&str, &Tensor); N], eps: f64) -> Result<()> {
    check_interrupt()?;
    check_real(op, x)?;
    let (Some(&channels), true) = (x.dims().get(1), x.elem_count() > 0) else {
        bail!("{op}: expected x [batch, channels, …] with at least one value, got {:?}", x.dims());
    };
    if eps.is_nan() || eps < 0.0 {
        bail!("{op}: expected an eps of at least 0, got {eps}");
    }
    for (name, parameter) in parameters {
        if parameter.dims() != [channels] {
            bail!("{op}: expected {name} [{channels}], got {:?}", parameter.dims());
        }
        if !parameter.dtype().is_float() {
            bail!("{op}: expected floating-point {name}, got {:?}", parameter.dtype());
        }
        let (expected, got) = (x.device().location(), parameter.device().location());
        if got != expected {
            bail!("{op}: expected {name} on {expected:?} as x, got {got:?}");
        }
    }
    Ok(())
}

/// A value of each channel in the shape `[1, channels, 1, …]`.
fn along(parameter: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[1] = x.dims()[1];
    parameter.reshape(shape)
}

/// Composed of candle's operations, for every device and type.
fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<(Tensor, BatchStatistics)> {
    let over: Vec<usize> = (0..x.rank()).filter(|dim| *dim != 1).collect();
    let mean = x.mean_keepdim(&over[..])?;
    let centered = x.broadcast_sub(&mean)?;
    let variance = centered.sqr()?.mean_keepdim(&over[..])?;
    let y = centered.broadcast_div(&(&variance + eps)?.sqrt()?)?;
    let y = y.broadcast_mul(&along(weight, x)?)?.broadcast_add(&along(bias, x)?)?;
    let flat = |statistic: &Tensor| Ok::<_, candle_core::Error>(statistic.flatten_all()?.detach());
    Ok((y, BatchStatistics { mean: flat(&mean)?, variance: flat(&variance)? }))
}

fn statistics(moments: &[Moments], x: &Tensor) -> Result<BatchStatistics> {
    let of = |statistic: fn(&Moments) -> f64| {
        let values: Vec<f32> = moments.iter().map(|moments| statistic(moments) as f32).collect();
        Tensor::from_vec(values, moments.len(), x.device())
    };
    Ok(BatchStatistics { mean: of(|moments| moments.mean)?, variance: of(|moments| moments.variance)? })
}
