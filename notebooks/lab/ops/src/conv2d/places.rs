//! The places of a convolution whose gradient is not 0.

use super::size::Size;
use crate::processor::arch;

#[cfg(target_arch = "x86_64")]
use pulp::{
    Arch, Simd, bytemuck, cast,
    x86::{V3, V4},
};

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
    /// The number of values that are not 0 before ReLU.
    pub fn count(&self) -> u32 {
        match self.relu {
            Some(relu) => self
                .dy
                .iter()
                .zip(relu)
                .map(|(dy, relu)| u32::from(*dy != 0.0) & u32::from(*relu > 0.0))
                .sum(),
            None => self.dy.iter().map(|dy| u32::from(*dy != 0.0)).sum(),
        }
    }

    /// Copies a gradient of all places, before ReLU.
    #[inline(always)]
    pub fn copy_to(&self, to: &mut [f32]) {
        match self.relu {
            Some(relu) => {
                let values = self.dy.iter().zip(relu);
                to.iter_mut()
                    .zip(values)
                    .for_each(|(to, (dy, relu))| *to = if *relu <= 0.0 { 0.0 } else { *dy });
            }
            None => to.copy_from_slice(self.dy),
        }
    }

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
            #[cfg(target_arch = "x86_64")]
            Arch::V3(simd) => simd.vectorize(
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

    /// [`list_each`](Self::list_each) with vectors, of which only the values that are needed are kept.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn list_vectors<S: Compress>(&mut self, simd: S, gradient: &Gradient) {
        let zero = simd.splat_f32s(0.0);
        for at in (0..gradient.places.len()).step_by(S::F32_LANES) {
            let some = at..gradient.places.len().min(at + S::F32_LANES);
            let floats = |values: &[f32]| match S::as_simd_f32s(&values[some.clone()]) {
                ([values], _) => *values,
                (_, rest) => simd.partial_load_f32s(rest),
            };
            let place = match S::as_simd_u32s(&gradient.places[some.clone()]) {
                ([places], _) => *places,
                (_, rest) => simd.partial_load_u32s(rest),
            };
            let dy = floats(gradient.dy);
            let mut needed = simd.not_m32s(simd.equal_f32s(dy, zero));
            if let Some(relu) = gradient.relu {
                needed =
                    simd.and_m32s(needed, simd.not_m32s(simd.less_than_or_equal_f32s(floats(relu), zero)));
            }
            let (place, dy, count) = simd.compress(needed, place, dy);
            self.places[self.len..][..S::F32_LANES].copy_from_slice(bytemuck::cast_slice(&[place]));
            self.gradients[self.len..][..S::F32_LANES].copy_from_slice(bytemuck::cast_slice(&[dy]));
            self.len += count;
        }
    }
}

/// Vectors that can be compressed.
#[cfg(target_arch = "x86_64")]
trait Compress: Simd {
    /// Moves the places and gradients that are needed to the front; returns their number, too.
    fn compress(
        self,
        needed: Self::m32s,
        place: Self::u32s,
        dy: Self::f32s,
    ) -> (Self::u32s, Self::f32s, usize);
}

#[cfg(target_arch = "x86_64")]
impl Compress for V4 {
    #[inline(always)]
    fn compress(
        self,
        needed: Self::m32s,
        place: Self::u32s,
        dy: Self::f32s,
    ) -> (Self::u32s, Self::f32s, usize) {
        let place = cast!(self.avx512f._mm512_maskz_compress_epi32(needed.0, cast!(place)));
        let dy = cast!(self.avx512f._mm512_maskz_compress_ps(needed.0, cast!(dy)));
        (place, dy, needed.0.count_ones() as usize)
    }
}

/// AVX2 has no such instruction, but one that reorders a vector, and for each mask there is an order.
#[cfg(target_arch = "x86_64")]
impl Compress for V3 {
    #[inline(always)]
    fn compress(
        self,
        needed: Self::m32s,
        place: Self::u32s,
        dy: Self::f32s,
    ) -> (Self::u32s, Self::f32s, usize) {
        let mask = self.avx._mm256_movemask_ps(cast!(needed)) as u8;
        let order = self.avx2._mm256_cvtepu8_epi32(cast!([ORDERS[usize::from(mask)], 0]));
        let place = cast!(self.avx2._mm256_permutevar8x32_epi32(cast!(place), order));
        let dy = cast!(self.avx2._mm256_permutevar8x32_ps(cast!(dy), order));
        (place, dy, mask.count_ones() as usize)
    }
}

/// For each mask of eight values the indices of those that are set, in ascending order, a byte each; then zeros.
#[cfg(target_arch = "x86_64")]
const ORDERS: [u64; 256] = {
    let mut orders = [0; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut index, mut shift) = (0, 0);
        while index < 8 {
            if mask >> index & 1 == 1 {
                orders[mask] |= index << shift;
                shift += 8;
            }
            index += 1;
        }
        mask += 1;
    }
    orders
};
