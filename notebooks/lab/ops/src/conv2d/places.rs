//! The places of a convolution whose gradient is not 0.

use super::size::Size;
use crate::processor::arch;

#[cfg(target_arch = "x86_64")]
use pulp::{Arch, Simd, cast, f32x16, u32x16, x86::V4};

/// The number of values in the widest vectors.
const VECTOR: usize = 16;

/// The gradient of an output channel, and the places of the convolution `[rows, columns]` that it goes to.
pub struct Gradient<'a> {
    pub dy: &'a [f32],
    /// The output of the ReLU after the channel, if there is one: where it is 0, the gradient is 0 too.
    pub relu: Option<&'a [f32]>,
    /// The place of each value of `dy`.
    pub places: &'a [u32],
}

impl Gradient<'_> {
    /// The gradient before ReLU. NaN must propagate: it is not at most 0.
    fn before_relu(&self, at: usize) -> f32 {
        match self.relu {
            Some(relu) if relu[at] <= 0.0 => 0.0,
            _ => self.dy[at],
        }
    }
}

/// The places of an output channel that have a gradient, and the gradient there.
pub struct Places {
    places: Vec<u32>,
    gradients: Vec<f32>,
    len: usize,
}

impl Places {
    /// With room for all places, and for one more vector.
    pub fn new(size: &Size) -> Self {
        let room = size.pixels() + VECTOR;
        Self { places: vec![0; room], gradients: vec![0.0; room], len: 0 }
    }

    pub fn get(&self) -> impl Iterator<Item = (u32, f32)> {
        self.places[..self.len].iter().copied().zip(self.gradients[..self.len].iter().copied())
    }

    /// Lists the places where the gradient is not 0.
    pub fn list(&mut self, gradient: &Gradient) {
        self.len = 0;
        match arch() {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(simd) => simd.vectorize(
                #[inline(always)]
                || self.list_vectors(simd, gradient),
            ),
            _ => self.list_each(gradient),
        }
    }

    /// Lists all places.
    pub fn list_all(&mut self, gradient: &Gradient, size: &Size) {
        self.len = size.pixels();
        self.gradients.fill(0.0);
        (0..).zip(&mut self.places).for_each(|(at, place)| *place = at);
        for (at, place) in gradient.places.iter().enumerate() {
            self.gradients[*place as usize] = gradient.before_relu(at);
        }
    }

    #[inline(always)]
    fn list_each(&mut self, gradient: &Gradient) {
        for (at, place) in gradient.places.iter().enumerate() {
            let value = gradient.before_relu(at);
            // Without a branch: which places are needed looks random, so the processor could not predict it.
            (self.places[self.len], self.gradients[self.len]) = (*place, value);
            self.len += usize::from(value != 0.0);
        }
    }

    /// [`list_each`](Self::list_each) with the instruction that compresses 16 values to those that are needed.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn list_vectors(&mut self, simd: V4, gradient: &Gradient) {
        let (pack, zero) = (simd.avx512f, simd.splat_f32s(0.0));
        for at in (0..gradient.places.len()).step_by(VECTOR) {
            let some = at..gradient.places.len().min(at + VECTOR);
            let floats = |values: &[f32]| match values[some.clone()].try_into() {
                Ok(values) => cast::<[f32; VECTOR], f32x16>(values),
                Err(_) => simd.partial_load_f32s(&values[some.clone()]),
            };
            let place = match gradient.places[some.clone()].try_into() {
                Ok(places) => cast::<[u32; VECTOR], u32x16>(places),
                Err(_) => simd.partial_load_u32s(&gradient.places[some.clone()]),
            };
            let dy = floats(gradient.dy);
            let mut needed = simd.not_m32s(simd.equal_f32s(dy, zero));
            if let Some(relu) = gradient.relu {
                needed =
                    simd.and_m32s(needed, simd.not_m32s(simd.less_than_or_equal_f32s(floats(relu), zero)));
            }
            let place: [u32; VECTOR] = cast!(pack._mm512_maskz_compress_epi32(needed.0, cast!(place)));
            let dy: [f32; VECTOR] = cast!(pack._mm512_maskz_compress_ps(needed.0, cast!(dy)));
            self.places[self.len..][..VECTOR].copy_from_slice(&place);
            self.gradients[self.len..][..VECTOR].copy_from_slice(&dy);
            self.len += needed.0.count_ones() as usize;
        }
    }
}
