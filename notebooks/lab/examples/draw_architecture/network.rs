//! The trained network, and its values for one digit.

use ::ops::network::Network;
use lab::candle_core::{D, DType, Device, Result, Tensor};
use lab::data;
use lab::nn::{self, Module, Optimizer};
use lab::{init, ops};

const BATCH: usize = 128;
const EPOCHS: u64 = 3;
const SEED: u64 = 42;
/// The test digit that is drawn: a 2 of MNIST that the network would nearly take for a 3.
const DIGIT: usize = 318;

/// Values of `count` images of `side` x `side`, one after the other.
pub struct Maps {
    pub side: usize,
    values: Vec<f32>,
}

impl Maps {
    fn new(x: &Tensor) -> Result<Self> {
        let side = x.dim(D::Minus1)?;
        Ok(Self { side, values: x.flatten_all()?.to_vec1()? })
    }

    pub fn count(&self) -> usize {
        self.values.len() / self.area()
    }

    fn area(&self) -> usize {
        self.side * self.side
    }

    /// One image, row by row.
    pub fn map(&self, index: usize) -> &[f32] {
        &self.values[index * self.area()..][..self.area()]
    }

    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// The image with the most contrast of those that are 0 in the first corner.
    pub fn liveliest(&self) -> usize {
        let variance = |index: &usize| {
            let map = self.map(*index);
            let mean = map.iter().sum::<f32>() / map.len() as f32;
            map.iter().map(|value| (value - mean).powi(2)).sum::<f32>()
        };
        let calm = (0..self.count()).filter(|&index| self.map(index)[0] == 0.0);
        calm.max_by(|a, b| variance(a).total_cmp(&variance(b))).unwrap_or(0)
    }
}

/// The values of one digit in the trained network, and the weights.
pub struct Journey {
    pub label: u8,
    pub input: Maps,
    /// The 32 kernels of the first convolution.
    pub kernels: Maps,
    pub conv1: Maps,
    pub pool1: Maps,
    pub conv2: Maps,
    pub pool2: Maps,
    /// 1,600 values.
    pub flat: Vec<f32>,
    /// The same as in training: half of them are 0, the others twice as large.
    pub dropped: Vec<f32>,
    pub logits: Vec<f32>,
    pub probabilities: Vec<f32>,
}

/// Trains the network, and computes its values for one of the test digits.
pub fn journey(device: &Device) -> lab::Result<Journey> {
    let digits = data::mnist()?;
    let variables = nn::VarMap::new();
    let weights = nn::VarBuilder::from_varmap(&variables, DType::F32, device);
    let network = Network::new(&weights, SEED)?;
    init::seed(&variables, SEED)?;
    let settings = nn::ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
    let mut adam = nn::AdamW::new(variables.all_vars(), settings)?;
    for epoch in 0..EPOCHS {
        for batch in digits.train.batches(BATCH, SEED + epoch, device) {
            let (images, labels) = batch?;
            adam.backward_step(&ops::cross_entropy(&network.forward(&images, true)?, &labels)?)?;
        }
    }

    // Once more for one digit, layer by layer.
    let Network { block1, block2, dropout, dense } = &network;
    let config = nn::Conv2dConfig::default();
    let [convolution1, convolution2] =
        [block1, block2].map(|block| nn::Conv2d::new(block.weight().clone(), block.bias().cloned(), config));
    let input = digits.test.take(DIGIT + 1).images(device)?.narrow(0, DIGIT, 1)?;
    let conv1 = ops::relu(&convolution1.forward(&input)?)?;
    let pool1 = ops::max_pool2d(&conv1, 2)?;
    let conv2 = ops::relu(&convolution2.forward(&pool1)?)?;
    let pool2 = ops::max_pool2d(&conv2, 2)?;
    let flat = pool2.flatten_from(1)?;
    let logits = dense.forward(&flat)?;
    Ok(Journey {
        label: digits.test.classes()[DIGIT],
        input: Maps::new(&input)?,
        kernels: Maps::new(block1.weight())?,
        conv1: Maps::new(&conv1)?,
        pool1: Maps::new(&pool1)?,
        conv2: Maps::new(&conv2)?,
        pool2: Maps::new(&pool2)?,
        dropped: dropout.forward(&flat, true)?.flatten_all()?.to_vec1()?,
        flat: flat.flatten_all()?.to_vec1()?,
        logits: logits.flatten_all()?.to_vec1()?,
        probabilities: lab::candle_nn::ops::softmax(&logits, D::Minus1)?.flatten_all()?.to_vec1()?,
    })
}
