//! EfficientNet-Lite0, a network of depthwise convolutions, on pictures of 128 x 128 pixels, for `training.rs`. What is in the pictures takes
//! no time, so they are noise.

use anyhow::{Result, ensure};
use lab::candle_core::{DType, Device, Module, ModuleT, Tensor};
use lab::candle_nn::{self, Conv2dConfig};
use lab::nn::{self, AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use lab::scores::peak_memory_mib;
use lab::{device, init, ops};
use serde_json::{Value, json};
use std::time::Instant;

/// A variant, as a child process names it, and the table.
pub const VARIANTS: [(&str, &str); 5] = [
    ("mobile-candle", "candle as shipped"),
    ("mobile-lab", "candle + lab"),
    ("mobile-pytorch", "PyTorch: as people write it"),
    ("mobile-pytorch-channels-last", "PyTorch: channels_last"),
    ("mobile-pytorch-compiled", "PyTorch: the same, torch.compile"),
];
pub const SIDE: usize = 128;
const CLASSES: usize = 10;
/// Of each stage: its blocks, how many times as many channels they have inside, the window, the first stride, the channels that come out.
const STAGES: [[usize; 5]; 7] = [
    [1, 1, 3, 1, 16],
    [2, 6, 3, 2, 24],
    [2, 6, 5, 2, 40],
    [3, 6, 3, 2, 80],
    [3, 6, 5, 1, 112],
    [4, 6, 5, 2, 192],
    [1, 6, 3, 1, 320],
];

/// From a tensor, and whether this is training.
type Layer = Box<dyn Fn(&Tensor, bool) -> lab::candle_core::Result<Tensor>>;

/// Makes the layers of a network, and counts the multiplications of its forward pass.
struct Builder {
    weights: VarBuilder<'static>,
    shipped: bool,
    layers: usize,
    side: usize,
    products: usize,
}

impl Builder {
    /// A convolution with batch norm, and ReLU6 if `active`.
    fn layer(
        &mut self,
        [inputs, outputs, groups]: [usize; 3],
        [window, stride]: [usize; 2],
        active: bool,
    ) -> Result<Layer> {
        self.layers += 1;
        self.side = self.side.div_ceil(stride);
        self.products += self.side * self.side * outputs * inputs / groups * window * window;
        let weights = self.weights.pp(self.layers.to_string());
        let config = Conv2dConfig { stride, padding: window / 2, groups, ..Default::default() };
        if self.shipped {
            let conv = candle_nn::conv2d_no_bias(inputs, outputs, window, config, weights.pp("conv"))?;
            let norm = candle_nn::batch_norm(outputs, 1e-3, weights.pp("norm"))?;
            return Ok(Box::new(move |x, training| {
                let y = norm.forward_t(&conv.forward(x)?, training)?;
                if active { y.clamp(0f32, 6f32) } else { Ok(y) }
            }));
        }
        let conv = nn::conv2d_no_bias(inputs, outputs, window, config, weights.pp("conv"))?;
        let norm = nn::batch_norm(outputs, 1e-3, weights.pp("norm"))?;
        Ok(Box::new(move |x, training| {
            let y = norm.forward_t(&conv.forward(x)?, training)?;
            if active { ops::relu6(&y) } else { Ok(y) }
        }))
    }

    fn block(&mut self, inputs: usize, outputs: usize, factor: usize, window: [usize; 2]) -> Result<Layer> {
        let wide = factor * inputs;
        let expand = (factor > 1).then(|| self.layer([inputs, wide, 1], [1, 1], true)).transpose()?;
        let depthwise = self.layer([wide, wide, wide], window, true)?;
        let project = self.layer([wide, outputs, 1], [1, 1], false)?;
        let has_shortcut = window[1] == 1 && inputs == outputs;
        Ok(Box::new(move |x, training| {
            let y = expand.as_ref().map_or_else(|| Ok(x.clone()), |layer| layer(x, training))?;
            let y = project(&depthwise(&y, training)?, training)?;
            if has_shortcut { y + x } else { Ok(y) }
        }))
    }

    fn network(&mut self) -> Result<Layer> {
        let mut layers = vec![self.layer([3, 32, 1], [3, 2], true)?];
        let mut inputs = 32;
        for [len, factor, window, stride, outputs] in STAGES {
            for at in 0..len {
                let stride = if at == 0 { stride } else { 1 };
                layers.push(self.block(inputs, outputs, factor, [window, stride])?);
                inputs = outputs;
            }
        }
        layers.push(self.layer([inputs, 1280, 1], [1, 1], true)?);
        let dense = nn::linear(1280, CLASSES, self.weights.pp("dense"))?;
        Ok(Box::new(move |images, training| {
            let x = layers.iter().try_fold(images.clone(), |x, layer| layer(&x, training))?;
            dense.forward(&ops::global_avg_pool2d(&x)?)
        }))
    }
}

fn network(weights: &VarMap, shipped: bool, device: &Device) -> Result<(Layer, usize)> {
    let weights = VarBuilder::from_varmap(weights, DType::F32, device);
    let mut builder = Builder { weights, shipped, layers: 0, side: SIDE, products: 0 };
    Ok((builder.network()?, builder.products))
}

/// Additions and multiplications for one picture, forward.
pub fn operations() -> f64 {
    network(&VarMap::new(), false, &Device::Cpu).map_or(f64::NAN, |(_, products)| 2.0 * products as f64)
}

/// The seconds for one picture, for `batch` of them, and for a step of training with `batch`: means over so many pictures.
pub fn measure(variant: &str, pictures: usize, batch: usize) -> Result<Value> {
    // The allocator's setting.
    let device = device::best();
    let map = VarMap::new();
    let (net, _) = network(&map, variant == "mobile-candle", &device)?;
    init::seed(&map, 42)?;
    let images = init::uniform((batch, 3, SIDE, SIDE), -1.0, 1.0, 1, &device)?;
    let labels = Tensor::from_iter((0..batch).map(|at| (at % CLASSES) as u32), &device)?;
    let one = images.narrow(0, 0, 1)?;
    let look = |images: &Tensor| net(images, false)?.detach().flatten_all()?.to_vec1::<f32>();
    let seconds = |repeats: usize, act: &mut dyn FnMut() -> Result<()>| -> Result<f64> {
        act()?;
        let start = Instant::now();
        (0..repeats).try_for_each(|_| act())?;
        Ok(start.elapsed().as_secs_f64() / repeats as f64)
    };
    let repeats = pictures.div_ceil(batch);
    let one = seconds(pictures, &mut || look(&one).map(drop).map_err(Into::into))?;
    let many = seconds(repeats, &mut || look(&images).map(drop).map_err(Into::into))?;
    let mut adam = AdamW::new(map.all_vars(), ParamsAdamW { lr: 1e-4, ..Default::default() })?;
    let step = seconds(repeats, &mut || {
        let loss = ops::cross_entropy(&net(&images, true)?, &labels)?;
        adam.backward_step(&loss)?;
        ensure!(loss.to_scalar::<f32>()?.is_finite(), "the training went wrong");
        Ok(())
    })?;
    Ok(json!({ "one": one, "many": many, "step": step, "memory": peak_memory_mib() }))
}
