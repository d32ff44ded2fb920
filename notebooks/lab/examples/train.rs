//! Trains the course's network on MNIST, in batches of 128. Expect a test accuracy of about 97.5 % after one epoch, and of
//! 98.7 % or more after five.
//!
//! ```text
//! cargo run --release -p lab --example train -- [epochs] [fused | layered]
//! cargo run --release -p lab --example train --features cuda -- [epochs]
//! ```
//!
//! On a GPU all data stay there: the images, from which batches are assembled, the masks of the dropout, and the loss, which is
//! read once per epoch.

use lab::candle_core::{D, DType, Device, Result, Tensor};
use lab::candle_nn::{loss, ops::dropout};
use lab::data::{self, Split};
use lab::nn::{self, Module, Optimizer};
use lab::{device, init, ops};
use std::time::Instant;

const BATCH: usize = 128;
const SEED: u64 = 42;

struct Net {
    block1: nn::ConvBlock,
    block2: nn::ConvBlock,
    dropout: nn::Dropout,
    dense: nn::Linear,
}

impl Net {
    fn new(weights: &nn::VarBuilder, fused: bool) -> Result<Net> {
        Ok(Net {
            block1: nn::conv_block(1, 32, 3, 2, weights.pp("conv1"))?.fused(fused),
            block2: nn::conv_block(32, 64, 3, 2, weights.pp("conv2"))?.fused(fused),
            dropout: nn::Dropout::new(0.5, SEED),
            dense: nn::linear(1600, 10, weights.pp("dense"))?,
        })
    }

    /// From images `[batch, 1, 28, 28]` to logits `[batch, 10]`.
    fn forward(&self, images: &Tensor, training: bool) -> Result<Tensor> {
        let x = self.block2.forward(&self.block1.forward(images)?)?;
        let x = x.flatten_from(1)?;
        // The masks of `lab` are drawn by the CPU, so that they follow from their seed alone. A GPU need not wait for that.
        let on_gpu = training && !x.device().is_cpu();
        let x = if on_gpu { dropout(&x, 0.5)? } else { self.dropout.forward(&x, training)? };
        self.dense.forward(&x)
    }
}

fn main() -> lab::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let epochs = arguments.next().map_or(Ok(1), |epochs| epochs.parse())?;
    let fused = arguments.next().as_deref() != Some("layered");
    let device = device::best();
    let digits = data::mnist()?;
    let name = device::name(&device);
    println!("{}, {}, on {name}", digits.name, if fused { "fused" } else { "layered" });

    let weights = nn::VarMap::new();
    let net = Net::new(&nn::VarBuilder::from_varmap(&weights, DType::F32, &device), fused)?;
    init::seed(&weights, SEED)?;
    let settings = nn::ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = nn::AdamW::new(weights.all_vars(), settings)?;

    for epoch in 1..=epochs {
        let start = Instant::now();
        let mut loss = Tensor::zeros((), DType::F32, &device)?;
        for batch in digits.train.batches(BATCH, SEED + epoch, &device) {
            let (images, labels) = batch?;
            let batch_loss = cross_entropy(&net.forward(&images, true)?, &labels)?;
            adam.backward_step(&batch_loss)?;
            loss = batch_loss.detach();
        }
        // Reading the loss waits until a GPU is done.
        let loss = loss.to_scalar::<f32>()?;
        let seconds = start.elapsed().as_secs_f64();
        let accuracy = 100.0 * accuracy(&net, &digits.test, &device)?;
        println!("epoch {epoch}: {seconds:.2} s, last loss {loss:.4}, test accuracy {accuracy:.2} %");
    }
    Ok(())
}

/// Cross-entropy. That of `lab` checks the labels, which would wait for a GPU in each step.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let cross_entropy = if logits.device().is_cpu() { ops::cross_entropy } else { loss::cross_entropy };
    cross_entropy(logits, labels)
}

/// The fraction of digits that the network classifies correctly.
fn accuracy(net: &Net, digits: &Split, device: &Device) -> Result<f64> {
    let mut right = Tensor::zeros((), DType::F32, device)?;
    for batch in digits.batches_in_order(500, device) {
        let (images, labels) = batch?;
        let predicted = net.forward(&images, false)?.argmax(D::Minus1)?;
        right = (right + predicted.eq(&labels)?.to_dtype(DType::F32)?.sum_all()?)?;
    }
    Ok(f64::from(right.to_scalar::<f32>()?) / digits.len() as f64)
}
