//! The exponential and the scaled complementary error function in `f32`, written so that the compiler uses vector instructions. Those of the standard
//! library are calls, one for each value.

/// e^x, with a relative error of at most 2e-7; for x below -87 it is that of -87, which is 1.6e-38, and for x above 88.37 infinity.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Not `clamp` alone, for which NaN would be in order: `max` and `min` would lose it.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.37 { f32::INFINITY } else { x };
    let (series, n) = parts(x);
    if x == f32::INFINITY { x } else { series * power(n) }
}

/// e^x for x of at most 0, with a relative error of at most 2e-7 down to 1.2e-38, and with the subnormal numbers below it down to 0.
#[inline(always)]
pub fn exp_of_negative(x: f32) -> f32 {
    let x = if x < -105.0 { -105.0 } else { x };
    let (series, n) = parts(x);
    // 2^n alone may be too small for a normal number.
    let half = n >> 1;
    series * power(half) * power(n - half)
}

/// A number from 1/√2 to √2, and a whole number n, for which e^x is the product of the first and 2^n.
#[inline(always)]
fn parts(x: f32) -> (f32, i32) {
    /// Adding it leaves a whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2, whose product with a small whole number is exact, and the rest of it.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // The series of e^r for |r| ≤ ln 2 / 2, to r⁷ / 7!.
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    (polynomial(r, series), (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// 2^n, for n from -126 to 127.
#[inline(always)]
fn power(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// erfc(x) · exp(x²) for x of at least 0, with a relative error of at most 1e-6, where erfc is the complementary error function,
/// 1 - erf(x). The coefficients are those of the best approximation by a polynomial in 1 / (1 + x / 2), up to x = 9.4; beyond, the
/// function approaches 1 / (√π · x), and so does the approximation.
#[inline(always)]
pub fn scaled_erfc(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.5 * x);
    let coefficients = [
        -0.058_847_41,
        0.283_489_1,
        -0.484_939_87,
        0.275_466_3,
        -0.024_821_764,
        0.201_917_59,
        0.243_299_98,
        0.282_348_04,
        0.282_087_98,
    ];
    t * polynomial(t, coefficients)
}

/// With the coefficient of the highest power first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut value = coefficients[0];
    for coefficient in &coefficients[1..] {
        value = value * x + coefficient;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{exp, exp_of_negative, scaled_erfc};

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for at in -87_000..88_370 {
            let x = at as f32 / 1000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2e-7, "e^{x}: {} for {expected}", exp(x));
        }
        assert_eq!((exp(0.0), exp(100.0), exp(f32::INFINITY)), (1.0, f32::INFINITY, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan() && exp(-1000.0) < 2e-38 && exp(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn exponentials_of_negative_numbers_go_down_to_0_by_all_steps() {
        for at in -110_000..=0 {
            let x = at as f32 / 1000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp_of_negative(x)) - expected).abs();
            // The steps of subnormal numbers are 1.4e-45.
            assert!(error < (2e-7 * expected).max(1.5e-45), "e^{x}: {} for {expected}", exp_of_negative(x));
        }
        assert_eq!((exp_of_negative(0.0), exp_of_negative(f32::NEG_INFINITY)), (1.0, 0.0));
        assert!(exp_of_negative(f32::NAN).is_nan());
    }

    /// From tables: Abramowitz and Stegun, "Handbook of mathematical functions", tables 7.1 and 7.3.
    #[test]
    fn the_scaled_complementary_error_function_has_the_values_of_tables() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_2),
            (1.0, 0.157_299_207_1),
            (2.0, 0.004_677_734_98),
            (3.0, 2.209_049_70e-5),
            (4.0, 1.541_725_79e-8),
            (5.0, 1.537_459_79e-12),
        ] {
            let expected = expected * f64::from(x * x).exp();
            let relative = f64::from(scaled_erfc(x)) / expected - 1.0;
            assert!(relative.abs() < 1e-6, "{x}: {} for {expected}", scaled_erfc(x));
        }
        for x in [10.0, 30.0, 1000.0] {
            // The first terms of its series for large x.
            let square = f64::from(x * x);
            let series = 1.0 - 0.5 / square + 0.75 / (square * square) - 1.875 / square.powi(3);
            let expected = series / (std::f64::consts::PI.sqrt() * f64::from(x));
            let relative = f64::from(scaled_erfc(x)) / expected - 1.0;
            assert!(relative.abs() < 1e-4, "{x}: {} for {expected}", scaled_erfc(x));
        }
        assert!(scaled_erfc(f32::INFINITY) == 0.0 && scaled_erfc(f32::NAN).is_nan());
    }
}
