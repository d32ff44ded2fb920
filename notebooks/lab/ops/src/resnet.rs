//! ResNet-20, the network for small colour pictures, for examples, tests and benchmarks. Notebooks build it in their own cells, as
//! that is what they teach.

use crate::nn::{
    BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT, VarBuilder, batch_norm, conv2d_no_bias, linear,
};
use crate::{add_relu, avg_pool2d_with_padding, global_avg_pool2d};
use candle_core::{Result, Tensor};

/// The channels of each of the three stages.
const CHANNELS: [usize; 3] = [16, 32, 64];
/// How many blocks a stage has: 6 · 3 + 2 = 20 layers with weights.
const BLOCKS: usize = 3;

/// The network of He and others, "Deep residual learning for image recognition", 2016, section 4.2, with 20 layers: a convolution,
/// three stages of three residual blocks, an average over all pixels, and a dense layer. Where channels double and the side halves,
/// the shortcut takes every second pixel, and zeros for the new channels (option A of the paper), so it has no parameters.
/// 269,722 parameters for 3 channels and 10 classes.
#[derive(Debug)]
pub struct ResNet {
    /// `conv1`.
    pub conv: Conv2d,
    /// `bn1`, with ReLU.
    pub norm: BatchNorm,
    /// `layer1.0` to `layer3.2`.
    pub blocks: Vec<Block>,
    /// `linear`.
    pub dense: Linear,
}

impl ResNet {
    /// The network for images of so many channels, with parameters that have the names of most PyTorch versions: `conv1`, `bn1`,
    /// `layer1.0.conv1`, …, `linear`.
    ///
    /// # Errors
    /// When `weights` holds parameters of other shapes, or lacks some and cannot create them.
    pub fn new(channels: usize, classes: usize, weights: &VarBuilder) -> Result<Self> {
        let mut blocks = Vec::new();
        for (stage, c_out) in CHANNELS.into_iter().enumerate() {
            for block in 0..BLOCKS {
                let (c_in, stride) =
                    if block == 0 && stage > 0 { (CHANNELS[stage - 1], 2) } else { (c_out, 1) };
                let weights = weights.pp(format!("layer{}.{block}", stage + 1));
                blocks.push(Block::new(c_in, c_out, stride, &weights)?);
            }
        }
        Ok(Self {
            conv: conv3x3(channels, CHANNELS[0], 1, weights.pp("conv1"))?,
            norm: batch_norm(CHANNELS[0], 1e-5, weights.pp("bn1"))?.with_relu(),
            blocks,
            dense: linear(CHANNELS[2], classes, weights.pp("linear"))?,
        })
    }
}

impl ModuleT for ResNet {
    /// From images `[batch, channels, height, width]` to logits `[batch, classes]`.
    fn forward_t(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.norm.forward_t(&self.conv.forward(images)?, train)?;
        let x = self.blocks.iter().try_fold(x, |x, block| block.forward_t(&x, train))?;
        self.dense.forward(&global_avg_pool2d(&x)?)
    }
}

/// Two convolutions, to whose result the input is added.
#[derive(Debug)]
pub struct Block {
    /// `conv1`.
    pub conv1: Conv2d,
    /// `bn1`, with ReLU.
    pub norm1: BatchNorm,
    /// `conv2`.
    pub conv2: Conv2d,
    /// `bn2`.
    pub norm2: BatchNorm,
    /// Every how many rows and columns the block has an output.
    pub stride: usize,
    /// How many channels the block adds.
    pub new_channels: usize,
}

impl Block {
    fn new(c_in: usize, c_out: usize, stride: usize, weights: &VarBuilder) -> Result<Self> {
        Ok(Self {
            conv1: conv3x3(c_in, c_out, stride, weights.pp("conv1"))?,
            norm1: batch_norm(c_out, 1e-5, weights.pp("bn1"))?.with_relu(),
            conv2: conv3x3(c_out, c_out, 1, weights.pp("conv2"))?,
            norm2: batch_norm(c_out, 1e-5, weights.pp("bn2"))?,
            stride,
            new_channels: c_out - c_in,
        })
    }

    fn shortcut(&self, x: &Tensor) -> Result<Tensor> {
        if self.new_channels == 0 {
            return Ok(x.clone());
        }
        let before = self.new_channels / 2;
        avg_pool2d_with_padding(x, 1, self.stride, 0)?.pad_with_zeros(1, before, self.new_channels - before)
    }
}

impl ModuleT for Block {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.norm1.forward_t(&self.conv1.forward(x)?, train)?;
        let y = self.norm2.forward_t(&self.conv2.forward(&y)?, train)?;
        add_relu(&y, &self.shortcut(x)?)
    }
}

fn conv3x3(c_in: usize, c_out: usize, stride: usize, weights: VarBuilder) -> Result<Conv2d> {
    conv2d_no_bias(c_in, c_out, 3, Conv2dConfig { stride, padding: 1, ..Default::default() }, weights)
}
