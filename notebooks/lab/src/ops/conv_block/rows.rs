//! Sums over single places of an image `[height, width, channel]`, a row of the kernel at a time.

use crate::ops::aligned::Aligned;
use crate::ops::conv2d::{Size, tile};
use pulp::{Arch, Simd, bytemuck};

/// A place of the image, where the corner of the kernel lies, and the gradient there.
#[derive(Clone, Copy, Default)]
pub struct Place {
    pub at: usize,
    pub gradient: f32,
}

/// Vectors that are summed up at once, in registers.
const VECTORS: usize = 9;
const VECTORS_OF_16_REGISTERS: usize = 6;

/// How a kernel `[k_h, k_w, c_in]` is cut into vectors.
pub struct Kernel {
    /// Values in a row of the kernel, `k_w · c_in`, and with zeros up to the next vector.
    row: usize,
    padded_row: usize,
    /// Where in an image each vector starts, relative to the corner.
    vectors: Vec<usize>,
    /// Values of a kernel with the zeros.
    pub packed: usize,
    /// Values that must follow an image, since a vector may reach beyond its row.
    pub slack: usize,
}

impl Kernel {
    pub fn new(arch: Arch, size: &Size) -> Self {
        let lanes = tile::block_here(arch) / tile::VECTORS;
        let row = size.k_w * size.c_in;
        let padded_row = row.next_multiple_of(lanes);
        let start = |row| (0..padded_row).step_by(lanes).map(move |at| row * size.width * size.c_in + at);
        let vectors = (0..size.k_h).flat_map(start).collect();
        Self { row, padded_row, vectors, packed: size.k_h * padded_row, slack: lanes }
    }

    /// `[c_out, c_in, k_h, k_w]` to `[c_out, k_h, padded row]`.
    pub fn pack(&self, weight: &[f32], size: &Size) -> Aligned {
        let mut packed = Aligned::zeros(size.c_out * self.packed);
        for (at, weight) in weight.iter().enumerate() {
            packed[self.place(at, size)] = *weight;
        }
        packed
    }

    /// The inverse of [`pack`](Self::pack).
    pub fn unpack(&self, packed: &[f32], size: &Size) -> Vec<f32> {
        (0..size.c_out * size.kernel()).map(|at| packed[self.place(at, size)]).collect()
    }

    fn place(&self, at: usize, size: &Size) -> usize {
        let (column, row) = (at % size.k_w, at / size.k_w % size.k_h);
        let (channel, output) = (at / (size.k_w * size.k_h) % size.c_in, at / size.kernel());
        output * self.packed + row * self.padded_row + column * size.c_in + channel
    }

    /// `dweights += Σ gradient · (image at the place)` over all places, for one output channel.
    #[inline(always)]
    pub fn add_weights<S: Simd>(&self, simd: S, x: &[f32], places: &[Place], dweights: &mut [f32]) {
        let dweights: &mut [S::f32s] = bytemuck::cast_slice_mut(dweights);
        let at_once = vectors_at_once::<S>(self.vectors.len());
        for (vectors, dweights) in self.vectors.chunks(at_once).zip(dweights.chunks_mut(at_once)) {
            match vectors.len() {
                1 => gather::<S, 1>(simd, x, places, vectors, dweights),
                2 => gather::<S, 2>(simd, x, places, vectors, dweights),
                3 => gather::<S, 3>(simd, x, places, vectors, dweights),
                4 => gather::<S, 4>(simd, x, places, vectors, dweights),
                5 => gather::<S, 5>(simd, x, places, vectors, dweights),
                6 => gather::<S, 6>(simd, x, places, vectors, dweights),
                7 => gather::<S, 7>(simd, x, places, vectors, dweights),
                8 => gather::<S, 8>(simd, x, places, vectors, dweights),
                _ => gather::<S, VECTORS>(simd, x, places, vectors, dweights),
            }
        }
    }

    /// `(dx at the place) += gradient · weights` for all places, for one output channel.
    #[inline(always)]
    pub fn add_input<S: Simd>(&self, simd: S, weights: &[f32], places: &[Place], dx: &mut [f32]) {
        if self.row != self.padded_row {
            return self.add_input_by_value(weights, places, dx);
        }
        let weights: &[S::f32s] = bytemuck::cast_slice(weights);
        let at_once = vectors_at_once::<S>(self.vectors.len());
        for (vectors, weights) in self.vectors.chunks(at_once).zip(weights.chunks(at_once)) {
            match vectors.len() {
                1 => scatter::<S, 1>(simd, weights, places, vectors, dx),
                2 => scatter::<S, 2>(simd, weights, places, vectors, dx),
                3 => scatter::<S, 3>(simd, weights, places, vectors, dx),
                4 => scatter::<S, 4>(simd, weights, places, vectors, dx),
                5 => scatter::<S, 5>(simd, weights, places, vectors, dx),
                6 => scatter::<S, 6>(simd, weights, places, vectors, dx),
                7 => scatter::<S, 7>(simd, weights, places, vectors, dx),
                8 => scatter::<S, 8>(simd, weights, places, vectors, dx),
                _ => scatter::<S, VECTORS>(simd, weights, places, vectors, dx),
            }
        }
    }

    /// Where rows are no whole vectors: the zeros after them must not reach the image, since times infinity they are
    /// no numbers.
    fn add_input_by_value(&self, weights: &[f32], places: &[Place], dx: &mut [f32]) {
        let vectors_of_row = self.vectors.len() / (self.packed / self.padded_row);
        let rows = self.vectors.iter().step_by(vectors_of_row);
        for place in places {
            for (weights, start) in weights.chunks_exact(self.padded_row).zip(rows.clone()) {
                for (dx, weight) in dx[place.at + start..].iter_mut().zip(&weights[..self.row]) {
                    *dx += place.gradient * weight;
                }
            }
        }
    }
}

fn vectors_at_once<S: Simd>(vectors: usize) -> usize {
    let most = if S::REGISTER_COUNT < 32 { VECTORS_OF_16_REGISTERS } else { VECTORS };
    vectors.div_ceil(vectors.div_ceil(most))
}

#[inline(always)]
fn gather<S: Simd, const V: usize>(
    simd: S,
    x: &[f32],
    places: &[Place],
    vectors: &[usize],
    dweights: &mut [S::f32s],
) {
    let vectors: [usize; V] = vectors.try_into().expect("the caller has counted them");
    let dweights: &mut [S::f32s; V] = dweights.try_into().expect("there is one for each vector");
    let reach = places.iter().map(|place| place.at).max().unwrap_or(0) + vectors[V - 1] + S::F32_LANES;
    assert!(reach <= x.len(), "a vector beyond the image");
    let mut sums = *dweights;
    for place in places {
        let gradient = simd.splat_f32s(place.gradient);
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            // SAFETY: no vector ends after `reach`, for the last of them starts last, and that is within `x`.
            let x = unsafe { x.as_ptr().add(place.at + vector).cast::<S::f32s>().read_unaligned() };
            *sum = simd.mul_add_e_f32s(gradient, x, *sum);
        }
    }
    *dweights = sums;
}

#[inline(always)]
fn scatter<S: Simd, const V: usize>(
    simd: S,
    weights: &[S::f32s],
    places: &[Place],
    vectors: &[usize],
    dx: &mut [f32],
) {
    let vectors: [usize; V] = vectors.try_into().expect("the caller has counted them");
    let weights: [S::f32s; V] = weights.try_into().expect("there is one for each vector");
    let reach = places.iter().map(|place| place.at).max().unwrap_or(0) + vectors[V - 1] + S::F32_LANES;
    assert!(reach <= dx.len(), "a vector beyond the image");
    for place in places {
        let gradient = simd.splat_f32s(place.gradient);
        for (weight, vector) in weights.iter().zip(vectors) {
            // SAFETY: no vector ends after `reach`, for the last of them starts last, and that is within `dx`.
            unsafe {
                let dx = dx.as_mut_ptr().add(place.at + vector).cast::<S::f32s>();
                dx.write_unaligned(simd.mul_add_e_f32s(gradient, *weight, dx.read_unaligned()));
            }
        }
    }
}
