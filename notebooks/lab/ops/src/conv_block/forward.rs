//! The forward pass of convolution, ReLU and max pool in one.

use super::pool::Pool;
use crate::conv2d::tile::{self, Sums, Taps, Tile};
use crate::conv2d::winograd::{self, Winograd, is_tame};
use crate::conv2d::{Direct, Size};
use crate::output::Output;
use crate::processor::{arch, vectorized};
use crate::threads;
use crate::transpose::transpose;
use pulp::{Simd, WithSimd, bytemuck};
use std::sync::LazyLock;

/// The pooled values `[batch, c_out, windows]`, and the place in the convolution `[rows, columns]` that each of them comes
/// from. Where ReLU has made all values of a window 0, that is any place of the window.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], window: usize, size: &Size) -> (Vec<f32>, Vec<u32>) {
    let arch = arch();
    let winograd = Winograd::new(arch, size).filter(|_| vectorized(|| is_tame(weight) && is_tame(bias)));
    let images = winograd.as_ref().map_or(1, Winograd::at_once);
    let winograd = winograd.as_ref().map(|winograd| winograd.forward(arch, weight, bias));
    let windows = Windows::new(size, window);
    let direct = LazyLock::new(|| Direct::new(arch, weight, bias, size));
    let pooled = size.c_out * windows.corners.len();
    let (mut y, mut largest) = (Output::new(size.batch * pooled), Output::new(size.batch * pooled));
    let outputs = y.chunks(images * pooled).zip(largest.chunks(images * pooled));
    threads::for_each(outputs.zip(x.chunks(images * size.image())), |((y, largest), x)| {
        let (y, largest) = (y.filled(0.0), largest.filled(0));
        let (windows, winograd, direct) = (&windows, winograd.as_ref(), &direct);
        arch.dispatch(Images { x, windows, winograd, direct, size, y, largest });
    });
    (y.finish(), largest.finish())
}

/// Some images.
struct Images<'a, F> {
    x: &'a [f32],
    windows: &'a Windows,
    /// If the algorithm is for such convolutions.
    winograd: Option<&'a winograd::Forward<'a>>,
    direct: &'a LazyLock<Direct, F>,
    size: &'a Size,
    y: &'a mut [f32],
    largest: &'a mut [u32],
}

impl<F: FnOnce() -> Direct> WithSimd for Images<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, windows, winograd, direct, size, y, largest } = self;
        let pooled = size.c_out * windows.corners.len();
        if let Some(forward) = winograd
            && is_tame(x)
        {
            let frame = forward.winograd.values();
            let mut pool = Pool::new(&frame, windows, size);
            return forward.each_image(
                simd,
                x,
                false,
                #[inline(always)]
                |index, values| {
                    let outputs = index * pooled..(index + 1) * pooled;
                    pool.image(simd, values, &mut y[outputs.clone()], &mut largest[outputs]);
                },
            );
        }
        let Direct { taps, weights, bias, .. } = &**direct;
        let outputs = y.chunks_exact_mut(pooled).zip(largest.chunks_exact_mut(pooled));
        for (x, (y, largest)) in x.chunks_exact(size.image()).zip(outputs) {
            Image { x, windows, taps, weights, bias, y, largest }.compute(simd);
        }
    }
}

/// The windows of the pool.
pub struct Windows {
    /// The index of the corner of each window in a channel of the image, and in the convolution.
    corners: Vec<usize>,
    pub places: Vec<u32>,
    /// The same for the pixels of a window, row by row, relative to its corner.
    pub pixels: Vec<(usize, u32)>,
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

impl Image<'_> {
    #[inline(always)]
    fn compute<S: Simd>(self, simd: S) {
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
                    (values[p][v], from[p][v]) =
                        larger(simd, (values[p][v], from[p][v]), (sums[p][v], place));
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

/// The larger of two values, and its place.
#[inline(always)]
pub fn larger<S: Simd>(simd: S, one: (S::f32s, S::u32s), other: (S::f32s, S::u32s)) -> (S::f32s, S::u32s) {
    // NaN must propagate: it is the value that is not equal to itself.
    let is_larger = simd.greater_than_f32s(other.0, one.0);
    let replaces = simd.or_m32s(is_larger, simd.not_m32s(simd.equal_f32s(other.0, other.0)));
    (simd.select_f32s(replaces, other.0, one.0), simd.select_u32s(replaces, other.1, one.1))
}
