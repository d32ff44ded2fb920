//! The exponential and the error function in `f32`, written so that the compiler uses vector instructions. Those of the standard
//! library are calls, one for each value.

/// e^x, with a relative error of at most 2e-7; for x below -87 it is that of -87, which is 1.6e-38, and for x above 88.37 infinity.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding it leaves a whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2, whose product with a small whole number is exact, and the rest of it.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Not `clamp` alone, for which NaN would be in order: `max` and `min` would lose it.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.37 { f32::INFINITY } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // The series of e^r for |r| ≤ ln 2 / 2, to r⁷ / 7!.
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    if x == f32::INFINITY { x } else { polynomial(r, series) * power }
}

/// The error function, with an error of at most 3e-7. The coefficients are those of XLA's `erf`, a rational approximation for
/// |x| < 3.83, beyond which an `f32` holds 1.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    const END: f32 = 3.832_507;
    let x = if x > END { END } else { x };
    let x = if x < -END { -END } else { x };
    let above =
        [2.290_506_5e-4, 3.408_291e-3, 5.095_569_5e-2, 0.185_208_32, std::f32::consts::FRAC_2_SQRT_PI];
    let below =
        [-1.179_160_3e-7, 2.354_796_6e-5, 1.017_962_5e-3, 1.407_047e-2, 0.110_985_05, 0.497_469_25, 1.0];
    x * polynomial(x * x, above) / polynomial(x * x, below)
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
    use super::{erf, exp};

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

    /// From tables: Abramowitz and Stegun, "Handbook of mathematical functions", table 7.1.
    #[test]
    fn the_error_function_has_the_values_of_tables() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (1.5, 0.966_105_146_5),
            (2.0, 0.995_322_265_0),
        ] {
            assert!((f64::from(erf(x)) - expected).abs() < 3e-7, "erf {x}: {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert!(
            (erf(10.0) - 1.0).abs() < 3e-7
                && (erf(f32::NEG_INFINITY) + 1.0).abs() < 3e-7
                && erf(f32::NAN).is_nan()
        );
    }
}
