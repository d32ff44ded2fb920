//! Layer normalization and root mean square normalization.

use super::processor::vectorized;
use super::rows::{self, Real};
use super::{check_real, contiguous, in_f32, threads, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail};

/// How many rows are in a chunk of work of the gradients of weight and bias.
const ROWS: usize = 64;

/// Layer normalization of `x` `[…, n]`: each vector along the last dimension has its mean subtracted, is divided by
/// √(variance + `eps`) and multiplied by `weight` `[n]`, and `bias` `[n]` is added. The variance is the mean of the squared
/// deviations (divided by n), as in PyTorch. Ba, Kiros and Hinton, "Layer normalization", 2016.
///
/// candle 0.11.1's own `layer_norm` gives no gradient, without an error.
///
/// # Errors
/// When shapes, types or devices do not match, a vector is empty, or `eps` is negative or NaN.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    normalize(x, weight, bias, Norm { op: "layer_norm", centered: true, eps })
}

/// [`layer_norm`] without subtraction of the mean and without bias: each vector along the last dimension of `x` `[…, n]` is
/// divided by √(mean of its squares + `eps`), and multiplied by `weight` `[n]`. Zhang and Sennrich, "Root mean square layer
/// normalization", 2019.
///
/// candle 0.11.1's own `rms_norm` gives no gradient, without an error.
///
/// # Errors
/// Those of [`layer_norm`].
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    normalize(x, weight, None, Norm { op: "rms_norm", centered: false, eps })
}

fn normalize(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, norm: Norm) -> Result<Tensor> {
    check_interrupt()?;
    let Norm { op, eps, .. } = norm;
    check_real(op, x)?;
    let n = x.dims().last().copied().unwrap_or(0);
    if n == 0 {
        bail!("{op}: expected x with at least one value in its last dimension, got {:?}", x.dims());
    }
    if eps.is_nan() || eps < 0.0 {
        bail!("{op}: expected an eps of at least 0, got {eps}");
    }
    for (name, parameter) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(parameter) = parameter else { continue };
        if parameter.dims() != [n] {
            bail!("{op}: expected {name} [{n}], got {:?}", parameter.dims());
        }
        if parameter.dtype() != x.dtype() {
            bail!("{op}: expected {name} of {:?} as x, got {:?}", x.dtype(), parameter.dtype());
        }
        let (expected, got) = (x.device().location(), parameter.device().location());
        if got != expected {
            bail!("{op}: expected {name} on {expected:?} as x, got {got:?}");
        }
    }
    in_f32(x, |x| {
        let cast = |parameter: &Tensor| parameter.to_dtype(x.dtype())?.contiguous();
        let (weight, bias) = (cast(weight)?, bias.map(cast).transpose()?);
        match (rows::has_kernel(x), bias) {
            (true, Some(bias)) => x.contiguous()?.apply_op3(&weight, &bias, norm),
            (true, None) => x.contiguous()?.apply_op2(&weight, norm),
            (false, Some(bias)) => norm.composed(x)?.broadcast_mul(&weight)?.broadcast_add(&bias),
            (false, None) => norm.composed(x)?.broadcast_mul(&weight),
        }
    })
}

/// A tensor on the CPU, as operations get it.
type Stored<'a> = (&'a CpuStorage, &'a Layout);

pub(super) struct Norm {
    pub op: &'static str,
    /// Whether the mean is subtracted.
    pub centered: bool,
    pub eps: f64,
}

impl Norm {
    /// Composed of candle's operations, for every device.
    pub fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let x = if self.centered { x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)? } else { x.clone() };
        x.broadcast_div(&(x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?)
    }

    /// What is subtracted from a row, and what the difference is multiplied by.
    #[inline(always)]
    fn mean_and_scale<T: Real>(&self, x: &[T]) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = if self.centered { rows::sum([x], |[x]| x) / n } else { 0.0 };
        let variance = rows::sum([x], |[x]| (x - mean) * (x - mean)) / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }

    fn forward<T: Real>(&self, x: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        rows::map(
            [x],
            weight.len(),
            #[inline(always)]
            |[x], y| {
                let (mean, scale) = self.mean_and_scale(x);
                let scaled =
                    x.iter().zip(weight).map(|(x, weight)| (x.wide() - mean) * scale * weight.wide());
                match bias {
                    Some(bias) => {
                        let values = scaled.zip(bias).map(|(value, bias)| value + bias.wide());
                        y.iter_mut().zip(values).for_each(|(y, value)| *y = T::narrow(value));
                    }
                    None => y.iter_mut().zip(scaled).for_each(|(y, value)| *y = T::narrow(value)),
                }
            },
        )
    }

    /// The gradients of x, weight and bias. With ŷ, the normalized row, and g = dy · weight:
    /// dx = scale · (g - mean of g - ŷ · mean of (g · ŷ)), without the mean of g if the row is not centered;
    /// dweight = Σ dy · ŷ and dbias = Σ dy over the rows.
    fn backward<T: Real>(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<[Tensor; 3]> {
        check_interrupt()?;
        let (shape, device, dy) = (x.shape(), x.device(), dy.contiguous()?);
        let (x, weight, dy) = (values(x), values(weight), values(&dy));
        let (x, weight, dy) = (x.as_slice::<T>()?, weight.as_slice::<T>()?, dy.as_slice::<T>()?);
        let n = weight.len();
        let dx = rows::map(
            [x, dy],
            n,
            #[inline(always)]
            |[x, dy], dx| {
                let (mean, scale) = self.mean_and_scale(x);
                let of_g =
                    if self.centered { rows::sum([dy, weight], |[dy, w]| dy * w) / n as f64 } else { 0.0 };
                let along = rows::sum([x, dy, weight], |[x, dy, w]| (x - mean) * scale * dy * w) / n as f64;
                for (dx, ((x, dy), weight)) in dx.iter_mut().zip(x.iter().zip(dy).zip(weight)) {
                    let (y, g) = ((x.wide() - mean) * scale, dy.wide() * weight.wide());
                    *dx = T::narrow(scale * (g - of_g - y * along));
                }
            },
        );
        let [dweight, dbias] = self.sums_over_rows(x, dy, n).map(|sums| {
            let sums: Vec<T> = sums.into_iter().map(T::narrow).collect();
            Tensor::from_vec(sums, n, device)
        });
        Ok([Tensor::from_vec(dx, shape, device)?, dweight?, dbias?])
    }

    /// Σ dy · ŷ and Σ dy over the rows, of `n` values each.
    fn sums_over_rows<T: Real>(&self, x: &[T], dy: &[T], n: usize) -> [Vec<f64>; 2] {
        let chunk = ROWS * n;
        let mut parts = vec![[vec![0.0; n], vec![0.0; n]]; x.len().div_ceil(chunk)];
        threads::for_each(parts.iter_mut().zip(x.chunks(chunk).zip(dy.chunks(chunk))), |(part, (x, dy))| {
            vectorized(
                #[inline(always)]
                || {
                    let [products, sums] = part;
                    for (x, dy) in x.chunks_exact(n).zip(dy.chunks_exact(n)) {
                        let (mean, scale) = self.mean_and_scale(x);
                        let places = products.iter_mut().zip(sums.iter_mut()).zip(x.iter().zip(dy));
                        for ((product, sum), (x, dy)) in places {
                            *product += dy.wide() * ((x.wide() - mean) * scale);
                            *sum += dy.wide();
                        }
                    }
                },
            );
        });
        let mut totals = [vec![0.0; n], vec![0.0; n]];
        for part in &parts {
            for (total, part) in totals.iter_mut().flatten().zip(part.iter().flatten()) {
                *total += part;
            }
        }
        totals
    }

    fn compute(&self, x: Stored, weight: Stored, bias: Option<Stored>) -> Result<(CpuStorage, Shape)> {
        let shape = x.1.shape().clone();
        let y = match x.0 {
            CpuStorage::F64(_) => CpuStorage::F64(self.of_type(x, weight, bias)?),
            _ => CpuStorage::F32(self.of_type(x, weight, bias)?),
        };
        Ok((y, shape))
    }

    fn of_type<T: Real>(&self, x: Stored, weight: Stored, bias: Option<Stored>) -> Result<Vec<T>> {
        let bias = bias.map(|(bias, layout)| contiguous(self.op, bias, layout)).transpose()?;
        Ok(self.forward(contiguous(self.op, x.0, x.1)?, contiguous(self.op, weight.0, weight.1)?, bias))
    }

    fn gradients(&self, x: &Tensor, weight: &Tensor, dy: &Tensor) -> Result<[Tensor; 3]> {
        match x.dtype() {
            DType::F64 => self.backward::<f64>(x, weight, dy),
            _ => self.backward::<f32>(x, weight, dy),
        }
    }
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.compute((x, layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dweight, _] = self.gradients(x, weight, dy)?;
        Ok((Some(dx), Some(dweight)))
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.compute((x, layout), (weight, weight_layout), Some((bias, bias_layout)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dweight, dbias] = self.gradients(x, weight, dy)?;
        Ok((Some(dx), Some(dweight), Some(dbias)))
    }
}
