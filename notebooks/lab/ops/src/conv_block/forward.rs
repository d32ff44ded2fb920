//! The forward pass of convolution, ReLU and max pool in one.

use crate::conv2d::tile::{self, Sums, Taps, Tile};
use crate::conv2d::{Size, pack, taps};
use crate::output::Output;
use crate::processor::arch;
use crate::threads;
use crate::transpose::transpose;
use pulp::{Simd, WithSimd, bytemuck};

/// The pooled values `[batch, c_out, windows]`, and the place in the convolution `[rows, columns]` that each of them comes
/// from. Where ReLU has made all values of a window 0, that is any place of the window.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], window: usize, size: &Size) -> (Vec<f32>, Vec<u32>) {
    let arch = arch();
    let block = tile::block_here(arch);
    let weights = pack(weight, size.c_out, size.kernel(), block);
    let bias = pack(bias, size.c_out, 1, block);
    let (windows, taps) = (Windows::new(size, window), taps(size));
    let pooled = size.c_out * windows.corners.len();
    let (mut y, mut largest) = (Output::new(size.batch * pooled), Output::new(size.batch * pooled));
    let images = y.chunks(pooled).zip(largest.chunks(pooled)).zip(x.chunks(size.image()));
    threads::for_each(images, |((y, largest), x)| {
        let (y, largest) = (y.filled(0.0), largest.filled(0));
        let (windows, taps, weights, bias) = (&windows, &taps, &weights, &bias);
        arch.dispatch(Image { x, windows, taps, weights, bias, y, largest });
    });
    (y.finish(), largest.finish())
}

/// The windows of the pool.
struct Windows {
    /// The index of the corner of each window in a channel of the image, and in the convolution.
    corners: Vec<usize>,
    places: Vec<u32>,
    /// The same for the pixels of a window, row by row, relative to its corner.
    pixels: Vec<(usize, u32)>,
}

impl Windows {
    fn new(size: &Size, window: usize) -> Self {
        let (rows, columns) = (size.rows / window, size.columns / window);
        let grid =
            |rows, columns| (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
        let in_image = |(row, column)| row * size.width + column;
        let in_convolution = |(row, column)| (row * size.columns + column) as u32;
        let corners = || grid(rows, columns).map(|(row, column)| (row * window, column * window));
        Self {
            corners: corners().map(in_image).collect(),
            places: corners().map(in_convolution).collect(),
            pixels: grid(window, window).map(|at| (in_image(at), in_convolution(at))).collect(),
        }
    }
}

/// Convolution, ReLU and pool of one image. Only a few places of the convolution exist at a time.
struct Image<'a> {
    x: &'a [f32],
    windows: &'a Windows,
    taps: &'a Taps,
    /// `[channels / block, taps, block]`.
    weights: &'a [f32],
    /// `[channels / block, block]`.
    bias: &'a [f32],
    /// `[channels, windows]`.
    y: &'a mut [f32],
    /// Laid out as `y`.
    largest: &'a mut [u32],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, windows, taps, weights, bias, y, largest } = self;
        let (block, count) = (tile::block::<S>(), windows.corners.len());
        let mut values = [[simd.splat_f32s(0.0); tile::VECTORS]; tile::KEPT];
        let mut from = [[simd.splat_u32s(0); tile::VECTORS]; tile::KEPT];
        let weights = tile::as_sums::<S>(weights).chunks_exact(taps.len());
        let outputs = y.chunks_mut(block * count).zip(largest.chunks_mut(block * count));
        for ((y, largest), (weights, bias)) in outputs.zip(weights.zip(tile::as_sums::<S>(bias))) {
            let (bias, channels) = (*bias, y.len() / count);
            for (first, corners) in (0..).step_by(tile::KEPT).zip(windows.corners.chunks(tile::KEPT)) {
                let places = &windows.places[first..];
                let (values, from) = (&mut values, &mut from);
                tile::each::<S>(
                    corners,
                    &mut Block {
                        simd,
                        x,
                        places,
                        pixels: &windows.pixels,
                        taps,
                        weights,
                        bias,
                        values,
                        from,
                    },
                );
                let (values, from) = (bytemuck::cast_slice(values), bytemuck::cast_slice(from));
                let (y, largest) = (&mut y[first..], bytemuck::cast_slice_mut(&mut largest[first..]));
                transpose(simd, (values, block), (y, count), corners.len(), channels);
                transpose(simd, (from, block), (largest, count), corners.len(), channels);
            }
        }
    }
}

/// Convolution, ReLU and pool for a block of channels.
struct Block<'a, S: Simd> {
    simd: S,
    x: &'a [f32],
    /// The places of the corners in the convolution.
    places: &'a [u32],
    pixels: &'a [(usize, u32)],
    taps: &'a Taps,
    weights: &'a [Sums<S>],
    bias: Sums<S>,
    /// The largest value of each window, and its place.
    values: &'a mut [Sums<S>],
    from: &'a mut [[S::u32s; tile::VECTORS]],
}

impl<S: Simd> Tile for Block<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, corners: [usize; P]) {
        let Self { simd, x, places, pixels, taps, weights, bias, .. } = *self;
        // Starting from 0 makes the maximum a ReLU.
        let mut values = [[simd.splat_f32s(0.0); tile::VECTORS]; P];
        let mut from = [[simd.splat_u32s(0); tile::VECTORS]; P];
        for (offset, place) in pixels {
            let sums = tile::sums(simd, &x[*offset..], corners, taps, weights, bias);
            let place = simd.splat_u32s(*place);
            for p in 0..P {
                for v in 0..tile::VECTORS {
                    let (sum, value) = (sums[p][v], values[p][v]);
                    // NaN must propagate: it is the value that is not equal to itself.
                    let larger = simd.greater_than_f32s(sum, value);
                    let replaces = simd.or_m32s(larger, simd.not_m32s(simd.equal_f32s(sum, sum)));
                    values[p][v] = simd.select_f32s(replaces, sum, value);
                    from[p][v] = simd.select_u32s(replaces, place, from[p][v]);
                }
            }
        }
        for (from, corner) in from.iter_mut().zip(&places[first..]) {
            *from = from.map(|place| simd.add_u32s(place, simd.splat_u32s(*corner)));
        }
        self.values[first..][..P].copy_from_slice(&values);
        self.from[first..][..P].copy_from_slice(&from);
    }
}
