//! Operations with the gradients that PyTorch gives them, on tensors `[batch, channel, height, width]`.
//!
//! Each has a kernel of its own for `f32` on the CPU, and is composed from candle's operations for every other type
//! and device. candle 0.11.1's own would train the course's network wrongly and slowly: the gradient of its
//! `max_pool2d` is divided by the number of values in the window and misplaced where the size is no multiple of the
//! window; the gradient of its `relu` at 0 is 1; and its convolutions take most of an epoch.

mod aligned;
mod conv2d;
mod conv_block;
mod cross_entropy;
mod dropout;
mod max_pool2d;
mod output;
mod parallel;
mod processor;
mod relu;
mod transpose;

pub use conv_block::conv2d_relu_max_pool2d;
pub use conv2d::{conv2d, conv2d_relu};
pub use cross_entropy::cross_entropy;
pub use dropout::dropout;
pub use max_pool2d::{max_pool2d, max_pool2d_with_stride};
pub(crate) use processor::arch;
pub use relu::relu;

use candle_core::{CpuStorage, D, DType, Layout, Result, Storage, Tensor, WithDType, bail};
use std::ops::Deref;

/// The part, 0 to 1, of the predictions that are right: those where the largest of the logits `[batch, classes]` is that
/// of the class in `labels` `[batch]`.
///
/// # Errors
/// When the shapes do not match.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f32> {
    let predicted = logits.argmax(D::Minus1)?;
    predicted.eq(&labels.to_dtype(predicted.dtype())?)?.to_dtype(DType::F32)?.mean_all()?.to_scalar()
}

/// Whether the kernels of this module can take the tensor.
fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// The values of a contiguous tensor, which are part of those in its storage.
fn contiguous<'a, T: WithDType>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice()?[start..end]),
        None => bail!("{op}: expected a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// The values of a contiguous tensor on the CPU, for the gradients of operations, which get tensors.
struct Values<'a, S> {
    storage: S,
    layout: &'a Layout,
}

fn values(tensor: &Tensor) -> Values<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Values { storage, layout }
}

impl<S: Deref<Target = Storage>> Values<'_, S> {
    fn as_slice<T: WithDType>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(storage) => contiguous("gradient", storage, self.layout),
            _ => bail!("gradient: expected a tensor on the CPU"),
        }
    }
}
