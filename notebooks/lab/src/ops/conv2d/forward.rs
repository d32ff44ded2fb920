use super::size::Size;
use super::tile::{self, PLACES};
use crate::ops::aligned::Aligned;
use crate::ops::transpose::transpose;
use pulp::{Arch, Simd, WithSimd, bytemuck};
use rayon::prelude::*;

/// `y` `[batch, c_out, rows, columns]` of `x` `[batch, c_in, height, width]`.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], size: &Size) -> Vec<f32> {
    let arch = Arch::new();
    let block = tile::block_here(arch);
    let weights = pack(weight, size.c_out, size.kernel(), block);
    let bias = pack(bias, size.c_out, 1, block);
    let (places, taps) = (corners(size), kernel(size));
    let mut y = vec![0.0; size.batch * size.output()];
    let images = y.par_chunks_mut(size.output()).zip(x.par_chunks(size.image()));
    images.for_each_init(Vec::new, |scratch, (y, x)| {
        let x = pad(x, size, scratch);
        let (places, taps, weights, bias) = (&places, &taps, &weights, &bias);
        arch.dispatch(Image { x, places, taps, weights, bias, y });
    });
    y
}

/// The corners of all kernels in the padded image, row by row.
pub fn corners(size: &Size) -> Vec<usize> {
    let (width, stride) = (size.padded_width(), size.stride);
    let row = |row| (0..size.columns).map(move |column| (row * width + column) * stride);
    (0..size.rows).flat_map(row).collect()
}

/// The values of a kernel `[c_in, k_h, k_w]` relative to its corner in the padded image.
pub fn kernel(size: &Size) -> Vec<usize> {
    let (height, width) = (size.padded_height(), size.padded_width());
    let at =
        |at| at % size.k_w + at / size.k_w % size.k_h * width + at / (size.k_w * size.k_h) * height * width;
    (0..size.kernel()).map(at).collect()
}

/// `[channels, taps]` to `[channels / block, taps, block]`, with zeros for channels that fill no block.
pub fn pack(weight: &[f32], channels: usize, taps: usize, block: usize) -> Aligned {
    let mut packed = Aligned::zeros(channels.div_ceil(block) * taps * block);
    pack_into(&mut packed, weight, taps, block);
    packed
}

/// [`pack`] where there is room already, with zeros for channels that fill no block.
pub fn pack_into(packed: &mut [f32], weight: &[f32], taps: usize, block: usize) {
    for (packed, weight) in packed.chunks_exact_mut(taps * block).zip(weight.chunks(taps * block)) {
        transpose((weight, taps), (packed, block), weight.len() / taps, taps);
    }
}

/// The image `[c_in, height, width]` with its padding; itself if it has none.
pub fn pad<'a>(x: &'a [f32], size: &Size, scratch: &'a mut Vec<f32>) -> &'a [f32] {
    let Size { padding, height, width, .. } = *size;
    if padding == 0 {
        return x;
    }
    let (padded_height, padded_width) = (size.padded_height(), size.padded_width());
    scratch.clear();
    scratch.resize(size.c_in * padded_height * padded_width, 0.0);
    for (padded, plane) in
        scratch.chunks_exact_mut(padded_height * padded_width).zip(x.chunks(height * width))
    {
        let rows = padded[padding * padded_width + padding..].chunks_mut(padded_width);
        for (padded, row) in rows.zip(plane.chunks_exact(width)) {
            padded[..width].copy_from_slice(row);
        }
    }
    scratch
}

/// The convolution of one image.
pub struct Image<'a> {
    pub x: &'a [f32],
    pub places: &'a [usize],
    pub taps: &'a [usize],
    /// `[channels / block, taps, block]`.
    pub weights: &'a [f32],
    /// `[channels / block, block]`.
    pub bias: &'a [f32],
    /// `[channels, places]`.
    pub y: &'a mut [f32],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, places, taps, weights, bias, y } = self;
        let block = tile::block::<S>();
        let at_once = tile::places_at_once::<S>(places.len());
        let blocks = y.chunks_mut(block * places.len()).zip(weights.chunks_exact(taps.len() * block));
        for ((y, weights), bias) in blocks.zip(tile::as_sums::<S>(bias)) {
            for (index, places_here) in places.chunks(at_once).enumerate() {
                let sums = &mut [*bias; PLACES][..places_here.len()];
                tile::add(simd, x, places_here, taps, tile::as_sums::<S>(weights), sums);
                let sums: &[f32] = bytemuck::cast_slice(sums);
                let channels = y.len() / places.len();
                let to = &mut y[index * at_once..];
                transpose((sums, block), (to, places.len()), places_here.len(), channels);
            }
        }
    }
}
