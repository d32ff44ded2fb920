use super::NONE;
use crate::ops::conv2d::tile::{self, Sums, Taps, Tile};
use crate::ops::conv2d::{Size, pack, taps};
use crate::ops::parallel::{self, Output};
use crate::ops::processor::arch;
use crate::ops::transpose::transpose;
use pulp::{Simd, WithSimd, bytemuck};

/// The pooled values `[batch, c_out, windows]`, and for each of them which value of its window it is, row by row, or [`NONE`]
/// where ReLU has made 0 of all. These lie in blocks of channels, `[batch, c_out / block, windows, block]`.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], window: usize, size: &Size) -> (Vec<f32>, Vec<u8>) {
    let arch = arch();
    let block = tile::block_here(arch);
    let weights = pack(weight, size.c_out, size.kernel(), block);
    let bias = pack(bias, size.c_out, 1, block);
    let (corners, pixels) = (window_corners(size, window, size.width), pixels(window, size.width));
    let taps = taps(size);
    let pooled = size.c_out * corners.len();
    let blocks = size.c_out.div_ceil(block) * corners.len() * block;
    let (mut y, mut largest) = (Output::new(size.batch * pooled), Output::new(size.batch * blocks));
    let images = y.chunks(pooled).zip(largest.chunks(blocks)).zip(x.chunks(size.image()));
    parallel::for_each(images, |((y, largest), x)| {
        let (y, largest) = (y.filled(0.0), largest.filled(NONE));
        let (corners, pixels, taps, weights, bias) = (&corners, &pixels, &taps, &weights, &bias);
        arch.dispatch(Image { x, corners, pixels, taps, weights, bias, y, largest });
    });
    (y.finish(), largest.finish())
}

/// The corners of all windows, row by row, in a plane with rows of `width`.
pub fn window_corners(size: &Size, window: usize, width: usize) -> Vec<usize> {
    let (rows, columns) = (size.rows / window, size.columns / window);
    (0..rows * columns).map(|at| (at / columns * width + at % columns) * window).collect()
}

/// The values of a window relative to its corner, row by row, in such a plane.
pub fn pixels(window: usize, width: usize) -> Vec<usize> {
    (0..window * window).map(|at| at / window * width + at % window).collect()
}

/// Convolution, ReLU and pool of one image. Of the convolution it has only a few places at a time.
struct Image<'a> {
    x: &'a [f32],
    corners: &'a [usize],
    pixels: &'a [usize],
    taps: &'a Taps,
    /// `[channels / block, taps, block]`.
    weights: &'a [f32],
    /// `[channels / block, block]`.
    bias: &'a [f32],
    /// `[channels, windows]`.
    y: &'a mut [f32],
    /// `[channels / block, windows, block]`.
    largest: &'a mut [u8],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, corners, pixels, taps, weights, bias, y, largest } = self;
        let (block, windows) = (tile::block::<S>(), corners.len());
        let mut values = vec![[simd.splat_f32s(0.0); _]; windows];
        let mut from = vec![[simd.splat_u32s(0); _]; windows];
        let weights = tile::as_sums::<S>(weights).chunks_exact(taps.len());
        let outputs = y.chunks_mut(block * windows).zip(largest.chunks_mut(block * windows));
        for ((y, largest), (weights, bias)) in outputs.zip(weights.zip(tile::as_sums::<S>(bias))) {
            let (values, from) = (&mut values[..], &mut from[..]);
            tile::each::<S>(
                corners,
                &mut Block { simd, x, pixels, taps, weights, bias: *bias, values, from },
            );
            let channels = y.len() / windows;
            transpose((bytemuck::cast_slice(values), block), (y, windows), windows, channels);
            for (largest, from) in largest.iter_mut().zip(bytemuck::cast_slice::<_, u32>(from)) {
                *largest = *from as u8;
            }
        }
    }
}

/// That of a block of channels.
struct Block<'a, S: Simd> {
    simd: S,
    x: &'a [f32],
    pixels: &'a [usize],
    taps: &'a Taps,
    weights: &'a [Sums<S>],
    bias: Sums<S>,
    /// The largest value of each window, and which one it is.
    values: &'a mut [Sums<S>],
    from: &'a mut [[S::u32s; tile::VECTORS]],
}

impl<S: Simd> Tile for Block<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, corners: [usize; P]) {
        let Self { simd, x, pixels, taps, weights, bias, .. } = *self;
        // Starting from 0 is ReLU.
        let mut values = [[simd.splat_f32s(0.0); tile::VECTORS]; P];
        let mut from = [[simd.splat_u32s(u32::from(NONE)); tile::VECTORS]; P];
        for (pixel, offset) in pixels.iter().enumerate() {
            let sums = tile::sums(simd, &x[*offset..], corners, taps, weights, bias);
            let pixel = simd.splat_u32s(pixel as u32);
            for p in 0..P {
                for v in 0..tile::VECTORS {
                    let (sum, value) = (sums[p][v], values[p][v]);
                    // A value that is no number is not at most another one, and comes through.
                    let larger = simd.greater_than_f32s(sum, value);
                    let replaces = simd.or_m32s(larger, simd.not_m32s(simd.equal_f32s(sum, sum)));
                    values[p][v] = simd.select_f32s(replaces, sum, value);
                    from[p][v] = simd.select_u32s(replaces, pixel, from[p][v]);
                }
            }
        }
        self.values[first..][..P].copy_from_slice(&values);
        self.from[first..][..P].copy_from_slice(&from);
    }
}
