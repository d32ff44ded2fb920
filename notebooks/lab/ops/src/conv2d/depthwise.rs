//! The depthwise convolution: with as many groups as input channels, each output channel is computed from one channel alone. There
//! is nothing that many channels could share, so the outputs of a plane are taken together, a vector at a time.

mod frame;
mod kernel;

use self::frame::Frame;
use self::kernel::{Backward, Forward};
use super::size::Size;
use super::tile::lanes;
use crate::output::Output;
use crate::planes::Planes;
use crate::processor::arch;
use crate::{check_interrupt, contiguous, values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// `size.c_in` is 1, the number of channels of a group.
pub struct Depthwise {
    pub op: &'static str,
    pub size: Size,
    /// The number of input channels.
    pub channels: usize,
    /// Whether ReLU follows.
    pub has_relu: bool,
}

impl Depthwise {
    /// The number of output channels of a group.
    fn outputs(&self) -> usize {
        self.size.c_out / self.channels
    }

    /// The planes of `x`, and those of `y`.
    fn planes(&self) -> [Planes; 2] {
        let Size { batch, height, width, c_out, .. } = self.size;
        [
            Planes::of_size(batch, self.channels, height * width),
            Planes::of_size(batch, c_out, self.size.pixels()),
        ]
    }

    fn frame(&self) -> Frame {
        Frame::new(self.size, lanes(arch()))
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
        let ([of_x, of_y], frame) = (self.planes(), self.frame());
        let mut y = Output::new(self.size.batch * self.size.output());
        of_y.map(
            &mut y,
            #[inline(always)]
            |channel, outputs| {
                let mut framed = vec![0.0; frame.len()];
                let (weight, bias) =
                    (&weight[channel * self.size.kernel()..][..self.size.kernel()], bias[channel]);
                for (y, x) in outputs.into_iter().zip(of_x.of(x, channel / self.outputs())) {
                    frame.put(x, &mut framed);
                    let (x, y, has_relu) = (&framed[..], y.filled(0.0), self.has_relu);
                    arch().dispatch(Forward { frame: &frame, x, weight, bias, has_relu, y });
                }
            },
        );
        let Size { batch, c_out, rows, columns, .. } = self.size;
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
        let ([of_x, of_y], frame, kernel) = (self.planes(), self.frame(), self.size.kernel());
        let mut dx = Output::new(xs.len());
        let gradients = of_x.map(
            &mut dx,
            #[inline(always)]
            |channel, outputs| {
                let (mut framed, mut dx) = (vec![0.0; frame.len()], vec![0.0; frame.len()]);
                let mut dy = vec![0.0; frame.outputs()];
                let mut dweights = vec![0.0f64; self.outputs() * kernel];
                let mut dbias = vec![0.0f64; self.outputs()];
                let first = channel * self.outputs();
                let mut of_outputs: Vec<_> =
                    (first..first + self.outputs()).map(|at| of_y.of(ys, at).zip(of_y.of(dys, at))).collect();
                for (plane, x) in outputs.into_iter().zip(of_x.of(xs, channel)) {
                    frame.put(x, &mut framed);
                    dx.fill(0.0);
                    for (at, planes) in of_outputs.iter_mut().enumerate() {
                        let (y, gradient) = planes.next().expect("y has as many images as x");
                        dbias[at] += self.spread(&frame, y, gradient, &mut dy);
                        let weight = &weights[(first + at) * kernel..][..kernel];
                        let dweight = &mut dweights[at * kernel..][..kernel];
                        let (x, dy, dx) = (&framed[..], &dy[..], &mut dx[..]);
                        arch().dispatch(Backward { frame: &frame, x, weight, dy, dx, dweight });
                    }
                    frame.take(&dx, plane.filled(0.0));
                }
                (dweights, dbias)
            },
        );
        let (dweights, dbias): (Vec<_>, Vec<_>) = gradients.into_iter().unzip();
        let tensor = |values: Vec<Vec<f64>>, of: &Tensor| {
            let values: Vec<f32> = values.into_iter().flatten().map(|value| value as f32).collect();
            Tensor::from_vec(values, of.shape(), of.device())
        };
        let dx = Tensor::from_vec(dx.finish(), x.shape(), x.device())?;
        Ok((Some(dx), Some(tensor(dweights, weight)?), Some(tensor(dbias, bias)?)))
    }
}

impl Depthwise {
    /// Puts the gradient of a plane of outputs into vectors, 0 where ReLU has made `y` 0. Returns its sum.
    #[inline(always)]
    fn spread(&self, frame: &Frame, y: &[f32], dy: &[f32], vectors: &mut [f32]) -> f64 {
        let lanes = vectors.len() / frame.places.len();
        let mut sum = 0.0;
        for (vector, values) in vectors.chunks_exact_mut(lanes).enumerate() {
            let outputs = frame.output(vector);
            for (value, (y, dy)) in values.iter_mut().zip(y[outputs.clone()].iter().zip(&dy[outputs])) {
                *value = if self.has_relu && *y <= 0.0 { 0.0 } else { *dy };
            }
            sum += f64::from(values.iter().sum::<f32>());
        }
        sum
    }
}
