//! Dot charts.

use super::axis::Axis;
use super::rows::{Row, Rows, deviations};
use crate::{Result, display::Display};
use anyhow::ensure;

/// A row for each named set of values, with a dot for each value. Below the dots of several values is an error bar, from a
/// standard deviation below their mean to one above it, with a square at the mean. The axis spans all of these and need not start at
/// 0, as that of bars must, so it shows differences that bars hide. Otherwise like [`bars_of_runs`](super::bars_of_runs).
///
/// # Errors
/// When there are no rows, a row has no values, or a value is not finite.
pub fn dots(title: &str, data: &str, unit: &str, runs: &[(impl AsRef<str>, Vec<f64>)]) -> Result<Display> {
    check(title, runs)?;
    draw(Rows::new(title, data, unit, runs), runs)
}

/// The share of test digits that networks got wrong, in percent: 100 minus each of the `accuracies`, which are in percent. A row for
/// each network has a dot for each seed, as [`dots`] draws them; the rows of one framework are next to each other. Where
/// accuracies of 98.7 and 98.9 % look alike, errors of 1.3 and 1.1 % do not.
///
/// ```
/// let accuracies = [("Burn: Module", vec![98.76, 98.79, 98.88]), ("Keras: Sequential", vec![98.81])];
/// let picture = lab::plot::errors("Test error", "MNIST", &accuracies)?;
/// let shown = "Test error (MNIST), ± one standard deviation of 3 seeds: \
///              Burn: Module 1.19 ± 0.06 %; Keras: Sequential 1.19 %";
/// assert_eq!(picture.content("text/plain"), Some(shown));
/// # Ok::<(), lab::anyhow::Error>(())
/// ```
///
/// # Errors
/// Those of [`dots`], and when an accuracy is not from 0 to 100.
pub fn errors(title: &str, data: &str, accuracies: &[(impl AsRef<str>, Vec<f64>)]) -> Result<Display> {
    check(title, accuracies)?;
    for (name, values) in accuracies {
        let name = name.as_ref();
        if let Some(value) = values.iter().find(|value| !(0.0..=100.0).contains(*value)) {
            anyhow::bail!("an accuracy of the row \"{name}\" is {value}, not a percentage from 0 to 100");
        }
    }
    let errors: Vec<(&str, Vec<f64>)> = accuracies
        .iter()
        .map(|(name, values)| (name.as_ref(), values.iter().map(|value| 100.0 - value).collect()))
        .collect();
    draw(Rows::new(title, data, " %", &errors).with_decimals(2).grouped(), &errors)
}

fn check(title: &str, runs: &[(impl AsRef<str>, Vec<f64>)]) -> Result<()> {
    ensure!(!runs.is_empty(), "no dots to draw in \"{title}\"");
    for (name, values) in runs {
        let name = name.as_ref();
        ensure!(!values.is_empty(), "the row \"{name}\" has no values");
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            anyhow::bail!("a value of the row \"{name}\" is {value}, not a finite number");
        }
    }
    Ok(())
}

fn draw(rows: Rows, runs: &[(impl AsRef<str>, Vec<f64>)]) -> Result<Display> {
    let ends = || runs.iter().filter_map(|(_, values)| deviations(values)).flatten();
    let all = || runs.iter().flat_map(|(_, values)| values.iter().copied()).chain(ends());
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let room = (high * 0.08 - low * 0.08).max(high.abs() * 1e-4);
    let axis = Axis::new((low - room).max(f64::MIN), (high + room).min(f64::MAX));
    rows.with_ticks().draw(axis, |row: &Row, values| {
        row.mean_and_deviation(values)?;
        row.dots(values)
    })
}
