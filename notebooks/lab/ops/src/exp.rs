//! The exponential and the complementary error function in `f32`, written so that the compiler uses vector instructions. Those of the standard
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

/// The complementary error function, 1 - erf(x), with a relative error of at most 3e-6, however small it is. The coefficients are
/// those of `erfcc` in Press, Teukolsky, Vetterling and Flannery, "Numerical Recipes", section 6.2.
#[inline(always)]
pub fn erfc(x: f32) -> f32 {
    let z = x.abs();
    let t = 1.0 / (1.0 + 0.5 * z);
    let coefficients = [
        0.170_872_77,
        -0.822_152_2,
        1.488_515_9,
        -1.135_204,
        0.278_868_1,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ];
    let tail = t * exp(polynomial(t, coefficients) - z * z);
    if x < 0.0 { 2.0 - tail } else { tail }
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
    use super::{erfc, exp, exp_of_negative};

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
    fn the_complementary_error_function_has_the_values_of_tables() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_2),
            (1.0, 0.157_299_207_1),
            (2.0, 0.004_677_734_98),
            (3.0, 2.209_049_70e-5),
            (4.0, 1.541_725_79e-8),
            (5.0, 1.537_459_79e-12),
        ] {
            let relative = f64::from(erfc(x)) / expected - 1.0;
            assert!(relative.abs() < 3e-6, "erfc {x}: {} for {expected}", erfc(x));
            assert!((f64::from(erfc(-x)) + expected - 2.0).abs() < 3e-7, "erfc -{x}: {}", erfc(-x));
        }
        assert!(erfc(f32::INFINITY) < 1e-37 && erfc(f32::NEG_INFINITY) == 2.0 && erfc(f32::NAN).is_nan());
    }
}
