//! Binary cross-entropy, from logits.

use super::{check_real, contiguous, in_f32, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, WithDType, bail};

/// The mean of -(t · log p + (1 - t) · log(1 - p)) over all values, where p = 1 / (1 + exp(-logit)) is the probability that
/// a logit stands for, and t in `targets` is the probability that is right, 0 to 1. `targets` has the shape of `logits` and
/// any type. Gives a scalar. It is accurate for logits of any size, since no probability is rounded to 0 or 1 before its
/// logarithm is taken.
///
/// candle 0.11.1's own `binary_cross_entropy_with_logit` gives NaN for large logits.
///
/// # Errors
/// When shapes or devices do not match, there are no values, or `logits` is not of type `f16`, `bf16`, `f32` or `f64`.
pub fn binary_cross_entropy_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    const OP: &str = "binary_cross_entropy_with_logits";
    check_interrupt()?;
    check_real(OP, logits)?;
    if targets.dims() != logits.dims() {
        bail!("{OP}: expected targets {:?} as logits, got {:?}", logits.dims(), targets.dims());
    }
    let (expected, got) = (logits.device().location(), targets.device().location());
    if got != expected {
        bail!("{OP}: expected targets on {expected:?} as logits, got {got:?}");
    }
    if logits.elem_count() == 0 {
        bail!("{OP}: expected at least one value, got {:?}", logits.dims());
    }
    in_f32(logits, |logits| {
        let targets = targets.to_dtype(logits.dtype())?;
        if logits.device().is_cpu() {
            logits.contiguous()?.apply_op2(&targets.contiguous()?, BinaryCrossEntropy)
        } else {
            composed(logits, &targets)
        }
    })
}

/// Composed of candle's operations, for every device: (1 - t) · x + log(1 + exp(-x)). The larger of -x and 0 is factored
/// out of the logarithm, so that nothing overflows. The result does not depend on it, so it gets no gradient.
pub(super) fn composed(x: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let most = x.neg()?.relu()?.detach();
    let sum = (most.neg()?.exp()? + (x + &most)?.neg()?.exp()?)?;
    ((targets.affine(-1.0, 1.0)? * x)? + most + sum.log()?)?.mean_all()
}

struct BinaryCrossEntropy;

impl BinaryCrossEntropy {
    fn mean<T: WithDType>(logits: &[T], targets: &[T]) -> f64 {
        let loss = |(x, t): (&T, &T)| {
            let (x, t) = (x.to_f64(), t.to_f64());
            // NaN must propagate, and `f64::max` would drop it.
            let positive = if x < 0.0 { 0.0 } else { x };
            positive - x * t + (-x.abs()).exp().ln_1p()
        };
        logits.iter().zip(targets).map(loss).sum::<f64>() / logits.len() as f64
    }

    /// The gradient of the logits, p - t, and that of the targets, -x, both times `scale`.
    fn gradients<T: WithDType>(&self, logits: &Tensor, targets: &Tensor, scale: f64) -> Result<[Tensor; 2]> {
        let (x, t) = (values(logits), values(targets));
        let pairs = || -> Result<_> { Ok(x.as_slice::<T>()?.iter().zip(t.as_slice::<T>()?)) };
        let of_logit =
            |(x, t): (&T, &T)| T::from_f64(scale * (1.0 / (1.0 + (-x.to_f64()).exp()) - t.to_f64()));
        let of_target = |(x, _): (&T, &T)| T::from_f64(-scale * x.to_f64());
        let tensor = |values: Vec<T>| Tensor::from_vec(values, logits.shape(), logits.device());
        Ok([tensor(pairs()?.map(of_logit).collect())?, tensor(pairs()?.map(of_target).collect())?])
    }
}

impl CustomOp2 for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy_with_logits"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = self.name();
        let mean = match logits {
            CpuStorage::F64(_) => CpuStorage::F64(vec![Self::mean::<f64>(
                contiguous(name, logits, logits_layout)?,
                contiguous(name, targets, targets_layout)?,
            )]),
            _ => CpuStorage::F32(vec![Self::mean::<f32>(
                contiguous(name, logits, logits_layout)?,
                contiguous(name, targets, targets_layout)?,
            ) as f32]),
        };
        Ok((mean, Shape::from(())))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        _mean: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let scale = gradient.to_dtype(DType::F64)?.to_scalar::<f64>()? / logits.elem_count() as f64;
        let [of_logits, of_targets] = match logits.dtype() {
            DType::F64 => self.gradients::<f64>(logits, targets, scale)?,
            _ => self.gradients::<f32>(logits, targets, scale)?,
        };
        // candle would store the gradient of a tensor that it does not track, in vain.
        Ok((logits.track_op().then_some(of_logits), targets.track_op().then_some(of_targets)))
    }
}
