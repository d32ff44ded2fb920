//! The course's network, for inference.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::softmax;
use ops::nn::{self, ConvBlock, Linear, Module, VarBuilder};
use ops::parameters::PARAMETERS;
use std::collections::HashMap;

/// The network of the course, as in its notebooks, but without the dropout, which is for training only.
pub struct Net {
    block1: ConvBlock,
    block2: ConvBlock,
    dense: Linear,
}

impl Net {
    /// From the values of all [`PARAMETERS`], in order.
    ///
    /// # Errors
    /// When there are too few values.
    pub fn new(mut values: &[f32]) -> Result<Self> {
        let mut tensors = HashMap::new();
        for (name, shape) in PARAMETERS {
            let size: usize = shape.iter().product();
            let Some((own, others)) = values.split_at_checked(size) else {
                candle_core::bail!("{name}: expected {size} values, got {}", values.len());
            };
            tensors.insert(name.to_owned(), Tensor::from_slice(own, shape, &Device::Cpu)?);
            values = others;
        }
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        Ok(Self {
            block1: nn::conv_block(1, 32, 3, 2, weights.pp("conv1"))?,
            block2: nn::conv_block(32, 64, 3, 2, weights.pp("conv2"))?,
            dense: nn::linear(1600, 10, weights.pp("dense"))?,
        })
    }

    /// For an image `[28, 28]`: the ten probabilities, the 32 feature maps of 13 x 13 after the first block, and the 64
    /// feature maps of 5 x 5 after the second.
    ///
    /// # Errors
    /// When the image has another size.
    pub fn look(&self, image: &[f32]) -> Result<[Vec<f32>; 3]> {
        let image = Tensor::from_slice(image, (1, 1, 28, 28), &Device::Cpu)?;
        let maps1 = self.block1.forward(&image)?;
        let maps2 = self.block2.forward(&maps1)?;
        let probabilities = softmax(&self.dense.forward(&maps2.flatten_from(1)?)?, D::Minus1)?;
        let [probabilities, maps1, maps2] =
            [probabilities, maps1, maps2].map(|values| values.flatten_all()?.to_vec1());
        Ok([probabilities?, maps1?, maps2?])
    }
}
