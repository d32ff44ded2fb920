//! Layers on the operations of this crate, and what else a network needs of `candle_nn`.

mod conv2d;
mod conv_block;
mod dropout;
mod max_pool2d;
mod norm;

pub use candle_core::{Module, ModuleT};
pub use candle_nn::{
    AdamW, Conv2dConfig, Init, LayerNormConfig, Linear, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap,
    linear, linear_no_bias,
};
pub use conv_block::{ConvBlock, conv_block};
pub use conv2d::{Conv2d, conv2d, conv2d_no_bias};
pub use dropout::Dropout;
pub use max_pool2d::MaxPool2d;
pub use norm::{LayerNorm, RmsNorm, layer_norm, layer_norm_no_bias, rms_norm};
