//! Curves with a legend.

use super::{chart::Chart, svg};
use crate::number::fixed;
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
    ensure!(!curves.is_empty(), "no curves to draw in \"{title}\"");
    for Curve { name, points, .. } in curves {
        ensure!(!points.is_empty(), "the curve \"{name}\" has no points");
        if let Some(at) = points.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
            anyhow::bail!("point {at} of the curve \"{name}\" is {:?}, not a finite number", points[at]);
        }
    }
    let title = format!("{title} ({data})");
    let ends: Vec<String> = curves
        .iter()
        .map(|curve| format!("{} ends at {}", curve.name, fixed(curve.points[curve.points.len() - 1].1, 4)))
        .collect();
    let alt = format!("{title}, {} over {}: {}", axes[1], axes[0], ends.join("; "));
    svg::draw((640, 400), &title, &alt, |area| {
        Chart { axes, curves, x: None, legend: true }.draw(&area.margin(70, 10, 10, 30))
    })
}
