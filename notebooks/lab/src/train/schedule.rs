//! Learning rates that change during a training.

use std::f64::consts::PI;

/// The learning rate of step `step` of `steps`, counted from 0, in one cycle: from a 25th of `peak` up to it, in the first three
/// tenths of the steps, then down to almost nothing, both along half a cosine. As PyTorch's `OneCycleLR`. Smith and Topin,
/// "Super-convergence", 2018.
///
/// ```
/// use lab::train::one_cycle;
///
/// let rates: Vec<f64> = [0, 2, 9].map(|step| one_cycle(step, 10, 0.1)).into();
/// // It starts at 0.1 / 25, has its peak after three tenths, and ends at 0.1 / 25 / 10,000.
/// assert!((rates[0] - 0.004).abs() < 1e-12 && (rates[1] - 0.1).abs() < 1e-12 && (rates[2] - 4e-7).abs() < 1e-12);
/// ```
#[must_use]
pub fn one_cycle(step: usize, steps: usize, peak: f64) -> f64 {
    let (first, last) = (peak / 25.0, peak / 25.0 / 1e4);
    let (at, end) = (step as f64, steps as f64 - 1.0);
    let top = 0.3 * steps as f64 - 1.0;
    match at <= top {
        true => along_cosine(first, peak, at / top),
        false => along_cosine(peak, last, ((at - top) / (end - top)).min(1.0)),
    }
}

/// The learning rate of step `step` of `steps`, counted from 0, from `first` down to 0 along half a cosine, where it stays.
/// As PyTorch's `CosineAnnealingLR` up to there. Loshchilov and Hutter, "SGDR", 2017.
#[must_use]
pub fn cosine(step: usize, steps: usize, first: f64) -> f64 {
    along_cosine(first, 0.0, (step as f64 / steps.max(1) as f64).min(1.0))
}

/// From `start` to `end` along half a cosine; `at` is 0 to 1.
fn along_cosine(start: f64, end: f64, at: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * at).cos())
}

#[cfg(test)]
mod tests {
    use super::{cosine, one_cycle};

    /// What PyTorch 2.15 gives for `OneCycleLR(optimizer, max_lr=0.5, total_steps=12)` and `CosineAnnealingLR(optimizer, T_max=4)`.
    #[test]
    fn schedules_are_those_of_pytorch() {
        let rates: Vec<f64> = (0..12).map(|step| one_cycle(step, 12, 0.5)).collect();
        let expected = [
            0.020000000000,
            0.174894827110,
            0.439642579561,
            0.497207717725,
            0.466506484921,
            0.405872826975,
            0.323689498848,
            0.231318551333,
            0.141530499104,
            0.066738765094,
            0.017283493713,
            0.000002000000,
        ];
        for (step, (got, expected)) in rates.iter().zip(expected).enumerate() {
            assert!((got - expected).abs() < 1e-9, "{got} for {expected} at {step}");
        }
        let rates: Vec<f64> = (0..5).map(|step| cosine(step, 4, 0.5)).collect();
        for (got, expected) in rates.iter().zip([0.5, 0.426_776_695_3, 0.25, 0.073_223_304_7, 0.0]) {
            assert!((got - expected).abs() < 1e-9, "{got} for {expected}");
        }
        // Beyond the last step, and without any.
        assert!(
            cosine(9, 4, 0.5).abs() < 1e-9 && cosine(0, 0, 0.5) == 0.5 && one_cycle(0, 0, 0.5).is_finite()
        );
    }
}
