//! A training of the course's network: its losses are PyTorch's, and the same each time.

use crate::display::printed;
use crate::numbers::{Case, values};
use ::ops::network::Network;
use lab::candle_core::{DType, Device, Result, Tensor, safetensors};
use lab::data::drawn_sized;
use lab::nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use lab::{init, ops};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

const BATCH: usize = 128;

/// The network with its initial weights, and these.
fn network(fused: bool) -> Result<(Network, VarMap)> {
    let map = VarMap::new();
    let network = Network::new(&VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu), 42)?.fused(fused);
    init::seed(&map, 42)?;
    Ok((network, map))
}

/// The losses of the first steps, with or without dropout, and the parameters after them.
fn train(fused: bool, dropout: bool, steps: usize) -> Result<(Vec<f32>, VarMap)> {
    let (network, map) = network(fused)?;
    let settings = ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(map.all_vars(), settings)?;
    let mut losses = Vec::new();
    let digits = drawn_sized(42, steps * BATCH, 0).expect("nobody interrupts").train;
    for batch in digits.batches(BATCH, 42, &Device::Cpu) {
        let (images, labels) = batch?;
        let loss = ops::cross_entropy(&network.forward(&images, dropout)?, &labels)?;
        adam.backward_step(&loss)?;
        losses.push(loss.to_scalar()?);
    }
    Ok((losses, map))
}

fn by_name(map: &VarMap) -> Vec<(String, Tensor)> {
    let variables = map.data().lock().unwrap();
    let mut variables: Vec<_> =
        variables.iter().map(|(name, value)| (name.clone(), value.as_tensor().clone())).collect();
    variables.sort_by(|(one, _), (other, _)| one.cmp(other));
    variables
}

/// Writes what PyTorch trains with for `tests/fixtures/curve.safetensors`: see `make_fixtures.py`.
fn write_start(path: &str) -> Result<()> {
    let (_, map) = network(false)?;
    let mut tensors: HashMap<String, Tensor> = by_name(&map).into_iter().collect();
    let digits = drawn_sized(42, 50 * BATCH, 0).expect("nobody interrupts").train;
    let (images, labels): (Vec<_>, Vec<_>) =
        digits.batches(BATCH, 42, &Device::Cpu).collect::<Result<Vec<_>>>()?.into_iter().unzip();
    tensors.insert("images".into(), Tensor::cat(&images, 0)?);
    tensors.insert("labels".into(), Tensor::cat(&labels, 0)?);
    safetensors::save(&tensors, path)
}

#[test]
fn fifty_losses_are_those_of_pytorch() -> Result<()> {
    if let Ok(path) = std::env::var("WRITE_CURVE") {
        return write_start(&path);
    }
    let curve = &Case::all("curve")[0];
    let expected = values(curve.get("losses").expect("it has losses"));
    for fused in [false, true] {
        let (losses, _) = train(fused, false, 50)?;
        assert_eq!(losses.len(), expected.len());
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            let difference = (f64::from(*loss) - expected).abs();
            assert!(difference < 1e-3, "step {step}, fused {fused}: {loss} for {expected}");
        }
    }
    Ok(())
}

/// A fingerprint that depends on every bit of every parameter.
fn fingerprint(fused: bool) -> Result<u64> {
    let (_, map) = train(fused, true, 12)?;
    let mut hasher = DefaultHasher::new();
    for (name, value) in by_name(&map) {
        let bits = value.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits);
        (name, bits.collect::<Vec<_>>()).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

#[test]
fn the_same_seed_gives_the_same_parameters_bit_for_bit() {
    let name = "training_curve::the_same_seed_gives_the_same_parameters_bit_for_bit";
    let train = |threads| {
        printed(name, &[("RAYON_NUM_THREADS", threads)], || {
            for fused in [false, true, false, true] {
                println!("{}", fingerprint(fused).unwrap());
            }
        })
    };
    let (one, other) = (train("2"), train("2"));
    assert_eq!(one, other, "in two processes");
    assert_eq!(one, train("1"), "with one thread");
    let numbers: Vec<&str> = one.lines().collect();
    assert_eq!(numbers[..2], numbers[2..], "twice in one process");
}
