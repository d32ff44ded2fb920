//! The sum at the end of a residual block, with its ReLU.

use super::output::Output;
use super::processor::arch;
use super::relu::where_positive;
use super::threads;
use super::{contiguous, has_kernel, relu, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// The number of values in a chunk of work.
const CHUNK: usize = 1 << 14;

/// [`relu`](crate::relu()) of `x` + `shortcut`, both of the same shape, in one operation: the sum is never stored, and both get the
/// same gradient, which exists once. He and others, "Deep residual learning", 2016.
///
/// # Errors
/// When shapes, types or devices do not match, or `x` is not of a floating-point type.
pub fn add_relu(x: &Tensor, shortcut: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
    if shortcut.dims() != x.dims() {
        bail!("add_relu: expected a shortcut {:?} as x, got {:?}", x.dims(), shortcut.dims());
    }
    if shortcut.dtype() != x.dtype() {
        bail!("add_relu: expected a shortcut of {:?} as x, got {:?}", x.dtype(), shortcut.dtype());
    }
    if has_kernel(x) && has_kernel(shortcut) {
        return x.contiguous()?.apply_op2(&shortcut.contiguous()?, AddRelu);
    }
    relu(&(x + shortcut)?)
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add_relu"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        shortcut: &CpuStorage,
        shortcut_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous::<f32>(self.name(), x, x_layout)?;
        let shortcut = contiguous::<f32>(self.name(), shortcut, shortcut_layout)?;
        let mut y = Output::new(x.len());
        let chunks = y.chunks(CHUNK).zip(x.chunks(CHUNK).zip(shortcut.chunks(CHUNK)));
        let arch = arch();
        threads::for_each(chunks, |(y, (x, shortcut))| {
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || {
                    let sums = x.iter().zip(shortcut).map(|(x, shortcut)| x + shortcut);
                    // NaN is not at most 0, and propagates.
                    y.collected(sums.map(|sum| if sum <= 0.0 { 0.0 } else { sum }));
                },
            );
        });
        Ok((CpuStorage::F32(y.finish()), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        _shortcut: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        let dx = where_positive(values(y).as_slice()?, values(&dy).as_slice()?);
        let dx = Tensor::from_vec(dx, y.shape(), y.device())?;
        Ok((Some(dx.clone()), Some(dx)))
    }
}
