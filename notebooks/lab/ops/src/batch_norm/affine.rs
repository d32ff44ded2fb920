//! Batch normalization with statistics that are given.

use crate::output::Output;
use crate::planes::Planes;
use crate::sums::sums;
use crate::{check_interrupt, contiguous, values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// scale · x + shift, both of the channel.
pub struct Affine;

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
