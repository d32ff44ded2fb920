//! Layers on [`ops`], and beside them what a network needs of `candle_nn`, so that
//! `use lab::nn` reads as `use candle_nn as nn` does. Their parameters have candle's names, `weight` and `bias`, so
//! files of parameters fit both.

mod conv2d;
mod conv_block;
mod dropout;
mod max_pool2d;

pub use crate::ops;
pub use candle_core::{Module, ModuleT};
pub use candle_nn::{
    AdamW, Conv2dConfig, Init, Linear, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap, linear,
    linear_no_bias,
};
pub use conv_block::{ConvBlock, conv_block};
pub use conv2d::{Conv2d, conv2d, conv2d_no_bias};
pub use dropout::Dropout;
pub use max_pool2d::MaxPool2d;
