use super::forward::{self, Image};
use super::size::Size;
use super::tile::{self, PLACES};
use crate::ops::aligned::Aligned;
use candle_core::{Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Images whose gradients are summed up before those of others are added. The order of additions depends on it, and
/// on nothing else: the sums are the same, bit for bit, however many threads there are.
pub const IMAGES: usize = 8;

/// Gradients of a convolution.
pub struct Gradients {
    /// `[batch, c_in, height, width]`.
    pub x: Option<Vec<f32>>,
    /// `[c_out, c_in, k_h, k_w]`.
    pub weight: Vec<f32>,
    /// `[c_out]`.
    pub bias: Vec<f32>,
}

impl Gradients {
    /// What candle wants to have from the gradient of an operation on these tensors. It panics if it gets none for a
    /// tensor whose gradient it needs, and stores others in vain.
    pub fn of(
        self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let tensor = |values: Vec<f32>, of: &Tensor| Tensor::from_vec(values, of.shape(), of.device());
        let tracked = |values, of: &Tensor| of.track_op().then(|| tensor(values, of)).transpose();
        let dx = self.x.map(|values| tensor(values, x)).transpose()?;
        Ok((dx, tracked(self.weight, weight)?, tracked(self.bias, bias)?))
    }
}

/// From `dy`, the gradient of the output, `[batch, c_out, rows, columns]`, with that of `x` if it is wanted:
///
/// - dweight\[o, k\] = Σ x\[n, place + k\] · dy\[n, o, place\] over all images and places,
/// - dbias\[o\] = Σ dy\[n, o, place\],
/// - dx\[n, pixel\] = Σ weight\[o, k\] · dy\[n, o, place\] over all o, k and places with place + k = pixel.
pub fn backward(x: &[f32], weight: &[f32], dy: &[f32], wants_x: bool, size: &Size) -> Gradients {
    let arch = Arch::new();
    let block = tile::block_here(arch);
    let input = wants_x.then(|| Input::new(weight, size, block));
    let (places, taps) = (forward::corners(size), forward::kernel(size));
    let mut dx = wants_x.then(|| vec![0.0; x.len()]);
    let dx_chunks: Vec<Option<&mut [f32]>> = match &mut dx {
        Some(dx) => dx.chunks_mut(IMAGES * size.image()).map(Some).collect(),
        None => (0..size.batch.div_ceil(IMAGES)).map(|_| None).collect(),
    };
    let chunks =
        x.par_chunks(IMAGES * size.image()).zip(dy.par_chunks(IMAGES * size.output())).zip(dx_chunks);
    let sums: Vec<(Aligned, Vec<f32>)> = chunks
        .map(|((x, dy), dx)| {
            let mut weights = Aligned::zeros(size.c_out.div_ceil(block) * size.kernel() * block);
            let mut bias = vec![0.0; size.c_out];
            let mut packed = Aligned::zeros(size.c_out.div_ceil(block) * block * places.len());
            let mut scratch = Vec::new();
            let images = x.chunks_exact(size.image()).zip(dy.chunks_exact(size.output()));
            for (x, dy) in images.clone() {
                let x = forward::pad(x, size, &mut scratch);
                forward::pack_into(&mut packed, dy, places.len(), block);
                arch.dispatch(Weights { x, places: &taps, taps: &places, dy: &packed, sums: &mut weights });
                for (bias, dy) in bias.iter_mut().zip(dy.chunks_exact(places.len())) {
                    *bias += dy.iter().sum::<f32>();
                }
            }
            if let (Some(input), Some(dx)) = (&input, dx) {
                for ((_, dy), dx) in images.zip(dx.chunks_exact_mut(size.image())) {
                    input.gradient(arch, dy, dx, size, &mut scratch);
                }
            }
            (weights, bias)
        })
        .collect();
    let (mut packed, mut bias) = (vec![0.0; sums[0].0.len()], vec![0.0; size.c_out]);
    for (chunk_weights, chunk_bias) in &sums {
        add(&mut packed, chunk_weights);
        add(&mut bias, chunk_bias);
    }
    Gradients { x: dx, weight: unpack(&packed, size.c_out, size.kernel(), block), bias }
}

pub fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The inverse of [`forward::pack`].
fn unpack(packed: &[f32], channels: usize, taps: usize, block: usize) -> Vec<f32> {
    let at = |channel, tap| (channel / block * taps + tap) * block + channel % block;
    (0..channels * taps).map(|index| packed[at(index / taps, index % taps)]).collect()
}

/// The gradient of the weights from one image.
struct Weights<'a> {
    x: &'a [f32],
    places: &'a [usize],
    taps: &'a [usize],
    /// `[channels / block, taps, block]`.
    dy: &'a [f32],
    /// `[channels / block, places, block]`, added to.
    sums: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, places, taps, dy, sums } = self;
        let at_once = tile::places_at_once::<S>(places.len());
        let dy = tile::as_sums::<S>(dy).chunks_exact(taps.len());
        for (dy, sums) in dy.zip(tile::as_sums_mut::<S>(sums).chunks_exact_mut(places.len())) {
            for (places, sums) in places.chunks(at_once).zip(sums.chunks_mut(at_once)) {
                debug_assert!(places.len() <= PLACES);
                tile::add(simd, x, places, taps, dy, sums);
            }
        }
    }
}

/// The gradient of the input is itself a convolution, of the gradient of the output with the weights turned by 180°.
/// For that, the gradient of the output is spread out: its values `stride` apart, with zeros between and around.
struct Input {
    weights: Aligned,
    bias: Vec<f32>,
    places: Vec<usize>,
    taps: Vec<usize>,
    /// Of the gradient as it is spread out.
    height: usize,
    width: usize,
}

impl Input {
    fn new(weight: &[f32], size: &Size, block: usize) -> Self {
        let Size { c_in, c_out, k_h, k_w, padding, stride, .. } = *size;
        let spread = |n: usize, kernel: usize, outputs: usize| {
            (n + padding + kernel - 1).max((outputs - 1) * stride + kernel)
        };
        let height = spread(size.height, k_h, size.rows);
        let width = spread(size.width, k_w, size.columns);
        let area = k_h * k_w;
        let mut turned = Vec::with_capacity(weight.len());
        for channel in 0..c_in {
            for output in 0..c_out {
                let kernel = &weight[(output * c_in + channel) * area..][..area];
                turned.extend(kernel.iter().rev());
            }
        }
        let place = |at| (at / size.width + padding) * width + at % size.width + padding;
        let tap = |at| (at / area * height + at % area / k_w) * width + at % k_w;
        Self {
            weights: forward::pack(&turned, c_in, c_out * area, block),
            bias: vec![0.0; c_in.div_ceil(block) * block],
            places: (0..size.height * size.width).map(place).collect(),
            taps: (0..c_out * area).map(tap).collect(),
            height,
            width,
        }
    }

    fn gradient(&self, arch: Arch, dy: &[f32], dx: &mut [f32], size: &Size, scratch: &mut Vec<f32>) {
        let Self { weights, bias, places, taps, height, width } = self;
        scratch.clear();
        scratch.resize(size.c_out * height * width, 0.0);
        for (plane, dy) in scratch.chunks_exact_mut(height * width).zip(dy.chunks_exact(size.pixels())) {
            let rows = plane[(size.k_h - 1) * width..].chunks_mut(width * size.stride);
            for (row, dy) in rows.zip(dy.chunks_exact(size.columns)) {
                let row = row[size.k_w - 1..].iter_mut().step_by(size.stride);
                row.zip(dy).for_each(|(spread, dy)| *spread = *dy);
            }
        }
        arch.dispatch(Image { x: scratch, places, taps, weights, bias, y: dx });
    }
}
