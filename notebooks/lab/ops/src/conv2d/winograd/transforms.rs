//! The transforms of Winograd's algorithm F(4, 3) along one dimension, at the points 0, ±√½, ±√2 and infinity, which lose fewer digits
//! than the integers that the paper takes. Each is a product with a constant matrix, and its adjoint with the transposed one.

use pulp::Simd;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Outputs of a tile along one dimension.
pub const SIDE: usize = 4;
/// Pixels that they are computed from, and numbers that those are transformed to.
pub const REACH: usize = 6;
/// Weights of a kernel.
pub const KERNEL: usize = 3;

/// Applies `f` to the rows of `x`, and then to the columns of what that gives. `zero` is any vector.
///
/// With loops, here and where it is called: a closure that goes through a function of the standard library may be compiled without vector
/// instructions.
#[inline(always)]
pub fn both<V: Copy, const I: usize, const O: usize>(
    zero: V,
    x: [[V; I]; I],
    f: impl Fn([V; I]) -> [V; O],
) -> [[V; O]; O] {
    let (mut rows, mut result) = ([[zero; O]; I], [[zero; O]; O]);
    for i in 0..I {
        rows[i] = f(x[i]);
    }
    for column in 0..O {
        let mut line = [zero; I];
        for i in 0..I {
            line[i] = rows[i][column];
        }
        let line = f(line);
        for row in 0..O {
            result[row][column] = line[row];
        }
    }
    result
}

/// The operations of vectors that the transforms are made of.
#[derive(Clone, Copy)]
pub struct Transforms<S>(pub S);

impl<S: Simd> Transforms<S> {
    #[inline(always)]
    fn add(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.add_f32s(a, b)
    }

    #[inline(always)]
    fn sub(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.sub_f32s(a, b)
    }

    #[inline(always)]
    fn times(self, factor: f32, a: S::f32s) -> S::f32s {
        self.0.mul_f32s(self.0.splat_f32s(factor), a)
    }

    /// factor · a + b
    #[inline(always)]
    fn plus(self, factor: f32, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.mul_add_e_f32s(self.0.splat_f32s(factor), a, b)
    }

    /// From pixels.
    #[inline(always)]
    pub fn pixels(self, [a, b, c, d, e, f]: [S::f32s; REACH]) -> [S::f32s; REACH] {
        let (near, far) = (self.plus(-2.0, c, e), self.plus(-0.5, c, e));
        let odd_near = self.times(FRAC_1_SQRT_2, self.plus(-2.0, b, d));
        let odd_far = self.times(SQRT_2, self.plus(-0.5, b, d));
        [
            self.plus(-2.5, c, self.add(a, e)),
            self.add(near, odd_near),
            self.sub(near, odd_near),
            self.add(far, odd_far),
            self.sub(far, odd_far),
            self.plus(-2.5, d, self.add(b, f)),
        ]
    }

    /// The adjoint of [`Self::pixels`].
    #[inline(always)]
    pub fn pixels_adjoint(self, [a, b, c, d, e, f]: [S::f32s; REACH]) -> [S::f32s; REACH] {
        let (near, odd_near) = (self.add(b, c), self.sub(b, c));
        let (far, odd_far) = (self.add(d, e), self.sub(d, e));
        [
            a,
            self.plus(-SQRT_2, odd_near, self.plus(-FRAC_1_SQRT_2, odd_far, f)),
            self.plus(-2.5, a, self.plus(-2.0, near, self.times(-0.5, far))),
            self.plus(FRAC_1_SQRT_2, odd_near, self.plus(SQRT_2, odd_far, self.times(-2.5, f))),
            self.add(a, self.add(near, far)),
            f,
        ]
    }

    /// To outputs.
    #[inline(always)]
    pub fn outputs(self, [a, b, c, d, e, f]: [S::f32s; REACH]) -> [S::f32s; SIDE] {
        let (near, odd_near) = (self.add(b, c), self.sub(b, c));
        let (far, odd_far) = (self.add(d, e), self.sub(d, e));
        [
            self.add(a, self.add(near, far)),
            self.plus(FRAC_1_SQRT_2, odd_near, self.times(SQRT_2, odd_far)),
            self.plus(0.5, near, self.times(2.0, far)),
            self.plus(0.5 * FRAC_1_SQRT_2, odd_near, self.plus(2.0 * SQRT_2, odd_far, f)),
        ]
    }

    /// The adjoint of [`Self::outputs`].
    #[inline(always)]
    pub fn outputs_adjoint(self, [a, b, c, d]: [S::f32s; SIDE]) -> [S::f32s; REACH] {
        let (near, far) = (self.plus(0.5, c, a), self.plus(2.0, c, a));
        let odd_near = self.times(FRAC_1_SQRT_2, self.plus(0.5, d, b));
        let odd_far = self.times(SQRT_2, self.plus(2.0, d, b));
        [
            a,
            self.add(near, odd_near),
            self.sub(near, odd_near),
            self.add(far, odd_far),
            self.sub(far, odd_far),
            d,
        ]
    }

    /// From weights.
    #[inline(always)]
    pub fn weights(self, [a, b, c]: [S::f32s; KERNEL]) -> [S::f32s; REACH] {
        let near = self.plus(-2.0 / 3.0, a, self.times(-1.0 / 3.0, c));
        let far = self.plus(1.0 / 6.0, a, self.times(1.0 / 3.0, c));
        let (odd_near, odd_far) = (self.times(-SQRT_2 / 3.0, b), self.times(SQRT_2 / 6.0, b));
        [
            a,
            self.add(near, odd_near),
            self.sub(near, odd_near),
            self.add(far, odd_far),
            self.sub(far, odd_far),
            c,
        ]
    }

    /// The adjoint of [`Self::weights`].
    #[inline(always)]
    pub fn weights_adjoint(self, [a, b, c, d, e, f]: [S::f32s; REACH]) -> [S::f32s; KERNEL] {
        let (near, odd_near) = (self.add(b, c), self.sub(b, c));
        let (far, odd_far) = (self.add(d, e), self.sub(d, e));
        [
            self.plus(-2.0 / 3.0, near, self.plus(1.0 / 6.0, far, a)),
            self.plus(-SQRT_2 / 3.0, odd_near, self.times(SQRT_2 / 6.0, odd_far)),
            self.plus(1.0 / 3.0, self.sub(far, near), f),
        ]
    }
}
