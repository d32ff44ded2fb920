//! Batch normalization.

use super::output::{Chunk, Output};
use super::processor::arch;
use super::sums::{sum, sums};
use super::threads;
use super::{check_real, contiguous, has_kernel, in_f32, relu, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::sync::Mutex;

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
            let moments = Planes::new(x.layout()).moments(values(&x).as_slice()?);
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

/// Mean and variance of a channel.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    variance: f64,
}

impl Moments {
    /// The mean as a number that can be subtracted from an `f32`, and the rest of it.
    fn near(&self) -> (f32, f64) {
        let near = self.mean as f32;
        (near, self.mean - f64::from(near))
    }
}

/// A tensor `[batch, channels, …]` as planes: the values of a channel of an image, which are contiguous.
struct Planes {
    channels: usize,
    /// The number of values of a plane.
    len: usize,
    /// The number of values of a channel in all images.
    of_channel: f64,
}

impl Planes {
    fn new(layout: &Layout) -> Self {
        let dims = layout.dims();
        let (channels, len) = (dims[1], dims[2..].iter().product());
        Self { channels, len, of_channel: (dims[0] * len) as f64 }
    }

    /// The planes of a channel, in the order of the images.
    fn of<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        values.chunks_exact(self.len).skip(channel).step_by(self.channels)
    }

    /// Calls `f` with each channel and, for each image, room for its plane; on all threads.
    fn map(&self, output: &mut Output<f32>, f: impl Fn(usize, Vec<Chunk<'_, f32>>) + Sync) {
        let mut of_channels: Vec<Vec<_>> = (0..self.channels).map(|_| Vec::new()).collect();
        for (at, plane) in output.chunks(self.len).enumerate() {
            of_channels[at % self.channels].push(plane);
        }
        let arch = arch();
        threads::for_each(of_channels.into_iter().enumerate(), |(channel, planes)| {
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || f(channel, planes),
            );
        });
    }

    /// What `f` makes of each channel, on all threads.
    fn each<T: Send>(&self, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let results: Vec<Mutex<Option<T>>> = (0..self.channels).map(|_| Mutex::new(None)).collect();
        let arch = arch();
        threads::for_each(results.iter().enumerate(), |(channel, result)| {
            let value = arch.dispatch(
                #[inline(always)]
                || f(channel),
            );
            *result.lock().unwrap() = Some(value);
        });
        results.into_iter().map(|result| result.into_inner().unwrap().expect("each was computed")).collect()
    }

    fn moments(&self, x: &[f32]) -> Vec<Moments> {
        self.each(
            #[inline(always)]
            |channel| {
                let mut planes = self.of(x, channel).peekable();
                // Deviations from a number that is likely to be near the mean: their squares are small, and no digits are lost.
                let near = planes.peek().map_or(0.0, |plane| sum([plane], |[x]| x) / self.len as f64) as f32;
                let (mut deviation, mut square) = (0.0, 0.0);
                for plane in planes {
                    let [deviations, squares] = sums([plane], |[x]| [x - near, (x - near) * (x - near)]);
                    deviation += deviations;
                    square += squares;
                }
                let off = deviation / self.of_channel;
                let variance = square / self.of_channel - off * off;
                // NaN propagates.
                let variance = if variance < 0.0 { 0.0 } else { variance };
                Moments { mean: f64::from(near) + off, variance }
            },
        )
    }
}

struct BatchNorm {
    op: &'static str,
    moments: Vec<Moments>,
    eps: f64,
    /// Whether ReLU follows.
    has_relu: bool,
}

/// What is done to each value of a channel: (x - near) · scale + shift, but at least `least`.
#[derive(Clone, Copy)]
struct Line {
    near: f32,
    scale: f32,
    shift: f32,
    least: f32,
}

impl Line {
    /// NaN is not at most anything, and propagates.
    #[inline(always)]
    fn at(&self, x: f32) -> f32 {
        let y = (x - self.near) * self.scale + self.shift;
        if y <= self.least { self.least } else { y }
    }

    /// The gradient of a value before ReLU.
    #[inline(always)]
    fn passes(&self, x: f32, dy: f32) -> f32 {
        if self.at(x) <= self.least { 0.0 } else { dy }
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let weight = contiguous::<f32>(self.name(), weight, weight_layout)?;
        let bias = contiguous::<f32>(self.name(), bias, bias_layout)?;
        let planes = Planes::new(layout);
        let mut y = Output::new(x.len());
        planes.map(
            &mut y,
            #[inline(always)]
            |channel, outputs| {
                let line = self.line(channel, weight, bias);
                for (y, x) in outputs.into_iter().zip(planes.of(x, channel)) {
                    y.collected(x.iter().map(|x| line.at(*x)));
                }
            },
        );
        Ok((CpuStorage::F32(y.finish()), layout.shape().clone()))
    }

    /// With x̂ = (x - mean) / √(variance + eps), of each channel: dweight = Σ dy · x̂, dbias = Σ dy, and
    /// dx = weight / √(variance + eps) · (dy - mean of dy - x̂ · mean of (dy · x̂)), where dy is 0 if the ReLU has stopped it.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let planes = Planes::new(x.layout());
        let (x_values, weights, biases, dy_values) = (values(x), values(weight), values(bias), values(&dy));
        let (xs, dys) = (x_values.as_slice::<f32>()?, dy_values.as_slice::<f32>()?);
        let (weights, biases) = (weights.as_slice::<f32>()?, biases.as_slice::<f32>()?);
        let of_channels = planes.each(
            #[inline(always)]
            |channel| {
                let ((near, rest), line) =
                    (self.moments[channel].near(), self.line(channel, weights, biases));
                let (mut of_dy, mut of_product) = (0.0, 0.0);
                for (x, dy) in planes.of(xs, channel).zip(planes.of(dys, channel)) {
                    let [dys, products] = sums(
                        [x, dy],
                        #[inline(always)]
                        |[x, dy]| {
                            let dy = line.passes(x, dy);
                            [dy, (x - near) * dy]
                        },
                    );
                    of_dy += dys;
                    of_product += products;
                }
                (of_dy, (of_product - rest * of_dy) * self.scale(channel))
            },
        );
        let mut dx = Output::new(xs.len());
        planes.map(
            &mut dx,
            #[inline(always)]
            |channel, outputs| {
                let ((_, rest), line) = (self.moments[channel].near(), self.line(channel, weights, biases));
                let (of_dy, of_product) = of_channels[channel];
                let slope = of_product / planes.of_channel * self.scale(channel);
                let offset = (of_dy / planes.of_channel - rest * slope) as f32;
                let slope = slope as f32;
                let inputs = planes.of(xs, channel).zip(planes.of(dys, channel));
                for (dx, (x, dy)) in outputs.into_iter().zip(inputs) {
                    let values = x.iter().zip(dy);
                    dx.collected(values.map(|(x, dy)| {
                        line.scale * (line.passes(*x, *dy) - offset - (x - line.near) * slope)
                    }));
                }
            },
        );
        let gradient = |of: fn(&(f64, f64)) -> f64| {
            let values: Vec<f32> = of_channels.iter().map(|sums| of(sums) as f32).collect();
            Tensor::from_vec(values, planes.channels, x.device())
        };
        let dx = Tensor::from_vec(dx.finish(), x.shape(), x.device())?;
        Ok((Some(dx), Some(gradient(|(_, product)| *product)?), Some(gradient(|(dy, _)| *dy)?)))
    }
}

impl BatchNorm {
    fn line(&self, channel: usize, weight: &[f32], bias: &[f32]) -> Line {
        let (near, rest) = self.moments[channel].near();
        let scale = self.scale(channel) * f64::from(weight[channel]);
        let shift = (f64::from(bias[channel]) - rest * scale) as f32;
        Line { near, scale: scale as f32, shift, least: if self.has_relu { 0.0 } else { f32::NEG_INFINITY } }
    }

    /// 1 / √(variance + eps)
    fn scale(&self, channel: usize) -> f64 {
        1.0 / (self.moments[channel].variance + self.eps).sqrt()
    }
}

/// scale · x + shift, both of the channel.
struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "batch_norm_with_statistics"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let scale = contiguous::<f32>(self.name(), scale, scale_layout)?;
        let shift = contiguous::<f32>(self.name(), shift, shift_layout)?;
        let planes = Planes::new(layout);
        let mut y = Output::new(x.len());
        planes.map(
            &mut y,
            #[inline(always)]
            |channel, outputs| {
                let (scale, shift) = (scale[channel], shift[channel]);
                for (y, x) in outputs.into_iter().zip(planes.of(x, channel)) {
                    y.collected(x.iter().map(|x| x * scale + shift));
                }
            },
        );
        Ok((CpuStorage::F32(y.finish()), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        _shift: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let planes = Planes::new(x.layout());
        let (x_values, scales, dy_values) = (values(x), values(scale), values(&dy));
        let (xs, scales, dys) =
            (x_values.as_slice::<f32>()?, scales.as_slice::<f32>()?, dy_values.as_slice::<f32>()?);
        let of_channels = planes.each(
            #[inline(always)]
            |channel| {
                let (mut of_dy, mut of_product) = (0.0, 0.0);
                for (x, dy) in planes.of(xs, channel).zip(planes.of(dys, channel)) {
                    let [dys, products] = sums([x, dy], |[x, dy]| [dy, x * dy]);
                    of_dy += dys;
                    of_product += products;
                }
                (of_dy as f32, of_product as f32)
            },
        );
        let mut dx = Output::new(xs.len());
        planes.map(
            &mut dx,
            #[inline(always)]
            |channel, outputs| {
                for (dx, dy) in outputs.into_iter().zip(planes.of(dys, channel)) {
                    dx.collected(dy.iter().map(|dy| scales[channel] * dy));
                }
            },
        );
        let gradient = |of: fn(&(f32, f32)) -> f32| {
            Tensor::from_vec(of_channels.iter().map(of).collect::<Vec<_>>(), planes.channels, x.device())
        };
        let dx = Tensor::from_vec(dx.finish(), x.shape(), x.device())?;
        Ok((Some(dx), Some(gradient(|(_, product)| *product)?), Some(gradient(|(dy, _)| *dy)?)))
    }
}
