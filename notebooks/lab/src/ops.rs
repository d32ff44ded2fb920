//! Operations with the gradients that PyTorch gives them, on tensors `[batch, channel, height, width]`.
//!
//! Each has a kernel of its own for `f32` on the CPU, and is composed of candle's operations for every other type and
//! device. Half precision, `f16` and `bf16`, is summed in `f32` and rounded once, at the end.
//!
//! Do not use candle 0.11.1's own. These go wrong in training, without an error: `max_pool2d`, whose gradient is divided by
//! the number of values in the window, and misplaced where the size is not a multiple of the window; `relu`, whose gradient
//! at 0 is 1; `layer_norm`, `rms_norm`, `softmax_last_dim` and the rotary embeddings (`rope`) of `candle_nn`, which have no
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

pub use ::ops::{
    BatchStatistics, accuracy, add_relu, attention, avg_pool2d, avg_pool2d_with_padding, batch_norm,
    batch_norm_relu, batch_norm_with_statistics, binary_cross_entropy_with_logits, conv2d, conv2d_relu,
    conv2d_relu_max_pool2d, conv2d_relu_with_config, conv2d_with_config, cross_entropy,
    cross_entropy_with_smoothing, dropout, gelu, global_avg_pool2d, layer_norm, linear, log_softmax,
    max_pool2d, max_pool2d_with_padding, max_pool2d_with_stride, relu, relu6, rms_norm, softmax,
};
