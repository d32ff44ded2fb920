//! Models in [ONNX](https://onnx.ai)'s format, which other runtimes and frameworks read: a network of layers leaves as a file, and files
//! of the operations that such networks have come back.
//!
//! A file holds what is computed, not only the weights. candle's tensors do not remember that for a network as a whole, so a network
//! is described once more, by its layers, with an [`input`] in place of the images:
//!
//! ```
//! use lab::candle_core::{DType, Device, Tensor};
//! use lab::nn::{self, Module, VarBuilder, VarMap};
//! use lab::{onnx, ops};
//!
//! let weights = VarMap::new();
//! let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! let conv = nn::conv2d(1, 4, 3, Default::default(), vb.pp("conv"))?;
//! let dense = nn::linear(4 * 13 * 13, 10, vb.pp("dense"))?;
//!
//! let images = onnx::input("images", (1, 28, 28), DType::F32)?;
//! let maps = images.layer("conv", &conv)?.relu()?.layer("pool", &nn::MaxPool2d::new(2))?;
//! assert_eq!(maps.dims(), [4, 13, 13]);
//! let logits = maps.flatten()?.layer("dense", &dense)?;
//! let model = onnx::Model::new(&[("logits", &logits)])?;
//!
//! // The model computes what the network does.
//! let images = Tensor::rand(0f32, 1., (5, 1, 28, 28), &Device::Cpu)?;
//! let maps = ops::max_pool2d(&ops::relu(&conv.forward(&images)?)?, 2)?;
//! let difference = (dense.forward(&maps.flatten_from(1)?)? - model.forward(&images)?)?.abs()?.max_all()?;
//! assert!(difference.to_scalar::<f32>()? < 1e-5);
//!
//! let path = std::env::temp_dir().join(format!("digits-{}.onnx", std::process::id()));
//! model.save(&path)?;
//! assert_eq!(onnx::Model::load(&path)?.weights()["conv.weight"].dims(), [4, 1, 3, 3]);
//! # std::fs::remove_file(path)?;
//! # Ok::<(), lab::anyhow::Error>(())
//! ```
//!
//! Files are written for version 17 of ONNX's operations. Batches may be of any size.

mod layer;
mod model;
mod operation;
mod proto;
mod read;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use layer::Layer;
pub use model::Model;
pub use value::{Value, input};
