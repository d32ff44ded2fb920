//! The forward pass of the convolution.

use super::size::Size;
use super::tile::{self, Sums, Taps, Tile};
use super::winograd::{self, Winograd, is_tame};
use crate::aligned::Aligned;
use crate::output::Output;
use crate::processor::{arch, vectorized};
use crate::threads;
use crate::transpose::transpose;
use pulp::{Arch, Scalar, Simd, WithSimd, bytemuck};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Computes `y` `[batch, c_out, rows, columns]` from `x` `[batch, c_in, height, width]`; with `relu`, negative values become 0.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], relu: bool, size: &Size) -> Vec<f32> {
    let arch = arch();
    let winograd = Winograd::new(arch, size).filter(|_| vectorized(|| is_tame(weight)));
    let images = winograd.as_ref().map_or(1, Winograd::at_once);
    let winograd = winograd.as_ref().map(|winograd| winograd.forward(arch, weight, bias));
    let direct = LazyLock::new(|| Direct::new(arch, weight, bias, size));
    let mut y = Output::new(size.batch * size.output());
    let groups = y.chunks(images * size.output()).zip(x.chunks(images * size.image()));
    threads::for_each(groups, |(y, x)| {
        let (winograd, direct, y) = (winograd.as_ref(), &direct, y.filled(0.0));
        arch.dispatch(Images { x, winograd, direct, relu, size, y });
    });
    y.finish()
}

/// Some images.
struct Images<'a, F> {
    x: &'a [f32],
    /// If the algorithm is for such convolutions.
    winograd: Option<&'a winograd::Forward<'a>>,
    direct: &'a LazyLock<Direct, F>,
    relu: bool,
    size: &'a Size,
    y: &'a mut [f32],
}

impl<F: FnOnce() -> Direct> WithSimd for Images<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, winograd, direct, relu, size, y } = self;
        if let Some(forward) = winograd
            && is_tame(x)
        {
            let values = forward.winograd.values();
            return forward.each_image(
                simd,
                x,
                relu,
                #[inline(always)]
                |index, frame| values.write(simd, frame, &mut y[index * size.output()..][..size.output()]),
            );
        }
        let Direct { places, taps, weights, bias } = &**direct;
        for (x, y) in x.chunks_exact(size.image()).zip(y.chunks_exact_mut(size.output())) {
            Image { x: &pad(x, size), places, taps, weights, bias, relu, y }.compute(simd);
        }
    }
}

/// What all images have in common.
pub struct Direct {
    places: Vec<usize>,
    pub taps: Taps,
    /// `[c_out / block, taps, block]`.
    pub weights: Aligned,
    /// `[c_out / block, block]`.
    pub bias: Aligned,
}

impl Direct {
    pub fn new(arch: Arch, weight: &[f32], bias: &[f32], size: &Size) -> Self {
        let block = tile::block_here(arch);
        Self {
            places: corners(size),
            taps: taps(size),
            weights: pack(weight, size.c_out, size.kernel(), block),
            bias: pack(bias, size.c_out, 1, block),
        }
    }
}

/// The index in a channel of the padded image where the kernel starts, for each place of the output, row by row.
pub fn corners(size: &Size) -> Vec<usize> {
    let (width, stride) = (size.padded_width(), size.stride);
    let row = |row| (0..size.columns).map(move |column| (row * width + column) * stride);
    (0..size.rows).flat_map(row).collect()
}

/// The indices of the values under a kernel `[c_in, k_h, k_w]` in the padded image, relative to its corner.
pub fn taps(size: &Size) -> Taps {
    let (height, width) = (size.padded_height(), size.padded_width());
    let at = |at| {
        let (channel, row, column) = (at / (size.k_w * size.k_h), at / size.k_w % size.k_h, at % size.k_w);
        (channel * height + row * size.dilation) * width + column * size.dilation
    };
    Taps::new((0..size.kernel()).map(at).collect())
}

/// Rearranges `[channels, taps]` as `[channels / block, taps, block]`, with zeros where the last block is not full.
pub fn pack(weight: &[f32], channels: usize, taps: usize, block: usize) -> Aligned {
    let mut packed = Aligned::zeros(channels.div_ceil(block) * taps * block);
    for (packed, weight) in packed.chunks_exact_mut(taps * block).zip(weight.chunks(taps * block)) {
        transpose(Scalar, (weight, taps), (packed, block), weight.len() / taps, taps);
    }
    packed
}

/// The inverse of [`pack`], for a number of channels that need not fill the last block.
pub fn unpack(packed: &[f32], channels: usize, taps: usize, block: usize) -> Vec<f32> {
    let at = |channel: usize, tap: usize| (channel / block * taps + tap) * block + channel % block;
    (0..channels).flat_map(|channel| (0..taps).map(move |tap| packed[at(channel, tap)])).collect()
}

/// The image `[c_in, height, width]` with its padding, or the image itself if there is none.
pub fn pad<'a>(x: &'a [f32], size: &Size) -> Cow<'a, [f32]> {
    let Size { padding, height, width, .. } = *size;
    if padding == 0 {
        return x.into();
    }
    let (padded_height, padded_width) = (size.padded_height(), size.padded_width());
    let mut image = vec![0.0; size.c_in * padded_height * padded_width];
    for (padded, plane) in image.chunks_exact_mut(padded_height * padded_width).zip(x.chunks(height * width))
    {
        let rows = padded[padding * padded_width + padding..].chunks_mut(padded_width);
        for (padded, row) in rows.zip(plane.chunks_exact(width)) {
            padded[..width].copy_from_slice(row);
        }
    }
    image.into()
}

/// The convolution of one image.
pub struct Image<'a> {
    pub x: &'a [f32],
    pub places: &'a [usize],
    pub taps: &'a Taps,
    /// `[channels / block, taps, block]`.
    pub weights: &'a [f32],
    /// `[channels / block, block]`.
    pub bias: &'a [f32],
    pub relu: bool,
    /// `[channels, places]`.
    pub y: &'a mut [f32],
}

impl Image<'_> {
    #[inline(always)]
    pub fn compute<S: Simd>(self, simd: S) {
        let Self { x, places, taps, weights, bias, relu, y } = self;
        let block = tile::block::<S>();
        let mut sums = [[simd.splat_f32s(0.0); tile::VECTORS]; tile::KEPT];
        let weights = tile::as_sums::<S>(weights).chunks_exact(taps.len());
        let count = places.len();
        for ((y, weights), bias) in y.chunks_mut(block * count).zip(weights).zip(tile::as_sums::<S>(bias)) {
            for (first, places) in (0..).step_by(tile::KEPT).zip(places.chunks(tile::KEPT)) {
                let (bias, channels, sums) = (*bias, y.len() / count, &mut sums);
                tile::each::<S>(places, &mut Convolution { simd, x, taps, weights, bias, relu, sums });
                let sums = bytemuck::cast_slice(sums);
                transpose(simd, (sums, block), (&mut y[first..], count), places.len(), channels);
            }
        }
    }
}

/// The convolution for a block of channels.
struct Convolution<'a, S: Simd> {
    simd: S,
    x: &'a [f32],
    taps: &'a Taps,
    weights: &'a [Sums<S>],
    bias: Sums<S>,
    relu: bool,
    /// One for each place.
    sums: &'a mut [Sums<S>],
}

impl<S: Simd> Tile for Convolution<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, places: [usize; P]) {
        let mut sums = tile::sums(self.simd, self.x, places, self.taps, self.weights, self.bias);
        if self.relu {
            sums.as_flattened_mut().iter_mut().for_each(|sum| *sum = tile::relu(self.simd, *sum));
        }
        self.sums[first..][..P].copy_from_slice(&sums);
    }
}
