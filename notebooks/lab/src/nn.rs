//! Layers on [`ops`], and beside them what a network needs of `candle_nn`, so that
//! `use lab::nn` reads as `use candle_nn as nn` does. Their parameters have candle's names, `weight` and `bias`, so
//! files of parameters fit both. Read such a file by [`load`], and not by candle's `VarMap::load`, which does nothing, without an
//! error, before the network has been built.
//!
//! ```
//! use lab::candle_core::{DType, Device, Tensor};
//! use lab::nn::{self, Module, VarBuilder, VarMap};
//!
//! let weights = VarMap::new();
//! let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! let conv = nn::conv2d(1, 32, 3, Default::default(), vb.pp("conv"))?;
//! let norm = nn::layer_norm(26, 1e-5, vb.pp("norm"))?;
//!
//! let images = Tensor::ones((5, 1, 28, 28), DType::F32, &Device::Cpu)?;
//! let maps = norm.forward(&conv.forward(&images)?)?;
//! assert_eq!(maps.dims(), [5, 32, 26, 26]);
//! let parameters: usize = weights.all_vars().iter().map(|variable| variable.elem_count()).sum();
//! assert_eq!(parameters, (32 * 3 * 3 + 32) + 2 * 26);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod conv2d;
mod conv_block;
mod dropout;
mod load;
mod max_pool2d;
mod norm;
#[cfg(test)]
mod tests;

pub use crate::ops;
pub use candle_core::{Module, ModuleT};
pub use candle_nn::{
    AdamW, Conv2dConfig, Init, LayerNormConfig, Linear, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap,
    linear, linear_no_bias,
};
pub use conv_block::{ConvBlock, conv_block};
pub use conv2d::{Conv2d, conv2d, conv2d_no_bias};
pub use dropout::Dropout;
pub use load::load;
pub use max_pool2d::MaxPool2d;
pub use norm::{LayerNorm, RmsNorm, layer_norm, layer_norm_no_bias, rms_norm};
