//! Bar charts.

use super::axis::Axis;
use super::rows::{Rows, deviations, mean};
use crate::{Result, display::Display};
use anyhow::ensure;

/// A horizontal bar for each named value, from 0, with the value written after it. `title` is what they show,
/// `data` the name of the data set, `unit` what follows the number: `" %"`, `" s"`, ….
///
/// # Errors
/// When there are no bars, or a value is negative or not finite.
pub fn bars(title: &str, data: &str, unit: &str, values: &[(impl AsRef<str>, f64)]) -> Result<Display> {
    let runs: Vec<(&str, Vec<f64>)> =
        values.iter().map(|(name, value)| (name.as_ref(), vec![*value])).collect();
    bars_of_runs(title, data, unit, &runs)
}

/// [`bars`] for values that were measured several times, with different seeds. A bar ends at their mean, and the error bar at its
/// end goes from a standard deviation below the mean to one above it. This is the standard deviation of a sample, divided by n - 1.
/// It is written after the bar, and the caption says what it is, and of how many seeds. A bar of one value has none.
///
/// A framework has the same colour in all charts: names begin with it, as `PyTorch: Module`. Of other names the part before the
/// colon decides the colour.
///
/// ```
/// let seconds = [("PyTorch: Module", vec![14.0, 15.0, 16.0]), ("Burn: Module", vec![33.5])];
/// let picture = lab::plot::bars_of_runs("Seconds per epoch", "MNIST", " s", &seconds)?;
/// let shown = "Seconds per epoch (MNIST), ± one standard deviation of 3 seeds: \
///              PyTorch: Module 15.00 ± 1.00 s; Burn: Module 33.50 s";
/// assert_eq!(picture.content("text/plain"), Some(shown));
/// # Ok::<(), lab::anyhow::Error>(())
/// ```
///
/// # Errors
/// As [`bars`], and when a bar has no values.
pub fn bars_of_runs(
    title: &str,
    data: &str,
    unit: &str,
    runs: &[(impl AsRef<str>, Vec<f64>)],
) -> Result<Display> {
    ensure!(!runs.is_empty(), "no bars to draw in \"{title}\"");
    for (name, values) in runs {
        let name = name.as_ref();
        ensure!(!values.is_empty(), "the bar \"{name}\" has no values");
        if let Some(value) = values.iter().find(|value| !value.is_finite() || **value < 0.0) {
            anyhow::bail!("the bar \"{name}\" is {value}, not a finite number from 0 up");
        }
    }
    let rows = Rows::new(title, data, unit, runs);
    let ends = runs.iter().map(|(_, values)| deviations(values).map_or(mean(values), |[_, high]| high));
    let largest = ends.fold(0.0, f64::max);
    // Bars start at 0, even if all of them are 0.
    let end = if largest >= f64::MIN_POSITIVE { largest } else { 1.0 };
    rows.draw(Axis::new(0.0, end), |row, values| {
        row.bar(mean(values))?;
        row.deviation(values)
    })
}
