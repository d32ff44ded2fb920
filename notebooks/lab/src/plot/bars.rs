//! Bar charts.

use super::axis::Axis;
use super::rows::{Rows, mean};
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

/// [`bars`] for values that were measured several times: a bar ends at their mean, and a line at its end goes from the smallest
/// to the largest. The mean and the standard deviation of a single run are written after it.
///
/// If names have a colon, the part before it decides the colour.
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
    let largest = runs.iter().flat_map(|(_, values)| values).fold(0.0, |most: f64, value| most.max(*value));
    // Bars start at 0, even if all of them are 0.
    let end = if largest >= f64::MIN_POSITIVE { largest } else { 1.0 };
    rows.draw(Axis::new(0.0, end), |row, values| {
        row.bar(mean(values))?;
        if values.len() > 1 {
            row.span(values)?;
        }
        Ok(())
    })
}
