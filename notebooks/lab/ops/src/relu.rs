//! ReLU.

use super::output::Output;
use super::processor::arch;
use super::threads;
use super::{contiguous, has_kernel, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// The number of values in a chunk of work.
const CHUNK: usize = 1 << 14;

/// max(x, 0) for each value of `x`, of any shape. Its gradient at 0 is 0, as in PyTorch; candle's own has 1 there.
///
/// # Errors
/// When `x` is not of a floating-point type.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    if !x.dtype().is_float() {
        bail!("relu: expected floating-point x, got {:?}", x.dtype());
    }
    if has_kernel(x) {
        return x.contiguous()?.apply_op1(Relu);
    }
    let zeros = x.zeros_like()?;
    // NaN is not at most 0, and propagates.
    x.le(&zeros)?.where_cond(&zeros, x)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        Ok((CpuStorage::F32(where_positive(x, x)), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let dx = where_positive(values(y).as_slice()?, values(&dy).as_slice()?);
        Tensor::from_vec(dx, y.shape(), y.device()).map(Some)
    }
}

/// `values`, but 0 where `x` is at most 0. NaN is not at most 0, and propagates.
pub(super) fn where_positive(x: &[f32], values: &[f32]) -> Vec<f32> {
    let mut y = Output::new(x.len());
    let chunks = y.chunks(CHUNK).zip(x.chunks(CHUNK).zip(values.chunks(CHUNK)));
    let arch = arch();
    threads::for_each(chunks, |(y, (x, values))| {
        // Compiled for the vector instructions of this processor.
        arch.dispatch(
            #[inline(always)]
            || {
                let values = x.iter().zip(values);
                y.collected(values.map(|(x, value)| if *x <= 0.0 { 0.0 } else { *value }));
            },
        );
    });
    y.finish()
}
