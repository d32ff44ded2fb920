//! GELU.

use super::exp::{exp, scaled_erfc};
use super::output::Output;
use super::processor::arch;
use super::threads;
use super::{check_real, contiguous, has_kernel, in_f32, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::f64::consts::FRAC_1_SQRT_2;

/// The number of values in a chunk of work.
const CHUNK: usize = 1 << 12;

/// x · Φ(x) for each value of `x`, of any shape, where Φ is the distribution function of the normal distribution,
/// (1 + erf(x / √2)) / 2. Not the approximation by tanh. Hendrycks and Gimpel, "Gaussian error linear units", 2016.
///
/// # Errors
/// When `x` is not of a floating-point type.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    check_real("gelu", x)?;
    in_f32(x, |x| match has_kernel(x) {
        true => x.contiguous()?.apply_op1(Gelu),
        // candle's own `gelu_erf` has a gradient that is not exact in `f64`.
        false => ((x * FRAC_1_SQRT_2)?.erf()? + 1.0)?.mul(x)? * 0.5,
    })
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        let mut y = Output::new(x.len());
        let arch = arch();
        threads::for_each(y.chunks(CHUNK).zip(x.chunks(CHUNK)), |(y, x)| {
            // Compiled for the vector instructions of this processor, which an iterator of so much work would not be.
            arch.dispatch(
                #[inline(always)]
                || y.filled(0.0).iter_mut().zip(x).for_each(|(y, x)| *y = x * share(*x, bell(*x))),
            );
        });
        Ok((CpuStorage::F32(y.finish()), layout.shape().clone()))
    }

    /// The derivative is Φ(x) + x · φ(x), where φ(x) = exp(-x² / 2) / √(2π).
    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let mut dx = Output::new(x.elem_count());
        let (x_values, dy_values) = (values(x), values(&dy));
        let (xs, dys) = (x_values.as_slice::<f32>()?, dy_values.as_slice::<f32>()?);
        let density = (0.5 / std::f32::consts::PI).sqrt();
        let arch = arch();
        threads::for_each(dx.chunks(CHUNK).zip(xs.chunks(CHUNK).zip(dys.chunks(CHUNK))), |(dx, (x, dy))| {
            arch.dispatch(
                #[inline(always)]
                || {
                    let slope = |x: f32| {
                        let bell = bell(x);
                        share(x, bell) + x * bell * density
                    };
                    for (dx, (x, dy)) in dx.filled(0.0).iter_mut().zip(x.iter().zip(dy)) {
                        *dx = dy * slope(*x);
                    }
                },
            );
        });
        Tensor::from_vec(dx.finish(), x.shape(), x.device()).map(Some)
    }
}

/// Φ(x), from `bell` of x.
#[inline(always)]
fn share(x: f32, bell: f32) -> f32 {
    let tail = 0.5 * bell * scaled_erfc(x.abs() * FRAC_1_SQRT_2 as f32);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// exp(-x² / 2)
#[inline(always)]
fn bell(x: f32) -> f32 {
    exp(-0.5 * x * x)
}
