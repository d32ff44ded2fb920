//! One measurement of `training.rs`: the course's network in one of its variants.

use ::ops::network::Network;
use anyhow::{Context, Result};
use lab::candle_core::{DType, Module, Tensor};
use lab::candle_nn::{self, AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use lab::data::{self, Split};
use lab::scores::{peak_memory_mib, processor_seconds};
use lab::{device, init, ops};
use serde_json::{Value, json};
use std::time::Instant;

/// From images, and whether this is training, to logits.
type Forward = Box<dyn Fn(&Tensor, bool) -> lab::candle_core::Result<Tensor>>;

/// The network as candle has it, with `candle_nn` only.
fn shipped(weights: VarBuilder) -> Result<Forward> {
    let conv1 = candle_nn::conv2d(1, 32, 3, Default::default(), weights.pp("conv1"))?;
    let conv2 = candle_nn::conv2d(32, 64, 3, Default::default(), weights.pp("conv2"))?;
    let dropout = candle_nn::Dropout::new(0.5);
    let dense = candle_nn::linear(1600, 10, weights.pp("dense"))?;
    Ok(Box::new(move |images, training| {
        let x = conv1.forward(images)?.relu()?.max_pool2d(2)?;
        let x = conv2.forward(&x)?.relu()?.max_pool2d(2)?;
        dense.forward(&dropout.forward(&x.flatten_from(1)?, training)?)
    }))
}

fn ours(weights: VarBuilder, fused: bool) -> Result<Forward> {
    let network = Network::new(&weights, 42)?.fused(fused);
    Ok(Box::new(move |images, training| network.forward(images, training)))
}

/// Trains for an epoch on so many images, then looks at digits it has not seen.
pub fn measure(variant: &str, images: usize, batch: usize) -> Result<Value> {
    let device = device::best();
    let digits = data::mnist()?;
    let train = digits.train.take(images);
    let map = VarMap::new();
    let weights = VarBuilder::from_varmap(&map, DType::F32, &device);
    let forward = if variant == "candle" { shipped(weights)? } else { ours(weights, variant == "fused")? };
    let cross_entropy = if variant == "candle" { candle_nn::loss::cross_entropy } else { ops::cross_entropy };
    init::seed(&map, 42)?;
    let settings = ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(map.all_vars(), settings)?;
    let mut epoch = |split: &Split, seed: u64| -> Result<(f64, f64)> {
        let (start, processor) = (Instant::now(), processor_seconds());
        let (mut loss_sum, mut right) = (0.0, 0.0);
        for batch in split.batches(batch, seed, &device) {
            let (images, labels) = batch?;
            let logits = forward(&images, true)?;
            let loss = cross_entropy(&logits, &labels)?;
            adam.backward_step(&loss)?;
            loss_sum += loss.to_scalar::<f32>()?;
            right += ops::accuracy(&logits, &labels)?;
        }
        anyhow::ensure!(loss_sum.is_finite() && right.is_finite(), "the training went wrong");
        Ok((start.elapsed().as_secs_f64(), processor_seconds() - processor))
    };
    epoch(&train.take(3 * batch), 1)?;
    let (seconds, processor) = epoch(&train, 2)?;
    let memory = peak_memory_mib();

    let one = digits.test.take(1).images(&device)?;
    let latency = median_seconds(220, || forward(&one, false))? * 1e3;
    let mut accuracy = 0.0;
    let ten_thousand = median_seconds(3, || {
        accuracy = 0.0;
        for batch in digits.test.batches_in_order(500, &device) {
            let (images, labels) = batch?;
            let share = images.dim(0)? as f32 / digits.test.len() as f32;
            accuracy += share * ops::accuracy(&forward(&images, false)?, &labels)?;
        }
        Ok(())
    })?;
    Ok(json!({
        "seconds": seconds,
        "processor": processor,
        "memory": memory,
        "latency": latency,
        "ten_thousand": ten_thousand,
        "accuracy": accuracy
    }))
}

fn median_seconds<T>(times: usize, mut act: impl FnMut() -> lab::candle_core::Result<T>) -> Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        act()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds.get(times / 2).copied().context("measured nothing")
}

/// Operations, additions and multiplications, to train with one image. Each layer has three products: forward, for its
/// weights, and for its input, which the first layer does not need. `lab` does the last two only at the places where a
/// pool passes a gradient, one of four; what is fused leaves out the places that fill no window from the start.
pub fn operations(variant: &str) -> f64 {
    let ours = ["layered", "fused"].contains(&variant);
    let (place1, place2) = (2.0 * 32.0 * 9.0, 2.0 * 64.0 * 32.0 * 9.0);
    let (all1, all2) = (26.0 * 26.0, 11.0 * 11.0);
    let (passed1, passed2) = if ours { (13.0 * 13.0, 5.0 * 5.0) } else { (all1, all2) };
    let pooled2 = if variant == "fused" { 10.0 * 10.0 } else { all2 };
    place1 * (all1 + passed1) + place2 * (pooled2 + 2.0 * passed2) + 3.0 * 2.0 * 1600.0 * 10.0
}
