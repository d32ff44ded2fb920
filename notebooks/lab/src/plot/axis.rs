//! Axes for any finite values: all zero, all equal, as small or as large as an `f64` can be.

/// The fraction of a range that is added at each end.
const MARGIN: f64 = 0.03;
/// Values that differ by less than this fraction of the largest count as equal: labels that told them apart would be too long.
const SAME: f64 = 1e-9;
/// Rounding makes a step at most 2.5 times as long, so an axis of four steps has at least one label.
const ENOUGH: usize = 4;

/// A range of values, from `start` to a larger `end`.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    start: f64,
    end: f64,
}

impl Axis {
    /// From `start` to `end`, or a little further in both directions if they are equal.
    pub fn new(start: f64, end: f64) -> Self {
        let most = start.abs().max(end.abs());
        if end / 2.0 - start / 2.0 > SAME * most && end - start >= f64::MIN_POSITIVE {
            return Self { start, end };
        }
        // Values that are too small to be divided become 0 here.
        let room = if most / 10.0 >= f64::MIN_POSITIVE { most / 10.0 } else { 1.0 };
        Self { start: (start - room).max(f64::MIN), end: (end + room).min(f64::MAX) }
    }

    /// From the smallest value to the largest, and a little beyond; 0 to 1 if there are no values.
    pub fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Self { start: 0.0, end: 1.0 };
        }
        let margin = (high * MARGIN - low * MARGIN).max(0.0);
        Self::new((low - margin).max(f64::MIN), (high + margin).min(f64::MAX))
    }

    /// The position of a value: 0 at the start, 1 at the end.
    pub fn share(self, value: f64) -> f64 {
        // Halves, since the difference of two large values may be infinite.
        (value / 2.0 - self.start / 2.0) / (self.end / 2.0 - self.start / 2.0)
    }

    /// Round values on the axis, each with its label: at most `most` + 1, unless there would be none. They are whole numbers if
    /// only those have a meaning.
    pub fn ticks(self, most: usize, whole: bool) -> Vec<(f64, String)> {
        let step = round_up(self.end / most as f64 - self.start / most as f64);
        let step = if whole { step.max(1.0) } else { step };
        let first = (self.start / step).ceil();
        let values = (0..=most).map(|at| (first + at as f64) * step).filter(|value| *value <= self.end);
        let ticks: Vec<_> = values.map(|value| (value, self.label(value + 0.0, step))).collect();
        if ticks.is_empty() && most < ENOUGH { self.ticks(most + 1, whole) } else { ticks }
    }

    /// For an axis of decimal logarithms: powers of ten, or 1, 2 and 5 times them where there would be few, each as its logarithm
    /// with its label; other numbers where the axis is too short even for these.
    pub fn powers(self) -> Vec<(f64, String)> {
        let decades = self.end - self.start;
        let digits: &[u32] = if decades < 2.0 { &[1, 2, 5] } else { &[1] };
        let step = (decades / 6.0).ceil().max(1.0) as usize;
        let exponents = (self.start.floor() as i32..=self.end.ceil() as i32).step_by(step);
        let all = exponents.flat_map(|exponent| digits.iter().map(move |&digit| (digit, exponent)));
        let ticks: Vec<_> = all
            .map(|(digit, exponent)| {
                let label = match exponent {
                    -4..0 => format!("{:.1$}", f64::from(digit) * 10f64.powi(exponent), -exponent as usize),
                    0..5 => (digit * 10u32.pow(exponent as u32)).to_string(),
                    _ => format!("{digit}e{exponent}"),
                };
                (f64::from(exponent) + f64::from(digit).log10(), label)
            })
            .filter(|(power, _)| (self.start..=self.end).contains(power))
            .collect();
        if ticks.len() > 1 {
            return ticks;
        }
        // Over so short a piece the axis is nearly even.
        let even = Axis::new(10f64.powf(self.start), 10f64.powf(self.end)).ticks(4, false);
        even.into_iter().map(|(value, label)| (value.log10(), label)).collect()
    }

    /// The value with as many digits as tell multiples of `step` apart.
    fn label(self, value: f64, step: f64) -> String {
        let most = self.start.abs().max(self.end.abs());
        let place = |value: f64| value.log10().floor();
        if value == 0.0 {
            "0".into()
        } else if (1e-4..1e7).contains(&most) {
            format!("{value:.0$}", (-place(step)).max(0.0) as usize)
        } else {
            format!("{value:.0$e}", (place(value.abs()) - place(step)).max(0.0) as usize)
        }
    }
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|&round| round >= value)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], most: usize) -> Vec<String> {
        Axis::around(values.iter().copied()).ticks(most, false).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn labels_are_round_and_tell_their_values_apart() {
        assert_eq!(labels(&[0.0, 2.3], 5), ["0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(&[98.0, 99.0], 4), ["98.0", "98.5", "99.0"]);
        assert_eq!(labels(&[1.0, 60_000.0], 4), ["0", "20000", "40000", "60000"]);
        assert_eq!(labels(&[0.0], 4), ["-1.0", "-0.5", "0", "0.5", "1.0"]);
        assert_eq!(labels(&[], 4), ["0", "0.5", "1.0"]);
        assert_eq!(labels(&[0.0, 1e30], 4), ["0", "5e29", "1.0e30"]);
        assert_eq!(labels(&[1e-30, 3e-30], 4), ["1e-30", "2e-30", "3e-30"]);
        assert_eq!(labels(&[1e30, 1.0001e30], 4), ["1.00000e30", "1.00005e30", "1.00010e30"]);
        assert_eq!(labels(&[f64::MIN, f64::MAX], 4), ["-1e308", "0", "1e308"]);
        let whole = Axis::new(1.0, 3.0).ticks(5, true);
        assert_eq!(whole, [(1.0, "1".into()), (2.0, "2".into()), (3.0, "3".into())]);
        for step in 1..100 {
            let alone = Axis::around([f64::from(step)].into_iter()).ticks(1, true);
            assert!(!alone.is_empty() && alone.iter().all(|(value, _)| value.fract() == 0.0), "{alone:?}");
        }
    }

    #[test]
    fn powers_of_ten_stand_at_their_logarithms() {
        let labels = |low: f64, high: f64| -> Vec<String> {
            let ticks = Axis::new(low.log10(), high.log10()).powers();
            for (power, label) in &ticks {
                let value: f64 = label.parse().unwrap();
                assert!((value.log10() - power).abs() < 1e-3, "{label} at {power}");
            }
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.0004, 2.5), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(0.04, 2.5), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(1e-6, 2e6), ["1e-6", "0.001", "1", "1000", "1e6"]);
        assert_eq!(labels(1.03, 2.5), ["1.5", "2.0", "2.5"]);
        assert_eq!(labels(0.3, 0.4), ["0.30", "0.35", "0.40"]);
        assert_eq!(labels(f64::MIN_POSITIVE, f64::MAX).len(), 5);
    }

    #[test]
    fn every_value_lies_on_its_axis_and_no_label_is_long() {
        let magnitudes = [0.0, 5e-324, 1e-300, 1e-30, 1e-5, 0.1, 1.0, 123.456, 1e7, 1e30, 1e300, f64::MAX];
        let all: Vec<f64> = magnitudes.into_iter().flat_map(|value| [value, -value]).collect();
        for &low in &all {
            for high in all.iter().copied().chain([low * (1.0 + 1e-12), low * (1.0 + 1e-6), low * 2.0]) {
                if !high.is_finite() {
                    continue;
                }
                let axis = Axis::around([low, high].into_iter());
                let case = format!("{low:e} to {high:e}: {axis:?}");
                assert!(axis.start < axis.end && axis.start.is_finite() && axis.end.is_finite(), "{case}");
                for value in [low, high] {
                    assert!((0.0..=1.0).contains(&axis.share(value)), "{case}");
                }
                for most in 1..5 {
                    let count = axis.ticks(most, false).len();
                    assert!((1..=most.max(ENOUGH) + 1).contains(&count), "{case}, {most}: {count}");
                }
                let ticks = axis.ticks(5, false);
                assert!((1..=6).contains(&ticks.len()), "{case}, {ticks:?}");
                for (value, label) in &ticks {
                    assert!((-1e-9..=1.0).contains(&axis.share(*value)), "{case}, {ticks:?}");
                    assert!(label.len() <= 17, "{case}, {ticks:?}");
                }
                let mut distinct: Vec<&str> = ticks.iter().map(|(_, label)| label.as_str()).collect();
                distinct.dedup();
                assert_eq!(distinct.len(), ticks.len(), "{case}, {ticks:?}");
            }
        }
    }
}
