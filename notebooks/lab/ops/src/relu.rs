//! ReLU, and ReLU6.

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

/// min(max(x, 0), 6) for each value of `x`, of any shape: the ReLU of networks for small devices, whose values fit into few bits. Its
/// gradient at 0, at 6 and at NaN is 0, as in PyTorch.
///
/// # Errors
/// When `x` is not of a floating-point type.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    if !x.dtype().is_float() {
        bail!("relu6: expected floating-point x, got {:?}", x.dtype());
    }
    if has_kernel(x) {
        return x.contiguous()?.apply_op1(Relu6);
    }
    // Without the gradient, which is 0 at the ends and at NaN.
    let y = relu(x)?.detach();
    let largest = (y.zeros_like()? + 6.0)?;
    let y = y.ge(&largest)?.where_cond(&largest, &y)?;
    let is_between = (y.gt(&y.zeros_like()?)? * y.lt(&largest)?)?;
    is_between.where_cond(x, &y)
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

struct Relu6;

impl CustomOp1 for Relu6 {
    fn name(&self) -> &'static str {
        "relu6"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, layout)?;
        // NaN propagates.
        let y = combined(x, x, |x, _| x.clamp(0.0, 6.0));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let (y_values, dy) = (values(y), values(&dy));
        let dx =
            combined(y_values.as_slice()?, dy.as_slice()?, |y, dy| if y > 0.0 && y < 6.0 { dy } else { 0.0 });
        Tensor::from_vec(dx, y.shape(), y.device()).map(Some)
    }
}

/// `values`, but 0 where `x` is at most 0. NaN is not at most 0, and propagates.
pub(super) fn where_positive(x: &[f32], values: &[f32]) -> Vec<f32> {
    combined(x, values, |x, value| if x <= 0.0 { 0.0 } else { value })
}

/// `f` of the values of `a` and `b`, on all threads.
fn combined(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = Output::new(a.len());
    let chunks = y.chunks(CHUNK).zip(a.chunks(CHUNK).zip(b.chunks(CHUNK)));
    let arch = arch();
    threads::for_each(chunks, |(y, (a, b))| {
        // Compiled for the vector instructions of this processor.
        arch.dispatch(
            #[inline(always)]
            || y.collected(a.iter().zip(b).map(|(a, b)| f(*a, *b))),
        );
    });
    y.finish()
}
