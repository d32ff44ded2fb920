//! The network of the course.

use crate::network::{Network, PARAMETERS};
use crate::nn::{VarBuilder, VarMap};
use candle_core::{DType, Device, Result, Tensor};

fn network() -> Result<(VarMap, Network)> {
    let weights = VarMap::new();
    let network = Network::new(&VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu), 42)?;
    Ok((weights, network))
}

#[test]
fn the_parameters_of_the_network_are_those_that_a_page_gets() -> Result<()> {
    let (weights, _) = network()?;
    let variables = weights.data().lock().unwrap();
    let mut shapes: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.dims())).collect();
    shapes.sort();
    let mut expected = PARAMETERS;
    expected.sort();
    assert_eq!(shapes, expected);
    assert_eq!(variables.values().map(|value| value.elem_count()).sum::<usize>(), 34_826);
    Ok(())
}

#[test]
fn the_network_drops_half_of_its_features_in_training_only() -> Result<()> {
    let (weights, network) = network()?;
    // Every feature is 1, and every logit the sum of the features.
    for (name, variable) in weights.data().lock().unwrap().iter() {
        let is_one = matches!(name.as_str(), "conv1.bias" | "conv2.bias" | "dense.weight");
        variable.set(&if is_one { variable.ones_like()? } else { variable.zeros_like()? })?;
    }
    let images = Tensor::zeros((2, 1, 28, 28), DType::F32, &Device::Cpu)?;
    let [maps1, maps2] = network.feature_maps(&images)?;
    assert_eq!((maps1.dims(), maps2.dims()), (&[2, 32, 13, 13][..], &[2, 64, 5, 5][..]));
    assert_eq!(network.forward(&images, false)?.to_vec2::<f32>()?, [[1600.0; 10]; 2]);

    // Those that remain are doubled. Of 1,600 there are 800 on average, with a standard deviation of 20.
    let logits = network.forward(&images, true)?.to_vec2::<f32>()?;
    for logits in &logits {
        assert_eq!(logits[..], [logits[0]; 10]);
        assert!(logits[0] != 1600.0 && (logits[0] - 1600.0).abs() < 200.0, "{logits:?}");
    }
    Ok(())
}
