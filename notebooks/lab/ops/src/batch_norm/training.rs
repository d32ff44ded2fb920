//! Batch normalization as in training.

use super::moments::Moments;
use crate::output::Output;
use crate::planes::Planes;
use crate::sums::sums;
use crate::{check_interrupt, contiguous, values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// The operation, with what was found in the batch.
pub struct BatchNorm {
    pub op: &'static str,
    pub moments: Vec<Moments>,
    pub eps: f64,
    /// Whether ReLU follows.
    pub has_relu: bool,
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
