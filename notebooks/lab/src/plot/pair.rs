//! Two charts side by side.

use super::chart::Chart;
use super::{Curve, svg};
use crate::{Result, display::Display};
use std::ops::Range;

/// Two charts side by side, each with the meaning of its y axis and its curves; points that are not finite are left out. Both
/// have the x axis `x`, its meaning and its range. `title` is written over both, `alt` describes them in words.
pub fn pair(
    title: &str,
    alt: &str,
    x: (&str, Range<f64>),
    charts: [(&str, Vec<Curve>); 2],
) -> Result<Display> {
    svg::draw((720, 280), title, alt, |area| {
        let halves = area.margin(70, 10, 0, 0).split_evenly((1, 2));
        for (half, (y, mut curves)) in halves.iter().zip(charts) {
            curves.iter_mut().for_each(|curve| curve.points.retain(|(x, y)| x.is_finite() && y.is_finite()));
            let legend = curves.len() > 1;
            let x_range = Some(x.1.clone());
            let chart = Chart { axes: [x.0, y], curves: &curves, x: x_range, legend, logarithmic: false };
            chart.draw(&half.margin(0, 0, 0, 36))?;
        }
        Ok(())
    })
}
