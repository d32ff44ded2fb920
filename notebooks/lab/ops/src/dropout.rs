//! Dropout.

use super::output::Output;
use super::processor::arch;
use super::threads;
use super::{contiguous, has_kernel, values};
use crate::check_interrupt;
use crate::random::Numbers;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// The number of values in a chunk of work.
const CHUNK: usize = 1 << 12;

/// Sets each value of `x`, of any shape, to 0 with probability `p`, and scales the others by 1 / (1 - p), so that the
/// expected sum stays the same. `seed` decides which values are dropped, in the same way on every device.
///
/// # Errors
/// When `p` is not at least 0 and less than 1, or `x` is not of a floating-point type.
pub fn dropout(x: &Tensor, p: f32, seed: u64) -> Result<Tensor> {
    check_interrupt()?;
    if !(0.0..1.0).contains(&p) {
        bail!("dropout: expected a probability of at least 0 and less than 1, got {p}");
    }
    if !x.dtype().is_float() {
        bail!("dropout: expected floating-point x, got {:?}", x.dtype());
    }
    let dropout = Dropout { p, seed };
    if has_kernel(x) {
        return x.contiguous()?.apply_op1(dropout);
    }
    let mask = dropout.apply(&vec![1.0; x.elem_count()]);
    x.mul(&Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

struct Dropout {
    p: f32,
    seed: u64,
}

impl Dropout {
    /// Applies the mask to the values or, in the backward pass, to their gradient.
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let scale = 1.0 / (1.0 - self.p);
        // How many of the 2³² random numbers drop a value.
        let dropped = (f64::from(self.p) * 2f64.powi(32)) as u32;
        let numbers = Numbers::new(self.seed);
        let mut y = Output::new(x.len());
        let chunks = y.chunks(CHUNK).zip(x.chunks(CHUNK)).zip((0..).step_by(CHUNK));
        let arch = arch();
        threads::for_each(chunks, |((y, x), start)| {
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || {
                    let kept = |index| if numbers.at(index) >= dropped { scale } else { 0.0 };
                    y.collected(x.iter().enumerate().map(|(index, x)| x * kept(start + index as u32)));
                },
            );
        });
        y.finish()
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(contiguous(self.name(), x, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        Tensor::from_vec(self.apply(values(&dy).as_slice()?), x.shape(), x.device()).map(Some)
    }
}
