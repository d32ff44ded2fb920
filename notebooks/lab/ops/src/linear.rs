//! The linear layer.

use super::output::{repeated, zeros};
use super::processor::vectorized;
use super::product::{Matrix, Product};
use super::rows::{self, Real};
use super::{contiguous, is_half, threads, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

/// How many rows are in a chunk of work of the gradient of the bias.
const ROWS: usize = 64;

/// x · weightᵀ + `bias` for each vector x along the last dimension of `x` `[…, n]`, with `weight` `[m, n]` and `bias` `[m]`. Gives
/// `[…, m]`.
///
/// # Errors
/// When shapes, types or devices do not match, or `x` is not of a floating-point type.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    check_interrupt()?;
    check(x, weight, bias)?;
    if x.device().is_cpu() && is_half(x) {
        // Sums are too coarse in half precision.
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F32);
        let bias = bias.map(wide).transpose()?;
        return linear(&wide(x)?, &wide(weight)?, bias.as_ref())?.to_dtype(x.dtype());
    }
    if !rows::has_kernel(x) {
        return composed(x, weight, bias);
    }
    let zeros = || Tensor::zeros(weight.dim(0)?, x.dtype(), x.device());
    let bias = bias.map_or_else(zeros, Tensor::contiguous)?;
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, Linear)
}

fn check(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    let &[m, n] = weight.dims() else {
        bail!("linear: expected a weight [m, n], got {:?}", weight.dims());
    };
    if x.dims().last() != Some(&n) {
        bail!("linear: expected an input [..., {n}], got {:?}", x.dims());
    }
    if let Some(bias) = bias
        && bias.dims() != [m]
    {
        bail!("linear: expected a bias [{m}], got {:?}", bias.dims());
    }
    for (name, other) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(other) = other else { continue };
        if other.dtype() != x.dtype() {
            bail!("linear: expected a {name} of {:?} as the input, got {:?}", x.dtype(), other.dtype());
        }
        let (expected, got) = (x.device().location(), other.device().location());
        if got != expected {
            bail!("linear: expected a {name} on {expected:?} as the input, got {got:?}");
        }
    }
    if !x.dtype().is_float() {
        bail!("linear: expected a floating-point input, got {:?}", x.dtype());
    }
    Ok(())
}

/// Composed of candle's operations, for every device.
fn composed(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (m, n) = weight.dims2()?;
    let outer = &x.dims()[..x.rank() - 1];
    let y = x.reshape((outer.iter().product::<usize>(), n))?.matmul(&weight.t()?)?;
    let y = y.reshape([outer, &[m]].concat())?;
    let Some(bias) = bias else { return Ok(y) };
    if is_half(&y) {
        // The gradient of the bias is a sum over all rows, for which half precision is too coarse.
        return y.to_dtype(DType::F32)?.broadcast_add(&bias.to_dtype(DType::F32)?)?.to_dtype(y.dtype());
    }
    y.broadcast_add(bias)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (m, n) = weight_layout.shape().dims2()?;
        let outer = &x_layout.dims()[..x_layout.dims().len() - 1];
        let rows = outer.iter().product();
        let stored = [(x, x_layout), (weight, weight_layout), (bias, bias_layout)];
        let y = match x {
            CpuStorage::F64(_) => CpuStorage::F64(of_type(stored, [rows, m, n])?),
            _ => CpuStorage::F32(of_type(stored, [rows, m, n])?),
        };
        Ok((y, [outer, &[m]].concat().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let dy = dy.contiguous()?;
        match x.dtype() {
            DType::F64 => backward::<f64>(x, weight, bias, &dy),
            _ => backward::<f32>(x, weight, bias, &dy),
        }
    }
}

/// Tensors on the CPU, as operations get them.
type Stored<'a> = [(&'a CpuStorage, &'a Layout); 3];

fn of_type<T: Real>(tensors: Stored, [rows, m, n]: [usize; 3]) -> Result<Vec<T>> {
    let mut slices = [&[][..]; 3];
    for (slice, (storage, layout)) in slices.iter_mut().zip(tensors) {
        *slice = contiguous::<T>("linear", storage, layout)?;
    }
    let [x, weight, bias] = slices;
    Ok(forward(x, weight, bias, [rows, m, n]))
}

fn forward<T: Real>(x: &[T], weight: &[T], bias: &[T], [rows, m, n]: [usize; 3]) -> Vec<T> {
    let mut y = repeated(bias, rows);
    Product::new(Matrix::new(x, rows, n), Matrix::new(weight, m, n).transposed()).add_on_all_threads(&mut y);
    y
}

/// The gradients of those of `x` `[rows, n]`, `weight` `[m, n]` and `bias` `[m]` that candle tracks: dx = dy · weight,
/// dweight = dyᵀ · x, and dbias is the sum of the rows of dy.
fn backward<T: Real>(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    dy: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let (m, n) = weight.dims2()?;
    let (x_values, weight_values, dy_values) = (values(x), values(weight), values(dy));
    let (xs, weights, dys) =
        (x_values.as_slice::<T>()?, weight_values.as_slice::<T>()?, dy_values.as_slice::<T>()?);
    let rows = x.dims()[..x.rank() - 1].iter().product();
    let dy = Matrix::new(dys, rows, m);
    let tracked = |of: &Tensor, gradient: &dyn Fn() -> Vec<T>| {
        of.track_op().then(|| Tensor::from_vec(gradient(), of.shape(), of.device())).transpose()
    };
    let dx = tracked(x, &|| {
        let mut dx = zeros(rows * n);
        Product::new(dy, Matrix::new(weights, m, n)).add_on_all_threads(&mut dx);
        dx
    })?;
    let dweight = tracked(weight, &|| {
        let mut dweight = vec![T::zero(); m * n];
        Product::new(dy.transposed(), Matrix::new(xs, rows, n)).add_on_all_threads(&mut dweight);
        dweight
    })?;
    Ok((dx, dweight, tracked(bias, &|| sum_of_rows(dys, m))?))
}

/// The sum of rows of `len` values, in `f64`. Those of a chunk are added before those of other chunks, whatever the threads are.
fn sum_of_rows<T: Real>(values: &[T], len: usize) -> Vec<T> {
    let chunk = (ROWS * len).max(1);
    let mut parts = vec![vec![0.0; len]; values.len().div_ceil(chunk)];
    threads::for_each(parts.iter_mut().zip(values.chunks(chunk)), |(part, rows)| {
        // Compiled for the vector instructions of this processor.
        vectorized(
            #[inline(always)]
            || rows.chunks_exact(len).for_each(|row| add(part, row)),
        );
    });
    let mut total = vec![0.0; len];
    parts.iter().for_each(|part| add(&mut total, part));
    total.into_iter().map(T::narrow).collect()
}

#[inline(always)]
fn add<T: Real>(sums: &mut [f64], values: &[T]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value.wide());
}
