//! Trains the course's network with Burn for an epoch, as its notebook does, and prints what `cargo bench --bench training` wants
//! to know, as JSON.
//!
//! ```text
//! cargo run --release -p lab --example burn --features lab/burn -- [images] [batch]
//! ```

use lab::burn;
use lab::burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use lab::burn::data::dataset::{Dataset, DatasetError};
use lab::burn::module::Module;
use lab::burn::nn::conv::{Conv2d, Conv2dConfig};
use lab::burn::nn::loss::CrossEntropyLossConfig;
use lab::burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use lab::burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig, Relu};
use lab::burn::optim::{AdamConfig, GradientsParams};
use lab::burn::tensor::{Device, Int, Tensor, TensorData};
use lab::data::{self, Split};
use lab::scores::{peak_memory_mib, processor_seconds};
use std::sync::Arc;
use std::time::Instant;

const HE: Initializer = Initializer::KaimingUniform { gain: std::f64::consts::SQRT_2, fan_out_only: false };

#[derive(Clone, Debug)]
struct Digit {
    pixels: Vec<u8>,
    class: u8,
}

struct Digits(Split);

impl Dataset<Digit> for Digits {
    fn get(&self, index: usize) -> Result<Digit, DatasetError> {
        Ok(Digit { pixels: self.0.image(index).to_vec(), class: self.0.classes()[index] })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone, Debug)]
struct Batch {
    images: Tensor<4>,
    labels: Tensor<1, Int>,
}

struct ToTensors;

impl Batcher<Digit, Batch> for ToTensors {
    fn batch(&self, digits: Vec<Digit>, device: &Device) -> Batch {
        let pixels = digits.iter().flat_map(|digit| &digit.pixels);
        let pixels: Vec<f32> = pixels.map(|&pixel| f32::from(pixel) / 255.0).collect();
        let classes: Vec<i64> = digits.iter().map(|digit| i64::from(digit.class)).collect();
        let (images, labels) = ([digits.len(), 1, 28, 28], [digits.len()]);
        Batch {
            images: Tensor::from_data(TensorData::new(pixels, images), device),
            labels: Tensor::from_data(TensorData::new(classes, labels), device),
        }
    }
}

#[derive(Module, Debug)]
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    relu: Relu,
    pool: MaxPool2d,
    dropout: Dropout,
    dense: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 32], [3, 3]).with_initializer(HE).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).with_initializer(HE).init(device),
            relu: Relu::new(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            dense: LinearConfig::new(1600, 10).with_initializer(HE).init(device),
        }
    }

    /// From images `[batch, 1, 28, 28]` to logits `[batch, 10]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(self.relu.forward(self.conv1.forward(images)));
        let x = self.pool.forward(self.relu.forward(self.conv2.forward(x)));
        self.dense.forward(self.dropout.forward(x.flatten(1, 3)))
    }
}

fn right(logits: Tensor<2>, labels: Tensor<1, Int>) -> f32 {
    logits.argmax(1).squeeze_dim::<1>(1).equal(labels).float().sum().into_scalar()
}

fn main() -> lab::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let images = arguments.next().map_or(Ok(60_000), |images| images.parse())?;
    let size = arguments.next().map_or(Ok(128), |size| size.parse())?;
    let device: Device = Device::flex().autodiff();
    device.seed(42);
    // As the other frameworks have it in the benchmark.
    lab::device::best();
    let digits = data::mnist()?;
    let batches = |split: Split, size, device: &Device| -> Arc<dyn DataLoader<Batch>> {
        let loader = DataLoaderBuilder::new(ToTensors).batch_size(size).set_device(device.clone());
        loader.shuffle(42).build(Digits(split))
    };
    let mut net = Net::new(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let mut epoch = |images| -> lab::Result<(f64, f64)> {
        let batches = batches(digits.train.take(images), size, &device);
        let (start, processor) = (Instant::now(), processor_seconds());
        let (mut loss_sum, mut hits) = (0.0, 0.0);
        for batch in batches.iter() {
            let Batch { images, labels } = batch?;
            let logits = net.forward(images);
            let loss = cross_entropy.forward(logits.clone(), labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = adam.step(0.001, net.clone(), gradients);
            loss_sum += loss.into_scalar::<f32>();
            hits += right(logits, labels);
        }
        lab::anyhow::ensure!(loss_sum.is_finite() && hits > 0.0, "the training went wrong");
        Ok((start.elapsed().as_secs_f64(), processor_seconds() - processor))
    };
    epoch(3 * size)?;
    let (seconds, processor) = epoch(images)?;
    let memory = peak_memory_mib();

    let net = net.valid();
    let plain = device.without_autodiff();
    let one = ToTensors.batch(vec![Digits(digits.test.take(1)).get(0)?], &plain);
    let latency = median_seconds(220, || {
        net.forward(one.images.clone()).into_data();
        Ok(())
    })?;
    let test = batches(digits.test.clone(), 500, &plain);
    let mut accuracy = 0.0;
    let ten_thousand = median_seconds(3, || {
        let mut hits = 0.0;
        for batch in test.iter() {
            let Batch { images, labels } = batch?;
            hits += right(net.forward(images), labels);
        }
        accuracy = hits / digits.test.len() as f32;
        Ok(())
    })?;
    println!(
        "{}",
        serde_json::json!({
            "seconds": seconds,
            "processor": processor,
            "memory": memory,
            "latency": 1e3 * latency,
            "ten_thousand": ten_thousand,
            "accuracy": accuracy
        })
    );
    Ok(())
}

fn median_seconds(times: usize, mut act: impl FnMut() -> lab::Result<()>) -> lab::Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        act()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[times / 2])
}
