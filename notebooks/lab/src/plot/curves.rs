use super::svg::{self, COLORS, INK, drawing_error, text};
use crate::{Result, display::Display};
use anyhow::ensure;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A named line: a loss over the steps of a training, an accuracy over its epochs, ….
#[derive(Clone, Debug)]
pub struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// Values one after the other, the first at step 1.
    pub fn new(name: &str, values: &[f32]) -> Self {
        let points = values.iter().enumerate().map(|(at, &value)| ((at + 1) as f64, f64::from(value)));
        Self { name: name.into(), points: points.collect() }
    }

    /// Points (x, y), for lines with steps of their own.
    pub fn at(name: &str, points: &[(f64, f64)]) -> Self {
        Self { name: name.into(), points: points.into() }
    }
}

/// Curves in one chart with a legend. `title` is what they show, `data` the name of the data set, `axes` what
/// x and y mean.
///
/// # Errors
/// When there is no curve, a curve without points, or a value that is no finite number.
pub fn curves(title: &str, data: &str, axes: [&str; 2], curves: &[Curve]) -> Result<Display> {
    ensure!(!curves.is_empty(), "no curves to draw in \"{title}\"");
    for Curve { name, points } in curves {
        ensure!(!points.is_empty(), "the curve \"{name}\" has no points");
        if let Some(at) = points.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
            anyhow::bail!("point {at} of the curve \"{name}\" is {:?}, not a finite number", points[at]);
        }
    }
    let title = format!("{title} ({data})");
    let ends: Vec<String> = curves
        .iter()
        .map(|curve| format!("{} ends at {:.4}", curve.name, curve.points[curve.points.len() - 1].1))
        .collect();
    let alt = format!("{title}, {} over {}: {}", axes[1], axes[0], ends.join("; "));
    svg::draw((640, 400), &title, &alt, |area| {
        let ranges = [range(curves, |point| point.0), range(curves, |point| point.1)];
        let mut chart = ChartBuilder::on(area)
            .margin_top(70)
            .margin_right(30)
            .margin_bottom(10)
            .margin_left(10)
            .x_label_area_size(84)
            .y_label_area_size(124)
            .build_cartesian_2d(ranges[0].clone(), ranges[1].clone())
            .map_err(drawing_error)?;
        chart
            .configure_mesh()
            .x_desc(axes[0])
            .y_desc(axes[1])
            .x_labels(x_labels(curves))
            .x_label_formatter(&|x| format!("{}", (x * 1e6).round() / 1e6))
            .y_labels(6)
            .label_style(text(26, HPos::Center, VPos::Center))
            .axis_desc_style(text(28, HPos::Center, VPos::Top))
            .axis_style(INK)
            .bold_line_style(INK.mix(0.2))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(drawing_error)?;
        for (Curve { name, points }, color) in curves.iter().zip(COLORS.iter().cycle()) {
            let style = color.stroke_width(4);
            let line = LineSeries::new(points.iter().copied(), style).point_size(if points.len() < 30 {
                6
            } else {
                0
            });
            let drawn = chart.draw_series(line).map_err(drawing_error)?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 36, y)], style));
        }
        chart
            .configure_series_labels()
            .position(free_corner(curves))
            .label_font(text(28, HPos::Left, VPos::Top))
            .legend_area_size(46)
            .draw()
            .map_err(drawing_error)
    })
}

/// As many as there are steps where those are few, lest there be labels between them.
fn x_labels(curves: &[Curve]) -> usize {
    curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0).clamp(2, 8)
}

/// The corner on the right that the ends of the curves leave free.
fn free_corner(curves: &[Curve]) -> SeriesLabelPosition {
    let range = range(curves, |point| point.1);
    let ends =
        curves.iter().map(|curve| curve.points[curve.points.len() - 1].1).sum::<f64>() / curves.len() as f64;
    if ends > (range.start + range.end) / 2.0 {
        SeriesLabelPosition::LowerRight
    } else {
        SeriesLabelPosition::UpperRight
    }
}

/// From the smallest value to the largest, and a little beyond, so that a flat line has a range too.
fn range(curves: &[Curve], value: impl Fn(&(f64, f64)) -> f64) -> std::ops::Range<f64> {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(&value);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let margin = 0.03 * (high - low);
    let margin = if margin > 0.0 { margin } else { 0.03 * high.abs().max(1.0) };
    low - margin..high + margin
}
