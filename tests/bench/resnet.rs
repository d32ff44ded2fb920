//! ResNet-20 on colour pictures of 32 x 32 pixels, for `training.rs`. What is in the pictures takes no time, so it is noise.

use ::ops::resnet::ResNet;
use anyhow::{Result, ensure};
use lab::candle_core::{DType, Device, Module, ModuleT, Tensor};
use lab::candle_nn::{self, Conv2dConfig};
use lab::nn::{MomentumSGD, Optimizer, ParamsMomentumSGD, VarBuilder, VarMap};
use lab::scores::{peak_memory_mib, processor_seconds};
use lab::{device, init, ops};
use serde_json::{Value, json};
use std::time::Instant;

/// A variant, as a child process names it, and the table.
pub const VARIANTS: [(&str, &str); 5] = [
    ("resnet-candle", "candle as shipped"),
    ("resnet-lab", "candle + lab"),
    ("resnet-pytorch", "PyTorch: as people write it"),
    ("resnet-pytorch-channels-last", "PyTorch: channels_last"),
    ("resnet-pytorch-compiled", "PyTorch: the same, torch.compile"),
];
/// The pictures of CIFAR-10, to which times are scaled.
pub const EPOCH: f64 = 50_000.0;
/// Additions and multiplications to train with one picture, three products in each layer, but only two in the first, which needs no
/// gradient of its input.
pub const OPERATIONS: f64 = 2.0 * (3.0 * LAYERS - FIRST);
/// Products of the forward pass: sides · sides · weights of each layer.
const LAYERS: f64 = FIRST
    + 1024.0 * 6.0 * 2304.0
    + 256.0 * (4608.0 + 5.0 * 9216.0)
    + 64.0 * (18432.0 + 5.0 * 36864.0)
    + 640.0;
const FIRST: f64 = 1024.0 * 432.0;

/// From pictures, and whether this is training, to logits.
type Forward = Box<dyn Fn(&Tensor, bool) -> lab::candle_core::Result<Tensor>>;

fn ours(weights: &VarBuilder) -> Result<Forward> {
    let network = ResNet::new(3, 10, weights)?;
    Ok(Box::new(move |images, train| network.forward_t(images, train)))
}

/// The network as candle has it, with `candle_nn` only.
fn shipped(weights: &VarBuilder) -> Result<Forward> {
    let layer = |c_in, c_out, stride, name: String| -> lab::candle_core::Result<_> {
        let config = Conv2dConfig { padding: 1, stride, ..Default::default() };
        let conv = candle_nn::conv2d_no_bias(c_in, c_out, 3, config, weights.pp(&name))?;
        Ok((conv, candle_nn::batch_norm(c_out, 1e-5, weights.pp(name + ".norm"))?, stride))
    };
    let first = layer(3, 16, 1, "first".into())?;
    let channels = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64];
    let block = |(at, sizes): (usize, &[usize])| -> lab::candle_core::Result<_> {
        let stride = sizes[1] / sizes[0];
        Ok([
            layer(sizes[0], sizes[1], stride, format!("{at}.1"))?,
            layer(sizes[1], sizes[1], 1, format!("{at}.2"))?,
        ])
    };
    let blocks = channels.windows(2).enumerate().map(block).collect::<lab::candle_core::Result<Vec<_>>>()?;
    let dense = candle_nn::linear(64, 10, weights.pp("dense"))?;
    Ok(Box::new(move |images, train| {
        let mut x = first.1.forward_t(&first.0.forward(images)?, train)?.relu()?;
        for [(conv1, norm1, stride), (conv2, norm2, _)] in &blocks {
            let y = norm1.forward_t(&conv1.forward(&x)?, train)?.relu()?;
            let y = norm2.forward_t(&conv2.forward(&y)?, train)?;
            if *stride == 2 {
                let (_, channels, side, _) = x.dims4()?;
                let every_second = Tensor::from_iter((0..side as u32).step_by(2), x.device())?;
                x = x.index_select(&every_second, 2)?.index_select(&every_second, 3)?;
                x = x.pad_with_zeros(1, channels / 2, channels / 2)?;
            }
            x = (y + x)?.relu()?;
        }
        dense.forward(&x.mean((2, 3))?)
    }))
}

/// Trains with so many pictures in batches.
pub fn measure(variant: &str, pictures: usize, batch: usize) -> Result<Value> {
    // The allocator's setting.
    let device = device::best();
    let images = init::uniform((pictures, 3, 32, 32), 0.0, 255.0, 1, &Device::Cpu)?.to_dtype(DType::U8)?;
    let labels = Tensor::from_iter((0..pictures as u32).map(|at| at % 10), &device)?;
    let map = VarMap::new();
    let weights = VarBuilder::from_varmap(&map, DType::F32, &device);
    let forward = if variant == "resnet-candle" { shipped(&weights)? } else { ours(&weights)? };
    init::seed(&map, 42)?;
    let settings = ParamsMomentumSGD { weight_decay: 1e-4, ..Default::default() };
    let mut sgd = MomentumSGD::new(map.all_vars(), settings)?;
    let mut epoch = |pictures: usize| -> Result<()> {
        for start in (0..pictures).step_by(batch) {
            let count = batch.min(pictures - start);
            let images = (images.narrow(0, start, count)?.to_device(&device)?.to_dtype(DType::F32)? / 255.0)?;
            let logits = forward(&images, true)?;
            let loss = ops::cross_entropy(&logits, &labels.narrow(0, start, count)?)?;
            sgd.backward_step(&loss)?;
            ensure!(loss.to_scalar::<f32>()?.is_finite(), "the training went wrong");
        }
        Ok(())
    };
    epoch(2 * batch)?;
    let (start, processor) = (Instant::now(), processor_seconds());
    epoch(pictures)?;
    Ok(json!({
        "seconds": start.elapsed().as_secs_f64(),
        "processor": processor_seconds() - processor,
        "memory": peak_memory_mib(),
    }))
}
