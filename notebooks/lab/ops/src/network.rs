//! The network of the course, for pages, examples, tests and benchmarks. Notebooks build it in their own cells, as that is what
//! they teach.

use crate::nn::{ConvBlock, Dropout, Linear, Module, VarBuilder, conv_block, linear};
use candle_core::{Result, Tensor};

/// The names and shapes of the parameters. A page gets the values in this order.
pub const PARAMETERS: [(&str, &[usize]); 6] = [
    ("conv1.weight", &[32, 1, 3, 3]),
    ("conv1.bias", &[32]),
    ("conv2.weight", &[64, 32, 3, 3]),
    ("conv2.bias", &[64]),
    ("dense.weight", &[10, 1600]),
    ("dense.bias", &[10]),
];

/// The network of the course: two blocks of convolution, ReLU and max pool, dropout, and a dense layer.
#[derive(Debug)]
pub struct Network {
    /// From images `[batch, 1, 28, 28]` to feature maps `[batch, 32, 13, 13]`.
    pub block1: ConvBlock,
    /// From these to feature maps `[batch, 64, 5, 5]`.
    pub block2: ConvBlock,
    /// Drops half of their values.
    pub dropout: Dropout,
    /// From all their values `[batch, 1600]` to logits `[batch, 10]`.
    pub dense: Linear,
}

impl Network {
    /// The network with the [`PARAMETERS`] of `weights`. The masks of the dropout follow from `seed`.
    ///
    /// # Errors
    /// When `weights` holds parameters of other shapes, or lacks some and cannot create them.
    pub fn new(weights: &VarBuilder, seed: u64) -> Result<Self> {
        Ok(Self {
            block1: conv_block(1, 32, 3, 2, weights.pp("conv1"))?,
            block2: conv_block(32, 64, 3, 2, weights.pp("conv2"))?,
            dropout: Dropout::new(0.5, seed),
            dense: linear(1600, 10, weights.pp("dense"))?,
        })
    }

    /// Whether the blocks are [fused](ConvBlock::fused), which is the default.
    #[must_use]
    pub fn fused(self, fused: bool) -> Self {
        Self { block1: self.block1.fused(fused), block2: self.block2.fused(fused), ..self }
    }

    /// From images `[batch, 1, 28, 28]` to the feature maps after each block.
    ///
    /// # Errors
    /// When the images have another shape.
    pub fn feature_maps(&self, images: &Tensor) -> Result<[Tensor; 2]> {
        let maps1 = self.block1.forward(images)?;
        let maps2 = self.block2.forward(&maps1)?;
        Ok([maps1, maps2])
    }

    /// From images `[batch, 1, 28, 28]` to logits `[batch, 10]`, with dropout if this is `training`.
    ///
    /// # Errors
    /// When the images have another shape.
    pub fn forward(&self, images: &Tensor, training: bool) -> Result<Tensor> {
        let [_, maps2] = self.feature_maps(images)?;
        self.dense.forward(&self.dropout.forward(&maps2.flatten_from(1)?, training)?)
    }
}
