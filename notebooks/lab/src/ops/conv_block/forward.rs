use super::NONE;
use crate::ops::conv2d::{Size, tile};
use crate::ops::conv2d::{kernel, pack};
use crate::ops::transpose::transpose;
use pulp::{Arch, Simd, WithSimd, bytemuck};
use rayon::prelude::*;

/// `[batch, c_out, rows / window, columns / window]`, and for each value which one of its window it is, row by row, or
/// [`NONE`] where ReLU has made 0 of all.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], window: usize, size: &Size) -> (Vec<f32>, Vec<u8>) {
    let arch = Arch::new();
    let block = tile::block_here(arch);
    let weights = pack(weight, size.c_out, size.kernel(), block);
    let bias = pack(bias, size.c_out, 1, block);
    let (corners, pixels) = (corners(size, window), pixels(size, window));
    let taps = kernel(size);
    let pooled = size.c_out * corners.len();
    let mut y = vec![0.0; size.batch * pooled];
    let mut largest = vec![NONE; y.len()];
    let images = y.par_chunks_mut(pooled).zip(largest.par_chunks_mut(pooled)).zip(x.par_chunks(size.image()));
    images.for_each(|((y, largest), x)| {
        let (corners, pixels, taps, weights, bias) = (&corners, &pixels, &taps, &weights, &bias);
        arch.dispatch(Image { x, corners, pixels, taps, weights, bias, y, largest });
    });
    (y, largest)
}

/// The corners of all windows in the image, row by row.
pub fn corners(size: &Size, window: usize) -> Vec<usize> {
    let (rows, columns) = (size.rows / window, size.columns / window);
    (0..rows * columns).map(|at| (at / columns * size.width + at % columns) * window).collect()
}

/// The values of a window relative to its corner in the image, row by row.
pub fn pixels(size: &Size, window: usize) -> Vec<usize> {
    (0..window * window).map(|at| at / window * size.width + at % window).collect()
}

/// Convolution, ReLU and pool of one image. Of the convolution it has only a few places at a time.
struct Image<'a> {
    x: &'a [f32],
    corners: &'a [usize],
    pixels: &'a [usize],
    taps: &'a [usize],
    /// `[channels / block, taps, block]`.
    weights: &'a [f32],
    /// `[channels / block, block]`.
    bias: &'a [f32],
    /// `[channels, windows]`.
    y: &'a mut [f32],
    /// As `y`.
    largest: &'a mut [u8],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, corners, pixels, taps, weights, bias, y, largest } = self;
        let block = tile::block::<S>();
        let at_once = tile::places_at_once::<S>(corners.len());
        let outputs = y.chunks_mut(block * corners.len()).zip(largest.chunks_mut(block * corners.len()));
        let weights = weights.chunks_exact(taps.len() * block).zip(tile::as_sums::<S>(bias));
        for ((y, largest), (weights, bias)) in outputs.zip(weights) {
            let weights = tile::as_sums::<S>(weights);
            for (index, corners_here) in corners.chunks(at_once).enumerate() {
                let mut pool = Pool::new(simd);
                for (pixel, offset) in pixels.iter().enumerate() {
                    let sums = &mut [*bias; tile::PLACES][..corners_here.len()];
                    tile::add(simd, &x[*offset..], corners_here, taps, weights, sums);
                    pool.take(simd, sums, pixel as u32);
                }
                let (start, places) = (index * at_once, corners_here.len());
                let (stride, channels) = (corners.len(), y.len() / corners.len());
                transpose((pool.values(), block), (&mut y[start..], stride), places, channels);
                transpose((pool.from(), block), (&mut largest[start..], stride), places, channels);
            }
        }
    }
}

/// The largest values so far of a few windows, and which of the window they are. Starting from 0 is ReLU.
struct Pool<S: Simd> {
    values: [tile::Sums<S>; tile::PLACES],
    from: [[S::u32s; tile::VECTORS]; tile::PLACES],
}

impl<S: Simd> Pool<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let none = simd.splat_u32s(u32::from(NONE));
        let zero = simd.splat_f32s(0.0);
        Self { values: [[zero; _]; _], from: [[none; _]; _] }
    }

    fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.values)
    }

    fn from(&self) -> &[u32] {
        bytemuck::cast_slice(&self.from)
    }

    #[inline(always)]
    fn take(&mut self, simd: S, sums: &[tile::Sums<S>], pixel: u32) {
        let pixel = simd.splat_u32s(pixel);
        for (sums, (values, from)) in sums.iter().zip(self.values.iter_mut().zip(&mut self.from)) {
            for (sum, (value, from)) in sums.iter().zip(values.iter_mut().zip(from)) {
                // A value that is no number is not at most another one, and comes through.
                let larger = simd.greater_than_f32s(*sum, *value);
                let no_number = simd.not_m32s(simd.equal_f32s(*sum, *sum));
                let replaces = simd.or_m32s(larger, no_number);
                *value = simd.select_f32s(replaces, *sum, *value);
                *from = simd.select_u32s(replaces, pixel, *from);
            }
        }
    }
}
