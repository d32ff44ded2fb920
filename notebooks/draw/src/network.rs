//! The course's network, for inference.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::softmax;
use ops::network::{Network, PARAMETERS};
use ops::nn::{Module, VarBuilder};
use std::collections::HashMap;

/// The network with the values of all [`PARAMETERS`], in order.
///
/// # Errors
/// When there are too few values.
pub fn network(mut values: &[f32]) -> Result<Network> {
    let mut tensors = HashMap::new();
    for (name, shape) in PARAMETERS {
        let size: usize = shape.iter().product();
        let Some((own, others)) = values.split_at_checked(size) else {
            candle_core::bail!("{name}: expected {size} values, got {}", values.len());
        };
        tensors.insert(name.to_owned(), Tensor::from_slice(own, shape, &Device::Cpu)?);
        values = others;
    }
    // Inference draws no masks, so that the seed does not matter.
    Network::new(&VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), 0)
}

/// For an image `[28, 28]`: the ten probabilities, the 32 feature maps of 13 x 13 after the first block, and the 64 feature
/// maps of 5 x 5 after the second.
///
/// # Errors
/// When the image has another size.
pub fn look(network: &Network, image: &[f32]) -> Result<[Vec<f32>; 3]> {
    let image = Tensor::from_slice(image, (1, 1, 28, 28), &Device::Cpu)?;
    let [maps1, maps2] = network.feature_maps(&image)?;
    let probabilities = softmax(&network.dense.forward(&maps2.flatten_from(1)?)?, D::Minus1)?;
    let [probabilities, maps1, maps2] =
        [probabilities, maps1, maps2].map(|values| values.flatten_all()?.to_vec1());
    Ok([probabilities?, maps1?, maps2?])
}
