//! An encoder of the size of MiniLM (`all-MiniLM-L6-v2`), for `training.rs`: 6 blocks of 384 numbers for each token, 12 heads. What the
//! tokens are takes no time, so they are random.

use anyhow::{Result, ensure};
use lab::candle_core::{D, DType, Device, Module, Tensor};
use lab::candle_nn::{self, Embedding, ParamsAdamW, VarBuilder, VarMap};
use lab::nn::{self, AdamW, Optimizer};
use lab::scores::peak_memory_mib;
use lab::{device, init, ops};
use serde_json::{Value, json};
use std::time::Instant;

/// A variant, as a child process names it, and the table.
pub const VARIANTS: [(&str, &str); 4] = [
    ("encoder-candle", "candle as shipped"),
    ("encoder-lab", "candle + lab"),
    ("encoder-pytorch", "PyTorch: as people write it"),
    ("encoder-pytorch-compiled", "PyTorch: the same, torch.compile"),
];
pub const TOKENS: usize = 128;
/// Additions and multiplications for one sentence, forward.
pub const OPERATIONS: f64 = 2.0 * TOKENS as f64 * BLOCKS as f64 * PRODUCTS as f64;
/// Of each token in each block.
const PRODUCTS: usize = 4 * SIZE * SIZE + 2 * SIZE * WIDE + 2 * TOKENS * SIZE;
const BLOCKS: usize = 6;
const SIZE: usize = 384;
const WIDE: usize = 1536;
const HEADS: usize = 12;
const VOCABULARY: usize = 30_522;
const CLASSES: usize = 10;

type Layer = Box<dyn Fn(&Tensor) -> lab::candle_core::Result<Tensor>>;

struct Block {
    projections: [Layer; 4],
    norms: [Layer; 2],
    wide: Layer,
    narrow: Layer,
}

struct Encoder {
    tokens: Embedding,
    places: Tensor,
    norm: Layer,
    blocks: Vec<Block>,
    dense: Layer,
    /// With `candle_nn`'s own layers and operations only.
    shipped: bool,
}

fn norm(weights: VarBuilder, shipped: bool) -> Result<Layer> {
    Ok(if shipped {
        let layer = candle_nn::layer_norm(SIZE, 1e-12, weights)?;
        Box::new(move |x| layer.forward(x))
    } else {
        let layer = nn::layer_norm(SIZE, 1e-12, weights)?;
        Box::new(move |x| layer.forward(x))
    })
}

fn linear(from: usize, to: usize, weights: VarBuilder, shipped: bool) -> Result<Layer> {
    Ok(if shipped {
        let layer = candle_nn::linear(from, to, weights)?;
        Box::new(move |x| layer.forward(x))
    } else {
        let layer = nn::linear(from, to, weights)?;
        Box::new(move |x| layer.forward(x))
    })
}

impl Encoder {
    fn new(weights: &VarBuilder, shipped: bool) -> Result<Self> {
        let block = |at: usize| -> Result<Block> {
            let weights = weights.pp(at.to_string());
            let projection = |name: &str| linear(SIZE, SIZE, weights.pp(name), shipped);
            Ok(Block {
                projections: [
                    projection("query")?,
                    projection("key")?,
                    projection("value")?,
                    projection("out")?,
                ],
                norms: [norm(weights.pp("norm1"), shipped)?, norm(weights.pp("norm2"), shipped)?],
                wide: linear(SIZE, WIDE, weights.pp("wide"), shipped)?,
                narrow: linear(WIDE, SIZE, weights.pp("narrow"), shipped)?,
            })
        };
        Ok(Self {
            tokens: candle_nn::embedding(VOCABULARY, SIZE, weights.pp("tokens"))?,
            places: candle_nn::embedding(TOKENS, SIZE, weights.pp("places"))?.embeddings().clone(),
            norm: norm(weights.pp("norm"), shipped)?,
            blocks: (0..BLOCKS).map(block).collect::<Result<_>>()?,
            dense: linear(SIZE, CLASSES, weights.pp("dense"), shipped)?,
            shipped,
        })
    }

    /// From tokens `[batch, TOKENS]` to logits.
    fn forward(&self, tokens: &Tensor) -> lab::candle_core::Result<Tensor> {
        let x = self.tokens.forward(tokens)?.broadcast_add(&self.places)?;
        let mut x = (self.norm)(&x)?;
        for block in &self.blocks {
            let y = self.attention(block, &x)?;
            x = (block.norms[0])(&(x + y)?)?;
            let y = (block.wide)(&x)?;
            let y = if self.shipped { y.gelu_erf()? } else { ops::gelu(&y)? };
            x = (block.norms[1])(&(&x + (block.narrow)(&y)?)?)?;
        }
        (self.dense)(&x.mean(1)?)
    }

    fn attention(&self, block: &Block, x: &Tensor) -> lab::candle_core::Result<Tensor> {
        let batch = x.dim(0)?;
        let [query, key, value, out] = &block.projections;
        let heads = |layer: &Layer| layer(x)?.reshape((batch, TOKENS, HEADS, SIZE / HEADS))?.transpose(1, 2);
        let (query, key, value) = (heads(query)?, heads(key)?, heads(value)?);
        let y = if self.shipped {
            let (query, key, value) = (query.contiguous()?, key.contiguous()?, value.contiguous()?);
            let scores = (query.matmul(&key.t()?)? / ((SIZE / HEADS) as f64).sqrt())?;
            candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&value)?
        } else {
            ops::attention(&query, &key, &value, None)?
        };
        out(&y.transpose(1, 2)?.flatten_from(2)?)
    }
}

/// The seconds for one sentence, for `batch` of them, and for a step of training with `batch`: means over so many sentences.
pub fn measure(variant: &str, sentences: usize, batch: usize) -> Result<Value> {
    // The allocator's setting.
    let device = device::best();
    let map = VarMap::new();
    let shipped = variant == "encoder-candle";
    let net = Encoder::new(&VarBuilder::from_varmap(&map, DType::F32, &device), shipped)?;
    init::seed(&map, 42)?;
    let tokens = init::uniform((batch, TOKENS), 0.0, VOCABULARY as f32, 1, &Device::Cpu)?;
    let tokens = tokens.to_dtype(DType::U32)?.to_device(&device)?;
    let one = tokens.narrow(0, 0, 1)?;
    let look = |tokens: &Tensor| net.forward(tokens)?.detach().flatten_all()?.to_vec1::<f32>();
    let seconds = |repeats: usize, act: &mut dyn FnMut() -> Result<()>| -> Result<f64> {
        act()?;
        let start = Instant::now();
        (0..repeats).try_for_each(|_| act())?;
        Ok(start.elapsed().as_secs_f64() / repeats as f64)
    };
    let repeats = sentences.div_ceil(batch);
    let one = seconds(sentences, &mut || look(&one).map(drop).map_err(Into::into))?;
    let many = seconds(repeats, &mut || look(&tokens).map(drop).map_err(Into::into))?;
    // candle's own layer norm has no gradient.
    let step = if shipped {
        None
    } else {
        let labels = Tensor::from_iter((0..batch).map(|at| (at % CLASSES) as u32), &device)?;
        let mut adam = AdamW::new(map.all_vars(), ParamsAdamW { lr: 1e-5, ..Default::default() })?;
        Some(seconds(repeats, &mut || {
            let loss = ops::cross_entropy(&net.forward(&tokens)?, &labels)?;
            adam.backward_step(&loss)?;
            ensure!(loss.to_scalar::<f32>()?.is_finite(), "the training went wrong");
            Ok(())
        })?)
    };
    Ok(json!({ "one": one, "many": many, "step": step, "memory": peak_memory_mib() }))
}
