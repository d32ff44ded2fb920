//! Trains the course's network for six epochs with candle as it is shipped, without the operations of `lab`, and writes the record
//! of its scores. An epoch takes about two minutes on two cores.
//!
//! ```text
//! cargo run --release -p lab --example shipped -- [seed]
//! ```
//!
//! The gradient of candle's max pool is wrong where the window does not divide the image. So the images are cropped before each
//! pool by the column and the row that no window covers: this changes no output, and puts the gradient in its place.

use lab::candle_core::{DType, Module, Result, Tensor};
use lab::candle_nn::{self, AdamW, Dropout, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use lab::data::{self, Split};
use lab::scores::{CANDLE_AS_SHIPPED, Epoch, Record};
use lab::train::Score;
use lab::{device, init, ops};
use std::time::Instant;

const EPOCHS: usize = 6;
const BATCH: usize = 128;

struct Network {
    conv1: candle_nn::Conv2d,
    conv2: candle_nn::Conv2d,
    dropout: Dropout,
    dense: candle_nn::Linear,
}

impl Network {
    fn new(weights: VarBuilder) -> Result<Network> {
        Ok(Network {
            conv1: candle_nn::conv2d(1, 32, 3, Default::default(), weights.pp("conv1"))?,
            conv2: candle_nn::conv2d(32, 64, 3, Default::default(), weights.pp("conv2"))?,
            dropout: Dropout::new(0.5),
            dense: candle_nn::linear(1600, 10, weights.pp("dense"))?,
        })
    }

    fn forward(&self, images: &Tensor, training: bool) -> Result<Tensor> {
        let x = pool(&self.conv1.forward(images)?.relu()?)?;
        let x = pool(&self.conv2.forward(&x)?.relu()?)?;
        self.dense.forward(&self.dropout.forward(&x.flatten_from(1)?, training)?)
    }
}

fn pool(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    x.narrow(2, 0, height / 2 * 2)?.narrow(3, 0, width / 2 * 2)?.max_pool2d(2)
}

fn main() -> lab::Result<()> {
    let seed: u64 = std::env::args().nth(1).map_or(Ok(42), |seed| seed.parse())?;
    let device = device::best();
    let digits = data::mnist()?;
    let (train, validation) = digits.train.split_at(digits.train.len() - digits.train.len() / 10);

    let weights = VarMap::new();
    let network = Network::new(VarBuilder::from_varmap(&weights, DType::F32, &device))?;
    init::seed(&weights, seed)?;
    let settings = ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(weights.all_vars(), settings)?;

    let mut record = Record::new(CANDLE_AS_SHIPPED, "cropped pools", &train, &digits.test, &device);
    record.validation_images = validation.len();
    (record.batch, record.seed) = (BATCH, seed);
    record.parameters = weights.all_vars().iter().map(|variable| variable.elem_count()).sum();
    for epoch in 0..EPOCHS {
        let start = Instant::now();
        let trained = learn(&network, &mut adam, &train, seed + epoch as u64)?;
        let seconds = start.elapsed().as_secs_f64();
        let [validation, test] = [&validation, &digits.test].map(|split| evaluate(&network, split));
        let (validation, test) = (validation?, test?);
        println!(
            "Epoch [{}/{EPOCHS}], {seconds:.1} s, train: {trained}; validation: {validation}",
            epoch + 1
        );
        record.epochs.push(Epoch { train: trained, validation: Some(validation), test: Some(test), seconds });
    }
    println!("{}: {}", record.name(), record.save()?.display());
    Ok(())
}

/// Trains for an epoch. Returns the means over the steps.
fn learn(network: &Network, adam: &mut AdamW, train: &Split, seed: u64) -> lab::Result<Score> {
    let batches = train.batches(BATCH, seed, &device::best());
    let steps = batches.len() as f32;
    let mut mean = Score { loss: 0.0, accuracy: 0.0 };
    for batch in batches {
        let (images, labels) = batch?;
        let logits = network.forward(&images, true)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        adam.backward_step(&loss)?;
        mean.loss += loss.to_scalar::<f32>()? / steps;
        mean.accuracy += ops::accuracy(&logits, &labels)? / steps;
    }
    Ok(mean)
}

/// The loss and the accuracy over all images, without dropout.
fn evaluate(network: &Network, split: &Split) -> lab::Result<Score> {
    let mut mean = Score { loss: 0.0, accuracy: 0.0 };
    for batch in split.batches_in_order(500, &device::best()) {
        let (images, labels) = batch?;
        let share = labels.elem_count() as f32 / split.len() as f32;
        let logits = network.forward(&images, false)?;
        mean.loss += share * candle_nn::loss::cross_entropy(&logits, &labels)?.to_scalar::<f32>()?;
        mean.accuracy += share * ops::accuracy(&logits, &labels)?;
    }
    Ok(mean)
}
