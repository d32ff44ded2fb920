//! Layers on the operations of this crate, and what else a network needs of `candle_nn`.

mod avg_pool2d;
mod batch_norm;
mod clip;
mod conv2d;
mod conv_block;
mod dropout;
mod ema;
mod linear;
mod max_pool2d;
mod momentum_sgd;
mod norm;

pub use avg_pool2d::{AvgPool2d, GlobalAvgPool2d};
pub use batch_norm::{BatchNorm, batch_norm};
pub use candle_core::{Module, ModuleT};
pub use candle_nn::{
    AdamW, BatchNormConfig, Conv2dConfig, Embedding, Init, LayerNormConfig, Optimizer, ParamsAdamW, SGD,
    VarBuilder, VarMap, embedding,
};
pub use clip::clip_gradients;
pub use conv_block::{ConvBlock, conv_block};
pub use conv2d::{Conv2d, conv2d, conv2d_no_bias};
pub use dropout::Dropout;
pub use ema::Ema;
pub use linear::{Linear, linear, linear_no_bias};
pub use max_pool2d::MaxPool2d;
pub use momentum_sgd::{MomentumSGD, ParamsMomentumSGD};
pub use norm::{LayerNorm, RmsNorm, layer_norm, layer_norm_no_bias, rms_norm};
