//! Operations with the gradients that PyTorch gives them, on tensors `[batch, channel, height, width]`.
//!
//! Each has a kernel of its own for `f32` on the CPU, and is composed from candle's operations for every other type
//! and device. Half precision, `f16` and `bf16`, is summed in `f32`, and rounded once, at the end.
//!
//! Do not reach for candle 0.11.1's own. Wrong in training, without an error, are: `max_pool2d`, whose gradient is divided by
//! the number of values in the window and misplaced where the size is no multiple of the window; `relu`, whose gradient at 0
//! is 1; `layer_norm`, `rms_norm`, `softmax_last_dim` and the rotary embeddings (`rope`) of `candle_nn`, which give no
//! gradient at all; `binary_cross_entropy_with_logit`, which is NaN for large logits; and all sums of half precision, such as
//! in `cross_entropy`, which are made in half precision. The gradient of its `conv2d` is an error for many sizes, and takes
//! most of an epoch.
//!
//! ```
//! use lab::candle_core::{Device, Tensor, Var};
//! use lab::ops;
//!
//! // The gradient of a max pool goes to the largest value of each window.
//! let x = Var::from_tensor(&Tensor::new(&[[[[1f32, 2.], [4., 3.]]]], &Device::Cpu)?)?;
//! let gradients = ops::max_pool2d(&x, 2)?.backward()?;
//! assert_eq!(gradients.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?, [0., 0., 1., 0.]);
//!
//! // Odds of 3 to 1 for the right class.
//! let logits = Tensor::new(&[[3f32.ln(), 0.]], &Device::Cpu)?;
//! let loss = ops::cross_entropy(&logits, &Tensor::new(&[0u32], &Device::Cpu)?)?;
//! assert!((loss.to_scalar::<f32>()? - (4f32 / 3.).ln()).abs() < 1e-6);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod aligned;
mod binary_cross_entropy;
mod conv2d;
mod conv_block;
mod cross_entropy;
mod dropout;
mod max_pool2d;
mod norm;
mod output;
mod parallel;
mod processor;
mod relu;
mod rows;
mod softmax;
#[cfg(test)]
mod tests;
mod transpose;

pub use binary_cross_entropy::binary_cross_entropy_with_logits;
pub use conv_block::conv2d_relu_max_pool2d;
pub use conv2d::{conv2d, conv2d_relu, conv2d_relu_with_config, conv2d_with_config};
pub use cross_entropy::cross_entropy;
pub use dropout::dropout;
pub use max_pool2d::{max_pool2d, max_pool2d_with_stride};
pub use norm::{layer_norm, rms_norm};
pub(crate) use processor::arch;
pub use relu::relu;
pub use softmax::{log_softmax, softmax};

use candle_core::{CpuStorage, D, DType, Layout, Result, Storage, Tensor, WithDType, bail};
use std::ops::Deref;

/// The part, 0 to 1, of the predictions that are right: those where the largest of the logits `[batch, classes]` is that
/// of the class in `labels` `[batch]`.
///
/// # Errors
/// When the shapes do not match.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f32> {
    let predicted = logits.argmax(D::Minus1)?;
    let right = predicted.eq(&labels.to_dtype(predicted.dtype())?)?;
    // Counted in whole numbers: a sum of ones in floating point ends at 2²⁴.
    let count = right.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?;
    Ok((f64::from(count) / right.elem_count() as f64) as f32)
}

/// Whether the kernels of this module can take the tensor.
fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Whether it is of half precision, in which no sum should be made.
fn is_half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

/// `operation` of `x`, in `f32` if it is of half precision, with a result of the type of `x`.
fn in_f32(x: &Tensor, operation: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if is_half(x) { operation(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype()) } else { operation(x) }
}

/// An error unless the tensor is of a type that the CPU computes with: candle has others, which it only stores.
fn check_real(op: &str, x: &Tensor) -> Result<()> {
    if !is_half(x) && !matches!(x.dtype(), DType::F32 | DType::F64) {
        bail!("{op}: expected values of F16, BF16, F32 or F64, got {:?}", x.dtype());
    }
    Ok(())
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
