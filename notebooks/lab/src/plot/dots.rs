//! Dot charts.

use super::axis::Axis;
use super::rows::{Rows, mean};
use crate::{Result, display::Display};
use anyhow::ensure;

/// A row for each named set of values, with a dot for each value and a line for their mean. The axis spans the values and need
/// not start at 0, as that of bars must, so it shows differences that bars hide. Otherwise like
/// [`bars_of_runs`](super::bars_of_runs).
///
/// # Errors
/// When there are no rows, a row has no values, or a value is not finite.
pub fn dots(title: &str, data: &str, unit: &str, runs: &[(impl AsRef<str>, Vec<f64>)]) -> Result<Display> {
    ensure!(!runs.is_empty(), "no dots to draw in \"{title}\"");
    for (name, values) in runs {
        let name = name.as_ref();
        ensure!(!values.is_empty(), "the row \"{name}\" has no values");
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            anyhow::bail!("a value of the row \"{name}\" is {value}, not a finite number");
        }
    }
    let all = || runs.iter().flat_map(|(_, values)| values.iter().copied());
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let room = (high * 0.08 - low * 0.08).max(high.abs() * 1e-4);
    let axis = Axis::new((low - room).max(f64::MIN), (high + room).min(f64::MAX));
    let rows = Rows::new(title, data, unit, runs);
    rows.with_ticks(unit).draw(axis, |row, values| {
        row.mean(mean(values))?;
        row.dots(values)
    })
}
