//! The kernel that convolutions and their gradients are made of.
//!
//! Channels lie in *blocks* of two vectors, 32 channels with AVX-512, so that one instruction works on many channels:
//! ```text
//!          a block of channels           one value of x, the same for all channels
//!        ┌────────┬────────┐                 │
//! sum[p] │ vector │ vector │  +=  x[place[p] + tap] · weight[tap] │ vector │ vector │
//!        └────────┴────────┘
//! ```
//! As many places are computed at once as the registers can hold the sums of, so that each pair of vectors of weights is
//! read once for all of them. A place is the index of the corner of a kernel in the flat image `x`; a tap is the index of a
//! value under the kernel, relative to its corner.

use pulp::{Simd, WithSimd, bytemuck};

/// The number of vectors in a block.
pub const VECTORS: usize = 2;

/// The sums of one place for a block of channels.
pub type Sums<S> = [<S as Simd>::f32s; VECTORS];

/// The most places in a tile: with two vectors of weights and one of `x`, they fill 16 registers, or most of 32.
pub const PLACES: usize = 9;
const PLACES_OF_16_REGISTERS: usize = 6;

/// The number of places whose sums are collected before they are transposed into the output: whole tiles of 9 or 6, and few
/// enough for the first-level cache.
pub const KEPT: usize = 36;

/// The number of channels in a block.
pub fn block<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// The number of channels in a block with the vectors of `arch`.
pub fn block_here(arch: pulp::Arch) -> usize {
    VECTORS * lanes(arch)
}

/// The number of values in a vector of `arch`.
pub fn lanes(arch: pulp::Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// Reinterprets numbers as sums. Their length must be a multiple of a block.
pub fn as_sums<S: Simd>(values: &[f32]) -> &[Sums<S>] {
    bytemuck::cast_slice(values)
}

/// The indices of the values under a kernel, relative to its corner.
pub struct Taps {
    offsets: Vec<usize>,
    largest: usize,
}

impl Taps {
    pub fn new(offsets: Vec<usize>) -> Self {
        let largest = offsets.iter().copied().max().unwrap_or(0);
        Self { offsets, largest }
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }
}

/// A computation for `P` places at once; `first` places were done before.
pub trait Tile {
    fn tile<const P: usize>(&mut self, first: usize, places: [usize; P]);
}

/// Calls `tile` for all places, in tiles of about equal size.
#[inline(always)]
pub fn each<S: Simd>(places: &[usize], tile: &mut impl Tile) {
    let most = if S::REGISTER_COUNT < 32 { PLACES_OF_16_REGISTERS } else { PLACES };
    let at_once = places.len().div_ceil(places.len().div_ceil(most).max(1)).max(1);
    for (index, places) in places.chunks(at_once).enumerate() {
        let first = index * at_once;
        match *places {
            [a] => tile.tile(first, [a]),
            [a, b] => tile.tile(first, [a, b]),
            [a, b, c] => tile.tile(first, [a, b, c]),
            [a, b, c, d] => tile.tile(first, [a, b, c, d]),
            [a, b, c, d, e] => tile.tile(first, [a, b, c, d, e]),
            [a, b, c, d, e, f] => tile.tile(first, [a, b, c, d, e, f]),
            [a, b, c, d, e, f, g] => tile.tile(first, [a, b, c, d, e, f, g]),
            [a, b, c, d, e, f, g, h] => tile.tile(first, [a, b, c, d, e, f, g, h]),
            [a, b, c, d, e, f, g, h, i] => tile.tile(first, [a, b, c, d, e, f, g, h, i]),
            _ => unreachable!("a tile of {} places", places.len()),
        }
    }
}

/// 0 for what is at most 0. NaN is not, and propagates.
#[inline(always)]
pub fn relu<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(value, zero), zero, value)
}

/// For each place p: `start + Σ x[places[p] + taps[t]] · weights[t]`, for channels of `V` vectors.
#[inline(always)]
pub fn sums<S: Simd, const P: usize, const V: usize>(
    simd: S,
    x: &[f32],
    places: [usize; P],
    taps: &Taps,
    weights: &[[S::f32s; V]],
    start: [S::f32s; V],
) -> [[S::f32s; V]; P] {
    let reach = places.iter().max().unwrap_or(&0) + taps.largest;
    assert!(reach < x.len(), "a place beyond the image");
    let mut sums = [start; P];
    for (weights, tap) in weights.iter().zip(&taps.offsets) {
        for p in 0..P {
            // SAFETY: `reach` is the largest place plus the largest tap, so this index is at most `reach`, which is less than
            // the length of `x` by the assertion above. Both are offsets into images, so their sum does not overflow.
            let value = simd.splat_f32s(unsafe { *x.get_unchecked(places[p] + tap) });
            for v in 0..V {
                sums[p][v] = simd.mul_add_e_f32s(value, weights[v], sums[p][v]);
            }
        }
    }
    sums
}
