//! Operations that treat each row, a vector along the last dimension, on its own.

use super::output::Output;
use super::threads;
use super::{contiguous, values};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

/// About how many values are in a chunk of work.
const CHUNK: usize = 1 << 12;

/// An operation on rows. It computes in `f64` whatever the type of the tensor is, so that sums are accurate and squares of
/// `f32` do not overflow.
pub trait RowOp: Send + Sync {
    fn name(&self) -> &'static str;

    /// Computes the result `y` of the row `x`. Both have the same length.
    fn forward(&self, x: &[f64], y: &mut [f64]);

    /// Computes the gradient `dx` of the row `x`, from its result `y` and the gradient `dy` of the result.
    fn backward(&self, x: &[f64], y: &[f64], dy: &[f64], dx: &mut [f64]);
}

/// Whether [`apply`] can take the tensor.
pub fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// Applies `op` to each row of `x`, which has one dimension or more.
pub fn apply(x: &Tensor, op: impl RowOp + 'static) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Rows(op))
}

struct Rows<O>(O);

impl<O: RowOp> CustomOp1 for Rows<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let len = row_len(layout.shape());
        let y = match x {
            CpuStorage::F64(_) => CpuStorage::F64(self.forward(contiguous(self.name(), x, layout)?, len)),
            _ => CpuStorage::F32(self.forward(contiguous(self.name(), x, layout)?, len)),
        };
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        match x.dtype() {
            DType::F32 => self.backward::<f32>(x, y, &dy),
            DType::F64 => self.backward::<f64>(x, y, &dy),
            other => bail!("{}: expected F32 or F64, got {other:?}", self.name()),
        }
        .map(Some)
    }
}

impl<O: RowOp> Rows<O> {
    fn forward<T: WithDType>(&self, x: &[T], len: usize) -> Vec<T> {
        map([x], len, |[x], y| self.0.forward(x, y))
    }

    fn backward<T: WithDType>(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (shape, device) = (x.shape(), x.device());
        let (x, y, dy) = (values(x), values(y), values(dy));
        let inputs = [x.as_slice::<T>()?, y.as_slice()?, dy.as_slice()?];
        let dx = map(inputs, row_len(shape), |[x, y, dy], dx| self.0.backward(x, y, dy, dx));
        Tensor::from_vec(dx, shape, device)
    }
}

fn row_len(shape: &Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1)
}

/// Calls `f` with each row of the `inputs`, which have the same length, and with room for its result.
fn map<T: WithDType, const N: usize>(
    inputs: [&[T]; N],
    len: usize,
    f: impl Fn([&[f64]; N], &mut [f64]) + Sync,
) -> Vec<T> {
    let mut output = Output::new(inputs[0].len());
    let at_once = (CHUNK / len.max(1)).max(1) * len.max(1);
    let chunks = output.chunks(at_once).zip((0..).step_by(at_once));
    threads::for_each(chunks, |(chunk, start)| {
        let end = inputs[0].len().min(start + at_once);
        let wide = inputs.map(|input| -> Vec<f64> { input[start..end].iter().map(|x| x.to_f64()).collect() });
        let mut results = vec![0.0; end - start];
        for (row, result) in results.chunks_exact_mut(len).enumerate() {
            f(std::array::from_fn(|input| &wide[input][row * len..][..len]), result);
        }
        chunk.collected(results.into_iter().map(T::from_f64));
    });
    output.finish()
}
