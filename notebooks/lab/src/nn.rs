//! Layers on [`ops`], and what else a network needs of `candle_nn`, so that `use lab::nn` reads like
//! `use candle_nn as nn`. Their parameters have candle's names, `weight` and `bias`, so files of parameters fit both. Read
//! such a file with [`load`], not with candle's `VarMap::load`, which does nothing, without an error, if the network has not
//! been built yet.
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
//! // Each row has been normalised.
//! assert!(maps.mean_all()?.to_scalar::<f32>()?.abs() < 1e-4);
//! let parameters: usize = weights.all_vars().iter().map(|variable| variable.elem_count()).sum();
//! assert_eq!(parameters, (32 * 3 * 3 + 32) + 2 * 26);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod adamw;
mod load;
mod pth;
#[cfg(test)]
mod tests;

pub use crate::ops;
pub use ::ops::nn::*;
pub use adamw::AdamW;
pub(crate) use load::first_line;
pub use load::load;
pub use pth::read_pth;
