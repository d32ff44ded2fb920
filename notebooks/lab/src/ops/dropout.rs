use crate::check_interrupt;
use crate::random::Random;
use candle_core::{Result, Tensor, bail};

/// Sets each value of `x`, of any shape, to 0 with probability `p`, and scales the others by 1 / (1 - p), so that the
/// sum stays the same on average. Which ones follows from `seed`.
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
    let mut random = Random::new(seed, 0);
    let kept = 1.0 / (1.0 - p);
    let mask = (0..x.elem_count()).map(|_| if random.between(0.0, 1.0) < p { 0.0 } else { kept });
    let mask = Tensor::from_iter(mask, x.device())?.reshape(x.shape())?;
    x.mul(&mask.to_dtype(x.dtype())?)
}
