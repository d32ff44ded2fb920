//! Cross-entropy, from logits.

use super::{contiguous, has_kernel, in_f32, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

/// The mean over the batch of -log softmax(logits)\[label\], for `logits` `[batch, classes]` and `labels` `[batch]` of
/// type `u32`. Gives a scalar.
///
/// candle 0.11.1's own `loss::cross_entropy` sums half precision in half precision: over 4,096 equal logits in `f16` it gives
/// 7.625, where log 4,096 = 8.318 is right.
///
/// # Errors
/// When shapes or types do not match, the batch is empty, or a label is not below the number of classes.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    cross_entropy_with_smoothing(logits, labels, 0.0)
}

/// [`cross_entropy`] with labels that are not quite certain: each class has the probability `smoothing` / classes, and that of the
/// label the rest besides. Szegedy and others, "Rethinking the Inception architecture", 2016.
///
/// # Errors
/// Those of [`cross_entropy`], and when `smoothing` is not in 0 to 1.
pub fn cross_entropy_with_smoothing(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor> {
    check_interrupt()?;
    if !(0.0..=1.0).contains(&smoothing) {
        bail!("cross_entropy: expected a smoothing of 0 to 1, got {smoothing}");
    }
    let &[batch, classes] = logits.dims() else {
        bail!("cross_entropy: expected logits [batch, classes], got {:?}", logits.dims());
    };
    if !logits.dtype().is_float() {
        bail!("cross_entropy: expected floating-point logits, got {:?}", logits.dtype());
    }
    if labels.dims() != [batch] {
        bail!("cross_entropy: expected labels [{batch}], got {:?}", labels.dims());
    }
    if labels.dtype() != DType::U32 {
        bail!("cross_entropy: expected labels of U32, got {:?}", labels.dtype());
    }
    if batch == 0 || classes == 0 {
        bail!("cross_entropy: expected at least one image and one class, got {:?}", logits.dims());
    }
    in_f32(logits, |logits| {
        if has_kernel(logits) {
            return logits
                .contiguous()?
                .apply_op2(&labels.contiguous()?, CrossEntropy { classes, smoothing });
        }
        // candle's own check would make a GPU unusable for the rest of the process.
        let largest = labels.max_all()?.to_scalar::<u32>()?;
        if largest as usize >= classes {
            bail!("cross_entropy: expected labels below {classes}, got {largest}");
        }
        let likelihood = candle_nn::loss::cross_entropy(logits, labels)?;
        if smoothing == 0.0 {
            return Ok(likelihood);
        }
        let all = candle_nn::ops::log_softmax(logits, 1)?.mean_all()?;
        (likelihood * (1.0 - smoothing))? - (all * smoothing)?
    })
}

struct CrossEntropy {
    classes: usize,
    smoothing: f64,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = contiguous(self.name(), logits, logits_layout)?;
        let labels = contiguous::<u32>(self.name(), labels, labels_layout)?;
        let mut sum = 0.0;
        for (logits, &label) in logits.chunks_exact(self.classes).zip(labels) {
            let Some(logit) = logits.get(label as usize) else {
                bail!("cross_entropy: expected labels below {}, got {label}", self.classes);
            };
            sum += log_sum(logits) - (1.0 - self.smoothing) * f64::from(*logit);
            // Not where nothing is smoothed: 0 times infinity is NaN.
            if self.smoothing > 0.0 {
                let mean = logits.iter().copied().map(f64::from).sum::<f64>() / self.classes as f64;
                sum -= self.smoothing * mean;
            }
        }
        let mean = sum / labels.len() as f64;
        Ok((CpuStorage::F32(vec![mean as f32]), Shape::from(())))
    }

    /// (softmax(logits) - the probabilities of the labels) / batch, times the gradient of the mean.
    fn bwd(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        _mean: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let scale = gradient.to_scalar::<f32>()? / labels.elem_count() as f32;
        let every = scale * (self.smoothing / self.classes as f64) as f32;
        let label_only = scale * (1.0 - self.smoothing) as f32;
        let (logits_values, labels) = (values(logits), values(labels));
        let (values, labels) = (logits_values.as_slice::<f32>()?, labels.as_slice::<u32>()?);
        let mut dlogits = Vec::with_capacity(values.len());
        for (logits, label) in values.chunks_exact(self.classes).zip(labels) {
            let log_sum = log_sum(logits);
            dlogits.extend(
                logits.iter().map(|&logit| scale * (f64::from(logit) - log_sum).exp() as f32 - every),
            );
            let start = dlogits.len() - self.classes;
            dlogits[start + *label as usize] -= label_only;
        }
        Ok((Some(Tensor::from_vec(dlogits, logits.shape(), logits.device())?), None))
    }
}

/// log Σ exp(logit), with the largest logit factored out so that nothing overflows. In `f64`, which costs nothing for a few
/// classes.
fn log_sum(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = f64::from(largest);
    largest + logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum::<f64>().ln()
}
