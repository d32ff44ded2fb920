use super::{contiguous, has_kernel, values};
use crate::check_interrupt;
use crate::random::Random;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Values whose random numbers come from one stream, so that threads can draw them independently.
const CHUNK: usize = 1 << 12;

/// Sets each value of `x`, of any shape, to 0 with probability `p`, and scales the others by 1 / (1 - p), so that the
/// sum stays the same on average. Which ones follows from `seed`, on every device.
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
    /// The same for the values and for their gradient, of which it draws the same ones again.
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let scale = 1.0 / (1.0 - self.p);
        // Of the 2³² numbers that half a random number can be, the part that drops.
        let dropped = (f64::from(self.p) * 2f64.powi(32)) as u32;
        let mut y = vec![0.0; x.len()];
        let chunks = y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        chunks.enumerate().for_each(|(stream, (y, x))| {
            let mut random = Random::new(self.seed, stream as u64);
            for (y, x) in y.chunks_mut(2).zip(x.chunks(2)) {
                let number = random.next();
                for (y, (x, half)) in y.iter_mut().zip(x.iter().zip([number as u32, (number >> 32) as u32])) {
                    // All bits of the scale or none: no branch could be foreseen.
                    let kept = u32::from(half >= dropped).wrapping_neg();
                    *y = x * f32::from_bits(scale.to_bits() & kept);
                }
            }
        });
        y
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
