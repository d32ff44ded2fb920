//! Trains the course's network on MNIST, in batches of 128. Expect a test accuracy of about 97.5 % after one epoch, and of
//! 98.7 % or more after five.
//!
//! ```text
//! cargo run --release -p lab --example train -- [epochs] [fused | layered]
//! cargo run --release -p lab --example train --features lab/cuda -- [epochs]
//! ```
//!
//! On a GPU all data stay there: the images, from which batches are assembled, the masks of the dropout, and the loss, which is
//! read once per epoch.

use ::ops::network::Network;
use lab::candle_core::{D, DType, Device, Result, Tensor};
use lab::candle_nn::{loss, ops::dropout};
use lab::data::{self, Split};
use lab::nn::{self, Module, Optimizer};
use lab::{device, init, ops};
use std::time::Instant;

const BATCH: usize = 128;
const SEED: u64 = 42;

fn main() -> lab::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let epochs = arguments.next().map_or(Ok(1), |epochs| epochs.parse())?;
    let fused = arguments.next().as_deref() != Some("layered");
    let device = device::best();
    let digits = data::mnist()?;
    let name = device::name(&device);
    println!("{}, {}, on {name}", digits.name, if fused { "fused" } else { "layered" });

    let weights = nn::VarMap::new();
    let network =
        Network::new(&nn::VarBuilder::from_varmap(&weights, DType::F32, &device), SEED)?.fused(fused);
    init::seed(&weights, SEED)?;
    let settings = nn::ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = nn::AdamW::new(weights.all_vars(), settings)?;

    for epoch in 1..=epochs {
        let start = Instant::now();
        let mut loss = Tensor::zeros((), DType::F32, &device)?;
        for batch in digits.train.batches(BATCH, SEED + epoch, &device) {
            let (images, labels) = batch?;
            let batch_loss = cross_entropy(&logits(&network, &images)?, &labels)?;
            adam.backward_step(&batch_loss)?;
            loss = batch_loss.detach();
        }
        // Reading the loss waits until a GPU is done.
        let loss = loss.to_scalar::<f32>()?;
        let seconds = start.elapsed().as_secs_f64();
        let accuracy = 100.0 * accuracy(&network, &digits.test, &device)?;
        println!("epoch {epoch}: {seconds:.2} s, last loss {loss:.4}, test accuracy {accuracy:.2} %");
    }
    Ok(())
}

/// The logits `[batch, 10]` in training, with dropout. The masks of `lab` are drawn by the CPU, so that they follow from their
/// seed alone; a GPU draws its own, and need not wait for them.
fn logits(network: &Network, images: &Tensor) -> Result<Tensor> {
    if images.device().is_cpu() {
        return network.forward(images, true);
    }
    let [_, maps] = network.feature_maps(images)?;
    network.dense.forward(&dropout(&maps.flatten_from(1)?, network.dropout.p())?)
}

/// Cross-entropy. That of `lab` checks the labels, which would wait for a GPU in each step.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let cross_entropy = if logits.device().is_cpu() { ops::cross_entropy } else { loss::cross_entropy };
    cross_entropy(logits, labels)
}

/// The fraction of digits that the network classifies correctly.
fn accuracy(network: &Network, digits: &Split, device: &Device) -> Result<f64> {
    let mut right = Tensor::zeros((), DType::F32, device)?;
    for batch in digits.batches_in_order(500, device) {
        let (images, labels) = batch?;
        let predicted = network.forward(&images, false)?.argmax(D::Minus1)?;
        right = (right + predicted.eq(&labels)?.to_dtype(DType::F32)?.sum_all()?)?;
    }
    Ok(f64::from(right.to_scalar::<f32>()?) / digits.len() as f64)
}
