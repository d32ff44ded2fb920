//! Attention on the CPU: each head of each item of the batch by itself, so that its scores are never in memory all at once.

use super::EXCLUDED;
use crate::output::{Output, zeros};
use crate::processor::vectorized;
use crate::product::{Matrix, Product, Target};
use crate::rows::{Real, RowOp};
use crate::softmax::Softmax;
use crate::{check_interrupt, threads};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail};
use std::ops::Range;

/// How many tokens are looked from at once: their scores stay in a thread's cache.
const ROWS: usize = 128;

/// Attention of tensors `[batch, heads, tokens, size]`, whose result is `[batch, tokens, heads, n]`, so that the heads of a token lie
/// side by side, as the next layer wants them.
pub struct Attention {
    /// `[batch, heads, tokens, others]`, 0 where a token may not look.
    pub mask: Option<Tensor>,
}

impl Attention {
    fn forward<T: Real>(&self, inputs: [Stored; 3]) -> Result<Vec<T>> {
        let mask = self.mask.as_ref().map(Tensor::storage_and_layout);
        let mask = mask.as_ref().map(|(mask, layout)| stored(mask, layout)).transpose()?;
        Ok(Inputs::new(inputs, mask)?.forward())
    }

    fn backward<T: Real>(&self, inputs: [&Tensor; 3], dy: &Tensor) -> Result<[Tensor; 3]> {
        let [query, key, value] = inputs.map(Tensor::storage_and_layout);
        let mask = self.mask.as_ref().map(Tensor::storage_and_layout);
        let mask = mask.as_ref().map(|(mask, layout)| stored(mask, layout)).transpose()?;
        let (dy, dy_layout) = dy.storage_and_layout();
        // As the inputs, [batch, heads, tokens, n].
        let dy_layout = dy_layout.transpose(1, 2)?;
        let dy = Matrices::new(stored(&dy, &dy_layout)?)?;
        let of = [stored(&query.0, query.1)?, stored(&key.0, key.1)?, stored(&value.0, value.1)?];
        let [dquery, dkey, dvalue] = Inputs::<T>::new(of, mask)?.backward(dy);
        let [query, key, value] = inputs;
        let tensor = |values, of: &Tensor| Tensor::from_vec(values, of.shape(), of.device());
        Ok([tensor(dquery, query)?, tensor(dkey, key)?, tensor(dvalue, value)?])
    }
}

/// A tensor on the CPU, as operations get it.
type Stored<'a> = (&'a CpuStorage, &'a Layout);

fn stored<'a>(storage: &'a Storage, layout: &'a Layout) -> Result<Stored<'a>> {
    match storage {
        Storage::Cpu(storage) => Ok((storage, layout)),
        _ => bail!("attention: expected tensors on the CPU"),
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let size = Size::new(query_layout.shape(), value_layout.shape())?;
        let inputs = [(query, query_layout), (key, key_layout), (value, value_layout)];
        let y = match query {
            CpuStorage::F64(_) => CpuStorage::F64(self.forward(inputs)?),
            _ => CpuStorage::F32(self.forward(inputs)?),
        };
        Ok((y, (size.batch, size.tokens, size.heads, size.n).into()))
    }

    fn bwd(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let inputs = [query, key, value];
        let gradients = match query.dtype() {
            DType::F64 => self.backward::<f64>(inputs, dy)?,
            _ => self.backward::<f32>(inputs, dy)?,
        };
        let [dquery, dkey, dvalue] = gradients.map(Some);
        Ok((dquery, dkey, dvalue))
    }
}

/// Sizes of tensors that fit each other.
#[derive(Clone, Copy)]
struct Size {
    batch: usize,
    heads: usize,
    tokens: usize,
    others: usize,
    size: usize,
    n: usize,
}

impl Size {
    fn new(query: &Shape, value: &Shape) -> Result<Self> {
        let (batch, heads, tokens, size) = query.dims4()?;
        let (_, _, others, n) = value.dims4()?;
        Ok(Self { batch, heads, tokens, others, size, n })
    }

    /// Batch and head of each matrix, in their order.
    fn places(self) -> impl Iterator<Item = [usize; 2]> {
        (0..self.batch).flat_map(move |batch| (0..self.heads).map(move |head| [batch, head]))
    }

    /// The tokens of a head, in blocks.
    fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.tokens).step_by(ROWS).map(move |start| start..self.tokens.min(start + ROWS))
    }
}

/// A tensor of four dimensions, of which the last two are those of a matrix for each place in the first two. It may lie anyhow.
#[derive(Clone, Copy)]
struct Matrices<'a, T> {
    values: &'a [T],
    strides: [usize; 4],
    columns: usize,
}

impl<'a, T: WithDType> Matrices<'a, T> {
    fn new((storage, layout): Stored<'a>) -> Result<Self> {
        let (&[a, b, c, d], &[.., columns]) = (layout.stride(), layout.dims()) else {
            bail!("attention: expected four dimensions, got {:?}", layout.dims());
        };
        let values = &storage.as_slice::<T>()?[layout.start_offset()..];
        Ok(Self { values, strides: [a, b, c, d], columns })
    }

    /// The values from a row on.
    fn from(&self, [batch, head]: [usize; 2], row: usize) -> &'a [T] {
        &self.values[batch * self.strides[0] + head * self.strides[1] + row * self.strides[2]..]
    }
}

impl<'a, T: Real> Matrices<'a, T> {
    fn rows(&self, place: [usize; 2], rows: Range<usize>) -> Matrix<'a, T> {
        let [.., row, column] = self.strides;
        Matrix::with_strides(self.from(place, rows.start), [rows.len(), self.columns], [row, column])
    }
}

struct Inputs<'a, T> {
    query: Matrices<'a, T>,
    key: Matrices<'a, T>,
    value: Matrices<'a, T>,
    mask: Option<Matrices<'a, u8>>,
    size: Size,
}

impl<'a, T: Real> Inputs<'a, T> {
    fn new([query, key, value]: [Stored<'a>; 3], mask: Option<Stored<'a>>) -> Result<Self> {
        Ok(Self {
            query: Matrices::new(query)?,
            key: Matrices::new(key)?,
            value: Matrices::new(value)?,
            mask: mask.map(Matrices::new).transpose()?,
            size: Size::new(query.1.shape(), value.1.shape())?,
        })
    }

    fn scale(&self) -> T {
        T::narrow(1.0 / (self.size.size as f64).sqrt())
    }

    fn forward(&self) -> Vec<T> {
        let Size { tokens, heads, others, n, .. } = self.size;
        let mut y = zeros(self.size.batch * tokens * heads * n);
        let target = Target::new(&mut y);
        let blocks = self.size.places().flat_map(|place| self.size.blocks().map(move |rows| (place, rows)));
        threads::for_each(blocks, |(place, rows)| {
            let mut weights = Weights::new(rows.len(), others);
            self.weigh(place, rows.clone(), &mut weights);
            let value = self.value.rows(place, 0..others);
            let product = Product::new(Matrix::new(&weights.weights, rows.len(), others), value);
            let [batch, head] = place;
            let start = ((batch * tokens + rows.start) * heads + head) * n;
            // SAFETY: the rows of this block are `heads · n` values apart and end within `y`, which outlives the threads' work. Other
            // blocks have other tokens, heads or items of the batch.
            unsafe { product.write_at(target.at(start), heads * n) };
        });
        y
    }

    /// Computes how much the tokens `rows` of a head look at each other token.
    fn weigh(&self, place: [usize; 2], rows: Range<usize>, to: &mut Weights<T>) {
        let others = self.size.others;
        let query = self.query.rows(place, rows.clone());
        let key = self.key.rows(place, 0..others);
        Product::new(query, key.transposed()).scaled(self.scale()).write(&mut to.scores, others);
        if let Some(mask) = &self.mask {
            for (scores, row) in to.scores.chunks_exact_mut(others).zip(rows) {
                exclude(scores, mask.from(place, row), mask.strides[3]);
            }
        }
        // Compiled for the vector instructions of this processor.
        vectorized(
            #[inline(always)]
            || {
                for (scores, weights) in
                    to.scores.chunks_exact(others).zip(to.weights.chunks_exact_mut(others))
                {
                    Softmax.forward(scores, weights);
                }
            },
        );
    }

    /// The gradients of query, key and value. With the weights w = softmax(s) of the scores s = scale · query · keyᵀ:
    /// dvalue = wᵀ · dy, dw = dy · valueᵀ, dquery = scale · ds · key and dkey = scale · dsᵀ · query. The weights are computed again, as
    /// keeping them takes more memory than all else.
    fn backward(&self, dy: Matrices<T>) -> [Vec<T>; 3] {
        let Size { batch, heads, tokens, others, size, n } = self.size;
        let [mut dquery, mut dkey, mut dvalue] =
            [tokens * size, others * size, others * n].map(|len| Output::new(batch * heads * len));
        let gradients =
            dquery.chunks(tokens * size).zip(dkey.chunks(others * size)).zip(dvalue.chunks(others * n));
        threads::for_each(self.size.places().zip(gradients), |(place, ((dquery, dkey), dvalue))| {
            let [dquery, dkey, dvalue] = [dquery, dkey, dvalue].map(|chunk| chunk.filled(T::zero()));
            let (key, value) = (self.key.rows(place, 0..others), self.value.rows(place, 0..others));
            for rows in self.size.blocks() {
                let mut weights = Weights::new(rows.len(), others);
                self.weigh(place, rows.clone(), &mut weights);
                let dy = dy.rows(place, rows.clone());
                let matrix = |values| Matrix::new(values, rows.len(), others);
                Product::new(matrix(&weights.weights).transposed(), dy).add(dvalue, n);
                Product::new(dy, value.transposed()).write(&mut weights.scores, others);
                let dscores = weights.backward(others);
                let dscores = matrix(&dscores);
                Product::new(dscores, key).scaled(self.scale()).write(&mut dquery[rows.start * size..], size);
                let query = self.query.rows(place, rows.clone());
                Product::new(dscores.transposed(), query).scaled(self.scale()).add(dkey, size);
            }
        });
        [dquery, dkey, dvalue].map(Output::finish)
    }
}

/// How much some tokens look at each other one, `[rows, others]`.
struct Weights<T> {
    /// Before the softmax.
    scores: Vec<T>,
    /// After it.
    weights: Vec<T>,
}

impl<T: Real> Weights<T> {
    fn new(rows: usize, others: usize) -> Self {
        let zeros = || vec![T::zero(); rows * others];
        Self { scores: zeros(), weights: zeros() }
    }

    /// The gradient of the scores, where `scores` has become that of the weights.
    fn backward(&self, others: usize) -> Vec<T> {
        let mut dscores = vec![T::zero(); self.weights.len()];
        vectorized(
            #[inline(always)]
            || {
                let rows = self.weights.chunks_exact(others).zip(self.scores.chunks_exact(others));
                for (dscores, (weights, dweights)) in dscores.chunks_exact_mut(others).zip(rows) {
                    Softmax.backward(weights, dweights, dscores);
                }
            },
        );
        dscores
    }
}

/// Lowers the scores of those whose mask is 0. Values of the mask are `stride` apart.
fn exclude<T: Real>(scores: &mut [T], mask: &[u8], stride: usize) {
    for (at, score) in scores.iter_mut().enumerate() {
        if mask[at * stride] == 0 {
            *score += T::narrow(EXCLUDED);
        }
    }
}
