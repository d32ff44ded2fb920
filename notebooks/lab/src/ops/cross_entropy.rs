use crate::check_interrupt;
use candle_core::{DType, Result, Tensor, bail};

/// The mean over the batch of -log softmax(logits)\[label\], for `logits` `[batch, classes]` and `labels` `[batch]` of
/// type `u32`. Gives a scalar.
///
/// # Errors
/// When shapes or types do not match, the batch is empty, or a label is not below the number of classes.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    check_interrupt()?;
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
    candle_nn::loss::cross_entropy(logits, labels)
}
