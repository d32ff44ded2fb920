//! The depthwise convolution: with as many groups as input channels, each output channel is computed from one channel alone. There
//! is nothing that many channels could share, so rows are treated as a whole: each weight multiplies a row of pixels.

use super::size::Size;
use crate::output::Output;
use crate::processor::arch;
use crate::sums::sum;
use crate::threads;
use crate::{check_interrupt, contiguous, values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use std::ops::Range;
use std::sync::Mutex;

/// The number of images whose gradients are summed before those of other images are added, as in `backward.rs`.
const IMAGES: usize = 8;

/// `size.c_in` is 1, the number of channels of a group.
pub struct Depthwise {
    pub op: &'static str,
    pub size: Size,
    /// The number of input channels.
    pub channels: usize,
    /// Whether ReLU follows.
    pub has_relu: bool,
}

/// A row of the output that a weight contributes to, with the row of the image that it multiplies; and, of both, the first pixel that
/// takes part, and their number.
struct Run {
    output: usize,
    image: usize,
    len: usize,
}

impl Depthwise {
    /// Calls `f` with the index of each weight of a kernel, and each run of pixels that it joins.
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(usize, Run)) {
        let Size { height, width, k_h, k_w, stride, padding, dilation, rows, columns, .. } = self.size;
        // The places of the output where a weight meets a pixel of the image, and not the padding.
        let inside = |weight: usize, outputs: usize, side: usize| -> Range<usize> {
            let offset = weight * dilation;
            let first = padding.saturating_sub(offset).div_ceil(stride);
            let end = (side + padding).saturating_sub(offset).div_ceil(stride);
            first..end.min(outputs).max(first)
        };
        for u in 0..k_h {
            for v in 0..k_w {
                let across = inside(v, columns, width);
                for row in inside(u, rows, height) {
                    let image = (row * stride + u * dilation - padding) * width;
                    if !across.is_empty() {
                        let column = across.start * stride + v * dilation - padding;
                        let run = Run {
                            output: row * columns + across.start,
                            image: image + column,
                            len: across.len(),
                        };
                        f(u * k_w + v, run);
                    }
                }
            }
        }
    }

    /// The number of output channels of a group.
    fn outputs(&self) -> usize {
        self.size.c_out / self.channels
    }

    /// The number of values of an image of all channels.
    fn image(&self) -> usize {
        self.channels * self.size.height * self.size.width
    }
}

impl CustomOp3 for Depthwise {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, x_layout)?;
        let weight = contiguous::<f32>(self.name(), weight, weight_layout)?;
        let bias = contiguous::<f32>(self.name(), bias, bias_layout)?;
        let Size { batch, c_out, rows, columns, stride, .. } = self.size;
        let (area, pixels, arch) = (self.size.height * self.size.width, self.size.pixels(), arch());
        let mut y = Output::new(batch * self.size.output());
        threads::for_each(y.chunks(self.size.output()).zip(x.chunks(self.image())), |(y, x)| {
            let y = y.filled(0.0);
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || {
                    for (output, y) in y.chunks_exact_mut(pixels).enumerate() {
                        let x = &x[output / self.outputs() * area..][..area];
                        let weight = &weight[output * self.size.kernel()..][..self.size.kernel()];
                        y.fill(bias[output]);
                        self.each(
                            #[inline(always)]
                            |at, run| {
                                add(&mut y[run.output..][..run.len], 1, &x[run.image..], stride, weight[at])
                            },
                        );
                        if self.has_relu {
                            y.iter_mut().for_each(|y| *y = if *y <= 0.0 { 0.0 } else { *y });
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(y.finish()), (batch, c_out, rows, columns).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let (x_values, weights, y_values, dy_values) = (values(x), values(weight), values(y), values(&dy));
        let (xs, weights) = (x_values.as_slice::<f32>()?, weights.as_slice::<f32>()?);
        let (ys, dys) = (y_values.as_slice::<f32>()?, dy_values.as_slice::<f32>()?);
        let Size { batch, c_out, stride, .. } = self.size;
        let (area, pixels, kernel) =
            (self.size.height * self.size.width, self.size.pixels(), self.size.kernel());
        let (image, output, arch) = (self.image(), self.size.output(), arch());
        let mut dx = Output::new(xs.len());
        let sums: Vec<_> = (0..batch.div_ceil(IMAGES)).map(|_| Mutex::new(None)).collect();
        let inputs =
            xs.chunks(IMAGES * image).zip(ys.chunks(IMAGES * output).zip(dys.chunks(IMAGES * output)));
        threads::for_each(
            dx.chunks(IMAGES * image).zip(inputs).zip(&sums),
            |((dx, (xs, (ys, dys))), sums)| {
                let dx = dx.filled(0.0);
                let (mut dweights, mut dbias) = (vec![0.0; c_out * kernel], vec![0.0; c_out]);
                let mut masked = vec![0.0; pixels];
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for (at, (y, dy)) in ys.chunks_exact(pixels).zip(dys.chunks_exact(pixels)).enumerate()
                        {
                            let channel = at % c_out;
                            let from = (at / c_out * self.channels + channel / self.outputs()) * area;
                            let (x, dx) = (&xs[from..][..area], &mut dx[from..][..area]);
                            let has_relu = self.has_relu;
                            for (masked, (y, dy)) in masked.iter_mut().zip(y.iter().zip(dy)) {
                                *masked = if has_relu && *y <= 0.0 { 0.0 } else { *dy };
                            }
                            let weight = &weights[channel * kernel..][..kernel];
                            let dweight = &mut dweights[channel * kernel..][..kernel];
                            dbias[channel] += sum([&masked], |[dy]| dy) as f32;
                            self.each(
                                #[inline(always)]
                                |at, run| {
                                    let dy = &masked[run.output..][..run.len];
                                    dweight[at] += product(dy, &x[run.image..], stride);
                                    add(&mut dx[run.image..], stride, dy, 1, weight[at]);
                                },
                            );
                        }
                    },
                );
                *sums.lock().unwrap() = Some((dweights, dbias));
            },
        );
        let (mut dweights, mut dbias) = (vec![0.0; c_out * kernel], vec![0.0; c_out]);
        for sums in sums {
            let (weights, biases) = sums.into_inner().unwrap().expect("each has been worked on");
            dweights.iter_mut().zip(weights).for_each(|(sum, value)| *sum += value);
            dbias.iter_mut().zip(biases).for_each(|(sum, value)| *sum += value);
        }
        let tensor = |values, of: &Tensor| Tensor::from_vec(values, of.shape(), of.device());
        Ok((Some(tensor(dx.finish(), x)?), Some(tensor(dweights, weight)?), Some(tensor(dbias, bias)?)))
    }
}

/// Adds the values of `from` times `weight` to those of `to`, each of them so many values apart; one of the two is contiguous, and has
/// as many values as count.
#[inline(always)]
fn add(to: &mut [f32], to_stride: usize, from: &[f32], from_stride: usize, weight: f32) {
    match (to_stride, from_stride) {
        (1, 1) => to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from),
        _ => {
            let pairs = to.iter_mut().step_by(to_stride).zip(from.iter().step_by(from_stride));
            pairs.for_each(|(to, from)| *to += weight * from);
        }
    }
}

/// The sum of products of `dy` with the values of `x`, which lie so many apart.
#[inline(always)]
fn product(dy: &[f32], x: &[f32], stride: usize) -> f32 {
    match stride {
        1 => sum([dy, &x[..dy.len()]], |[dy, x]| dy * x) as f32,
        _ => dy.iter().zip(x.iter().step_by(stride)).map(|(dy, x)| dy * x).sum(),
    }
}
