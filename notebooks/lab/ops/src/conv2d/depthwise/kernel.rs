//! The kernels of the depthwise convolution, for one plane.

use super::frame::Frame;
use crate::conv2d::tile::{self, Tile};
use pulp::{Simd, WithSimd};

/// A vector of values from `at` on.
///
/// # Safety
/// It must be within `values`.
#[inline(always)]
unsafe fn load<S: Simd>(values: &[f32], at: usize) -> S::f32s {
    // SAFETY: the caller says that so many values are there, and those are a vector, which this reads from wherever it lies.
    unsafe { values.as_ptr().add(at).cast::<S::f32s>().read_unaligned() }
}

/// Asserts that each vector at a place plus a tap is within `values`.
fn check<S: Simd>(frame: &Frame, values: &[f32]) {
    let reach = frame.places.iter().max().unwrap_or(&0) + frame.taps.offsets().iter().max().unwrap_or(&0);
    assert!(reach + S::F32_LANES <= values.len(), "a place beyond the frame");
}

/// Computes a plane `y` from the frame of one of `x`.
pub struct Forward<'a> {
    pub frame: &'a Frame,
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub bias: f32,
    pub has_relu: bool,
    pub y: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        check::<S>(self.frame, self.x);
        assert_eq!(self.weight.len(), self.frame.taps.len());
        tile::each::<S>(&self.frame.places, &mut Outputs { simd, of: self });
    }
}

struct Outputs<'a, S> {
    simd: S,
    of: Forward<'a>,
}

impl<S: Simd> Tile for Outputs<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, places: [usize; P]) {
        let Self { simd, of: Forward { frame, x, weight, bias, has_relu, y } } = self;
        let mut sums = [simd.splat_f32s(*bias); P];
        for (weight, tap) in weight.iter().zip(frame.taps.offsets()) {
            let weight = simd.splat_f32s(*weight);
            for (sum, place) in sums.iter_mut().zip(places) {
                // SAFETY: `with_simd` has checked `x` for all places and taps.
                let x = unsafe { load::<S>(x, place + tap) };
                *sum = simd.mul_add_e_f32s(weight, x, *sum);
            }
        }
        for (sum, vector) in sums.into_iter().zip(first..) {
            let zero = simd.splat_f32s(0.0);
            // NaN must propagate: it is not at most 0.
            let is_low = simd.less_than_or_equal_f32s(sum, zero);
            let sum = if *has_relu { simd.select_f32s(is_low, zero, sum) } else { sum };
            simd.partial_store_f32s(&mut y[frame.output(vector)], sum);
        }
    }
}

/// Adds to the gradient of the weights, and to the frame of that of `x`, what the gradient of a plane of outputs makes of them. Of that,
/// the vectors, with zeros beyond the ends of rows.
pub struct Backward<'a> {
    pub frame: &'a Frame,
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub dy: &'a [f32],
    pub dx: &'a mut [f32],
    pub dweight: &'a mut [f64],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { frame, x, weight, dy, dx, dweight } = self;
        check::<S>(frame, x);
        check::<S>(frame, dx);
        assert!(dy.len() == frame.outputs() && weight.len() == frame.taps.len());
        tile::each::<S>(frame.taps.offsets(), &mut Weights { simd, frame, x, dy, dweight });
        for (weight, tap) in weight.iter().zip(frame.taps.offsets()) {
            let weight = simd.splat_f32s(*weight);
            for (place, at) in frame.places.iter().zip((0..).step_by(S::F32_LANES)) {
                // SAFETY: `dy` has a vector for each place, by the assertion above; `dx` has been checked for all places and taps.
                unsafe {
                    let sum = simd.mul_add_e_f32s(weight, load::<S>(dy, at), load::<S>(dx, place + tap));
                    dx.as_mut_ptr().add(place + tap).cast::<S::f32s>().write_unaligned(sum);
                }
            }
        }
    }
}

struct Weights<'a, S> {
    simd: S,
    frame: &'a Frame,
    x: &'a [f32],
    dy: &'a [f32],
    dweight: &'a mut [f64],
}

impl<S: Simd> Tile for Weights<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, taps: [usize; P]) {
        let Self { simd, frame, x, dy, dweight } = self;
        let mut sums = [simd.splat_f32s(0.0); P];
        for (place, at) in frame.places.iter().zip((0..).step_by(S::F32_LANES)) {
            // SAFETY: `with_simd` has asserted that `dy` has a vector for each place.
            let dy = unsafe { load::<S>(dy, at) };
            for (sum, tap) in sums.iter_mut().zip(taps) {
                // SAFETY: `with_simd` has checked `x` for all places and taps.
                let x = unsafe { load::<S>(x, place + tap) };
                *sum = simd.mul_add_e_f32s(dy, x, *sum);
            }
        }
        for (dweight, sum) in dweight[first..].iter_mut().zip(sums) {
            *dweight += f64::from(simd.reduce_sum_f32s(sum));
        }
    }
}
