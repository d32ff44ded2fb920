use crate::check_interrupt;
use candle_core::{Result, Tensor, bail};

/// max(x, 0) for each value of `x`, of any shape. Its gradient at 0 is 0, as in PyTorch; candle's own has 1 there.
///
/// # Errors
/// When `x` is not of a floating-point type.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    if !x.dtype().is_float() {
        bail!("relu: expected floating-point x, got {:?}", x.dtype());
    }
    composed(x)
}

fn composed(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    // A value that is no number is not at most 0, and comes through.
    x.le(&zeros)?.where_cond(&zeros, x)
}
