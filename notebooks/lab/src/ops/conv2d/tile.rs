//! The kernel that convolutions and their gradients are made of.
//!
//! Channels lie in *blocks* of two vectors, 32 channels with AVX-512, so that one instruction works on many channels:
//! ```text
//!          a block of channels           one value of x, the same for all channels
//!        ┌────────┬────────┐                 │
//! sum[p] │ vector │ vector │  +=  x[place[p] + tap] · weight[tap] │ vector │ vector │
//!        └────────┴────────┘
//! ```
//! As many places as registers can hold the sums of are done at once, so that each pair of vectors of weights is read
//! once for all of them. The places lie in one flat array `x`, and so do the taps relative to a place; what they mean
//! is the caller's choice:
//!
//! | | place | tap | weight |
//! |---|---|---|---|
//! | convolution | corner of a kernel in the image | channel, row and column in the kernel | the weights |
//! | gradient of the weights | channel, row and column in the kernel | corner of a kernel in the image | gradient of the output |
//! | gradient of the image | pixel of the image | channel, row and column in the kernel | the weights, turned by 180° |

use pulp::{Simd, WithSimd, bytemuck};

/// Vectors in a block.
pub const VECTORS: usize = 2;

/// Sums of one place for a block of channels.
pub type Sums<S> = [<S as Simd>::f32s; VECTORS];

/// Places that a tile has at most: with two vectors of weights and one of `x`, they fill 16 or most of 32 registers.
pub const PLACES: usize = 9;
const PLACES_OF_16_REGISTERS: usize = 6;

/// Channels in a block.
pub fn block<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// Channels in a block on this machine.
pub fn block_here(arch: pulp::Arch) -> usize {
    struct Block;
    impl WithSimd for Block {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            block::<S>()
        }
    }
    arch.dispatch(Block)
}

/// How many places to do at once, so that `places` of them come in tiles of about one size.
pub fn places_at_once<S: Simd>(places: usize) -> usize {
    let most = if S::REGISTER_COUNT < 32 { PLACES_OF_16_REGISTERS } else { PLACES };
    places.div_ceil(places.div_ceil(most).max(1)).max(1)
}

/// Numbers as the sums of places. Their length must be a multiple of a block.
pub fn as_sums<S: Simd>(values: &[f32]) -> &[Sums<S>] {
    bytemuck::cast_slice(values)
}

/// As [`as_sums`].
pub fn as_sums_mut<S: Simd>(values: &mut [f32]) -> &mut [Sums<S>] {
    bytemuck::cast_slice_mut(values)
}

/// Adds to `sums` of at most [`PLACES`] places: `sums[p] += Σ x[places[p] + taps[t]] · weights[t]`.
#[inline(always)]
pub fn add<S: Simd>(
    simd: S,
    x: &[f32],
    places: &[usize],
    taps: &[usize],
    weights: &[Sums<S>],
    sums: &mut [Sums<S>],
) {
    match places.len() {
        1 => tile::<S, 1>(simd, x, places, taps, weights, sums),
        2 => tile::<S, 2>(simd, x, places, taps, weights, sums),
        3 => tile::<S, 3>(simd, x, places, taps, weights, sums),
        4 => tile::<S, 4>(simd, x, places, taps, weights, sums),
        5 => tile::<S, 5>(simd, x, places, taps, weights, sums),
        6 => tile::<S, 6>(simd, x, places, taps, weights, sums),
        7 => tile::<S, 7>(simd, x, places, taps, weights, sums),
        8 => tile::<S, 8>(simd, x, places, taps, weights, sums),
        9 => tile::<S, 9>(simd, x, places, taps, weights, sums),
        places => unreachable!("a tile of {places} places"),
    }
}

#[inline(always)]
fn tile<S: Simd, const P: usize>(
    simd: S,
    x: &[f32],
    places: &[usize],
    taps: &[usize],
    weights: &[Sums<S>],
    sums: &mut [Sums<S>],
) {
    let places: [usize; P] = places.try_into().expect("the caller has counted them");
    let sums: &mut [Sums<S>; P] = sums.try_into().expect("there is one for each place");
    let reach = places.iter().max().unwrap_or(&0) + taps.iter().max().unwrap_or(&0);
    assert!(reach < x.len(), "a place beyond the image");
    // A copy, so that it can live in registers.
    let mut accumulated = *sums;
    for (weights, tap) in weights.iter().zip(taps) {
        for p in 0..P {
            // SAFETY: no sum of a place and a tap is more than `reach`, which is within `x`.
            let value = simd.splat_f32s(unsafe { *x.get_unchecked(places[p] + tap) });
            for v in 0..VECTORS {
                accumulated[p][v] = simd.mul_add_e_f32s(value, weights[v], accumulated[p][v]);
            }
        }
    }
    *sums = accumulated;
}
