//! Numbers of a table or a matrix as texts that can be compared at a glance.

/// From here on numbers are written with an exponent.
const LARGE: f64 = 1e7;

/// The numbers, given in any form that parses, with equally many decimals, at most so many: as few as show all of them. Numbers
/// that this would make 0, and large ones, are written with an exponent. Texts that are no numbers, and integers, stay.
pub fn aligned(texts: Vec<String>, decimals: usize) -> Vec<String> {
    let numbers: Vec<Option<f64>> = texts.iter().map(|text| parse(text)).collect();
    let sizes = || numbers.iter().flatten().map(|number| number.abs()).filter(|size| size.is_finite());
    let smallest = sizes().filter(|size| *size > 0.0).fold(f64::INFINITY, f64::min);
    let has_exponent = sizes().any(|size| size >= LARGE) || smallest < 0.1f64.powi(decimals as i32);
    let fixed = |number: f64| match has_exponent {
        true => format!("{number:.decimals$e}"),
        false => format!("{number:.decimals$}"),
    };
    // How many of the last digits before the exponent are 0 in all numbers. One decimal stays.
    let zeros = numbers.iter().flatten().filter(|number| number.is_finite()).map(|number| {
        let text = fixed(*number);
        let digits = text.split('e').next().unwrap_or_default();
        digits.len() - digits.trim_end_matches('0').len()
    });
    let zeros = zeros.min().unwrap_or(0).min(decimals.saturating_sub(1));
    let short = |number: f64| {
        let decimals = decimals - zeros;
        if has_exponent { format!("{number:.decimals$e}") } else { format!("{number:.decimals$}") }
    };
    texts.into_iter().zip(numbers).map(|(text, number)| number.map_or(text, short)).collect()
}

/// A number with a decimal point or an exponent, or one that is not finite.
fn parse(text: &str) -> Option<f64> {
    let is_integer = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if is_integer { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_decimals_as_show_all_of_them() {
        let shown = |texts: &[&str]| aligned(texts.iter().map(|text| (*text).to_owned()).collect(), 4);
        assert_eq!(shown(&["1.0", "-2.0"]), ["1.0", "-2.0"]);
        assert_eq!(shown(&["0.5", "0.25", "0.0"]), ["0.50", "0.25", "0.00"]);
        assert_eq!(shown(&["3.14159", "100.0"]), ["3.1416", "100.0000"]);
        assert_eq!(shown(&["1e-5", "1.0"]), ["1.0e-5", "1.0e0"]);
        assert_eq!(shown(&["12345678.0", "0.5"]), ["1.2346e7", "5.0000e-1"]);
        assert_eq!(shown(&["NaN", "inf", "-inf", "0.5", "-0.0"]), ["NaN", "inf", "-inf", "0.5", "-0.0"]);
        assert_eq!(shown(&["NaN"]), ["NaN"]);
    }

    #[test]
    fn integers_and_words_stay_as_they_are() {
        let texts = ["18446744073709551615", "-1", "\"1.5\"", "Red", ""].map(str::to_owned).to_vec();
        assert_eq!(aligned(texts.clone(), 4), texts);
    }
}
