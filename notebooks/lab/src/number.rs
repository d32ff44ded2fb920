//! Numbers as short text, whatever their size.

/// From here on the last digits of an `f32`, and of most measured numbers, are meaningless.
const LARGE: f64 = 1e7;

/// The number with so many digits after the point, or in scientific notation if it is large, `1.50e30`.
pub fn fixed(value: f64, decimals: usize) -> String {
    if value.abs() >= LARGE && value.is_finite() {
        return format!("{value:.2e}");
    }
    // Adding 0 removes the sign of -0.
    format!("{:.decimals$}", value + 0.0)
}

/// [`fixed`], but in scientific notation too if all digits would be 0, `1.50e-30`.
pub fn significant(value: f64, decimals: usize) -> String {
    if value != 0.0 && value.abs() < 0.5 * 0.1f64.powi(decimals as i32) {
        return format!("{value:.2e}");
    }
    fixed(value, decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_short() {
        let texts = [0.0, -0.0, 0.5, -2.25, 9_999_999.0].map(|value| fixed(value, 2));
        assert_eq!(texts, ["0.00", "0.00", "0.50", "-2.25", "9999999.00"]);
        assert_eq!([1e30, -1e7, f64::MAX].map(|value| fixed(value, 2)), ["1.00e30", "-1.00e7", "1.80e308"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(|value| fixed(value, 2)), ["NaN", "inf"]);
        assert_eq!(
            [1e-30, -1e-3, 0.0, 1e30].map(|value| significant(value, 2)),
            ["1.00e-30", "-1.00e-3", "0.00", "1.00e30"]
        );
        assert_eq!((fixed(1e-30, 2).as_str(), significant(0.02, 2).as_str()), ("0.00", "0.02"));
    }
}
