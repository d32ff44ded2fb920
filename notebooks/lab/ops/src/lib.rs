//! Operations with the gradients that PyTorch gives them, on tensors `[batch, channel, height, width]`, and layers on them.
//!
//! Notebooks find both in `lab`, as `lab::ops` and `lab::nn`; a page has them compiled to WebAssembly.

#![deny(missing_docs)]

mod add_relu;
mod aligned;
mod attention;
mod avg_pool2d;
mod batch_norm;
mod binary_cross_entropy;
mod conv2d;
mod conv_block;
mod cross_entropy;
mod dropout;
mod exp;
mod gelu;
pub mod interrupt;
mod linear;
mod max_pool2d;
pub mod network;
pub mod nn;
mod norm;
mod output;
mod planes;
mod pool2d;
mod processor;
mod product;
pub mod random;
mod relu;
pub mod resnet;
mod rows;
mod softmax;
mod sums;
#[cfg(test)]
mod tests;
pub mod threads;
mod transpose;

pub use add_relu::add_relu;
pub use attention::attention;
pub use avg_pool2d::{avg_pool2d, avg_pool2d_with_padding, global_avg_pool2d};
pub use batch_norm::{BatchStatistics, batch_norm, batch_norm_relu, batch_norm_with_statistics};
pub use binary_cross_entropy::binary_cross_entropy_with_logits;
pub use conv_block::conv2d_relu_max_pool2d;
pub use conv2d::{conv2d, conv2d_relu, conv2d_relu_with_config, conv2d_with_config};
pub use cross_entropy::{cross_entropy, cross_entropy_with_smoothing};
pub use dropout::dropout;
pub use gelu::gelu;
pub use interrupt::{Interrupted, check_interrupt};
pub use linear::linear;
pub use max_pool2d::{max_pool2d, max_pool2d_with_padding, max_pool2d_with_stride};
pub use norm::{layer_norm, rms_norm};
pub use processor::arch;
pub use relu::{relu, relu6};
pub use softmax::{log_softmax, softmax};

use candle_core::{CpuStorage, D, DType, Layout, Result, Storage, Tensor, WithDType, bail};
use std::ops::Deref;

/// The fraction, 0 to 1, of correct predictions: those where the largest of the logits `[batch, classes]` is that of the
/// class in `labels` `[batch]`.
///
/// # Errors
/// When the shapes do not match.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f32> {
    let predicted = logits.argmax(D::Minus1)?;
    let right = predicted.eq(&labels.to_dtype(predicted.dtype())?)?;
    // Counted in integers: a sum of ones in `f32` stops growing at 2²⁴.
    let count = right.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?;
    Ok((f64::from(count) / right.elem_count() as f64) as f32)
}

/// Whether this is compiled for a page, which only looks at single images by the course's network, and need not load code for more.
const IS_PAGE: bool = cfg!(target_family = "wasm");

/// Whether the kernels of this crate can take the tensor.
fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Whether the tensor is of half precision, which is too coarse for sums.
fn is_half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

/// Applies `operation` to `x`, in `f32` if `x` is of half precision. The result has the type of `x`.
fn in_f32(x: &Tensor, operation: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if is_half(x) { operation(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype()) } else { operation(x) }
}

/// An error unless the tensor is of a type that the CPU computes with. candle has others, which it only stores.
fn check_real(op: &str, x: &Tensor) -> Result<()> {
    if !is_half(x) && !matches!(x.dtype(), DType::F32 | DType::F64) {
        bail!("{op}: expected values of F16, BF16, F32 or F64, got {:?}", x.dtype());
    }
    Ok(())
}

/// The values of a contiguous tensor, which may be only a part of its storage.
fn contiguous<'a, T: WithDType>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice()?[start..end]),
        None => bail!("{op}: expected a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// Access to the values of a contiguous tensor on the CPU: the backward passes of operations get tensors, not storages.
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
