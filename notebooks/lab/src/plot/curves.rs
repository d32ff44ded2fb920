//! Curves with a legend.

use super::chart::{Chart, legend};
use super::svg;
use crate::number::{fixed, significant};
use crate::{Result, display::Display};
use anyhow::ensure;

/// A named line: a loss over the steps of a training, an accuracy over its epochs, ….
#[derive(Clone, Debug)]
pub struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// A line leads from each point to the next.
    pub(super) joined: bool,
}

impl Curve {
    /// A line through values, the first at step 1.
    pub fn new(name: &str, values: &[f32]) -> Self {
        let points = values.iter().enumerate().map(|(at, &value)| ((at + 1) as f64, f64::from(value)));
        Self { name: name.into(), points: points.collect(), joined: true }
    }

    /// A line through points (x, y).
    pub fn at(name: &str, points: &[(f64, f64)]) -> Self {
        Self { name: name.into(), points: points.into(), joined: true }
    }

    /// Points (x, y) without a line.
    pub fn dots(name: &str, points: &[(f64, f64)]) -> Self {
        Self { joined: false, ..Self::at(name, points) }
    }
}

/// Curves in one chart with a legend. `title` is what they show, `data` the name of the data set, `axes` what
/// x and y mean.
///
/// # Errors
/// When there are no curves, a curve has no points, or a value is not finite.
pub fn curves(title: &str, data: &str, axes: [&str; 2], curves: &[Curve]) -> Result<Display> {
    draw(title, data, axes, curves, false)
}

/// [`curves`] with a logarithmic y axis, on which equal distances are equal ratios: from 1 to 0.1 is as far as from 0.1 to
/// 0.01. The legend is under the title.
///
/// # Errors
/// As [`curves`], and when a value of y is not above 0.
pub fn curves_logarithmic(title: &str, data: &str, axes: [&str; 2], curves: &[Curve]) -> Result<Display> {
    for Curve { name, points, .. } in curves {
        if let Some(at) = points.iter().position(|(_, y)| *y <= 0.0) {
            let y = points[at].1;
            anyhow::bail!(
                "point {at} of the curve \"{name}\" is {y}, which has no place on a logarithmic axis"
            );
        }
    }
    draw(title, data, axes, curves, true)
}

fn draw(title: &str, data: &str, axes: [&str; 2], curves: &[Curve], logarithmic: bool) -> Result<Display> {
    ensure!(!curves.is_empty(), "no curves to draw in \"{title}\"");
    check(curves)?;
    let decimals = |y: f64| if logarithmic { significant(y, 4) } else { fixed(y, 4) };
    let title = format!("{title} ({data})");
    let ends: Vec<String> = curves
        .iter()
        .map(|curve| format!("{} ends at {}", curve.name, decimals(curve.points[curve.points.len() - 1].1)))
        .collect();
    let alt = format!("{title}, {} over {}: {}", axes[1], axes[0], ends.join("; "));
    if logarithmic {
        return svg::draw((640, 420), &title, &alt, |area| {
            let top = legend(area, curves)?;
            let chart = Chart { axes, curves, x: None, legend: false, logarithmic };
            chart.draw(&area.margin(top, 10, 10, 30))
        });
    }
    svg::draw((640, 400), &title, &alt, |area| {
        Chart { axes, curves, x: None, legend: true, logarithmic }.draw(&area.margin(70, 10, 10, 30))
    })
}

/// Each curve has points, and all of them are finite.
pub fn check(curves: &[Curve]) -> Result<()> {
    for Curve { name, points, .. } in curves {
        ensure!(!points.is_empty(), "the curve \"{name}\" has no points");
        if let Some(at) = points.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
            anyhow::bail!("point {at} of the curve \"{name}\" is {:?}, not a finite number", points[at]);
        }
    }
    Ok(())
}
