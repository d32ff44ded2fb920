//! Operations that treat each row, a vector along the last dimension, on its own.

use super::output::Output;
use super::processor::arch;
use super::threads;
use super::{contiguous, values};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

/// About how many values are in a chunk of work.
const CHUNK: usize = 1 << 12;
/// How many sums are made side by side, so that the compiler uses vector instructions.
const LANES: usize = 8;

/// The types that rows are of. Sums are made in `f64` whatever the type is, so that they are accurate and squares of `f32` do not
/// overflow.
pub trait Real: WithDType {
    /// e^x for x of at most 0.
    fn exp_of_negative(self) -> Self;

    fn wide(self) -> f64;

    fn narrow(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        super::exp::exp_of_negative(self)
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }
}

/// The sum of what `f` makes of the values of each place in the rows, which have the same length.
#[inline(always)]
pub fn sum<T: Real, const N: usize>(rows: [&[T]; N], f: impl Fn([f64; N]) -> f64) -> f64 {
    let len = rows[0].len();
    let rows = rows.map(|row| &row[..len]);
    let whole = len / LANES * LANES;
    let mut sums = [0.0; LANES];
    for at in (0..whole).step_by(LANES) {
        let places = rows.map(|row| &row[at..at + LANES]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(places.map(|place| place[lane].wide()));
        }
    }
    let rest: f64 = (whole..len).map(|at| f(rows.map(|row| row[at].wide()))).sum();
    sums.iter().sum::<f64>() + rest
}

/// An operation on rows whose gradient follows from its result.
pub trait RowOp: Send + Sync {
    fn name(&self) -> &'static str;

    /// Computes the result `y` of the row `x`. Both have the same length.
    fn forward<T: Real>(&self, x: &[T], y: &mut [T]);

    /// Computes the gradient `dx` of a row, from its result `y` and the gradient `dy` of the result.
    fn backward<T: Real>(&self, y: &[T], dy: &[T], dx: &mut [T]);
}

/// Whether there are kernels for the tensor's rows.
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
            DType::F32 => self.backward::<f32>(y, &dy),
            DType::F64 => self.backward::<f64>(y, &dy),
            other => bail!("{}: expected F32 or F64, got {other:?}", self.name()),
        }
        .map(Some)
    }
}

impl<O: RowOp> Rows<O> {
    fn forward<T: Real>(&self, x: &[T], len: usize) -> Vec<T> {
        map(
            [x],
            len,
            #[inline(always)]
            |[x], y| self.0.forward(x, y),
        )
    }

    fn backward<T: Real>(&self, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (shape, device) = (y.shape(), y.device());
        let (y, dy) = (values(y), values(dy));
        let dx = map(
            [y.as_slice::<T>()?, dy.as_slice()?],
            row_len(shape),
            #[inline(always)]
            |[y, dy], dx| self.0.backward(y, dy, dx),
        );
        Tensor::from_vec(dx, shape, device)
    }
}

fn row_len(shape: &Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1)
}

/// Calls `f` with each row, of `len` values, of the `inputs`, and with room for its result. `f` is compiled for the vector
/// instructions of this processor if it is inlined.
pub fn map<T: Real, const N: usize>(
    inputs: [&[T]; N],
    len: usize,
    f: impl Fn([&[T]; N], &mut [T]) + Sync,
) -> Vec<T> {
    let mut output = Output::new(inputs[0].len());
    let at_once = (CHUNK / len.max(1)).max(1) * len.max(1);
    let arch = arch();
    threads::for_each(output.chunks(at_once).zip((0..).step_by(at_once)), |(chunk, start)| {
        arch.dispatch(
            #[inline(always)]
            || {
                let results = chunk.filled(T::zero());
                for (result, at) in results.chunks_exact_mut(len).zip((start..).step_by(len)) {
                    f(inputs.map(|input| &input[at..at + len]), result);
                }
            },
        );
    });
    output.finish()
}
