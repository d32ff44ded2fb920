use super::Curve;
use super::svg::{Area, COLORS, INK, drawing_error, text};
use crate::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::ops::Range;

/// Curves between two axes. Their values are finite; there may be none.
pub struct Chart<'a> {
    /// What x and y mean.
    pub axes: [&'a str; 2],
    pub curves: &'a [Curve],
    /// What the x axis shows, if not just the values there are.
    pub x: Option<Range<f64>>,
    pub legend: bool,
}

impl Chart<'_> {
    pub fn draw(self, area: &Area) -> Result<()> {
        let Chart { axes, curves, x, legend } = self;
        let longest = curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        let steps = x.as_ref().map_or(longest, |x| (x.end - x.start) as usize);
        let x = x.unwrap_or_else(|| range(curves, |point| point.0));
        // As many labels as there are steps where those are few, lest there be some between them, and as have room.
        let x_labels = steps.clamp(2, if area.dim_in_pixel().0 < 1000 { 5 } else { 8 });
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(84)
            .y_label_area_size(124)
            .build_cartesian_2d(x, range(curves, |point| point.1))
            .map_err(drawing_error)?;
        chart
            .configure_mesh()
            .x_desc(axes[0])
            .y_desc(axes[1])
            .x_labels(x_labels)
            .x_label_formatter(&|x| format!("{}", (x * 1e6).round() / 1e6))
            .y_labels(6)
            .label_style(text(26, HPos::Center, VPos::Center))
            .axis_desc_style(text(28, HPos::Center, VPos::Top))
            .axis_style(INK)
            .bold_line_style(INK.mix(0.2))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(drawing_error)?;
        for (Curve { name, points, joined }, color) in curves.iter().zip(COLORS.iter().cycle()) {
            let style = color.stroke_width(4);
            let drawn = if *joined {
                let dots = if points.len() < 30 { 6 } else { 0 };
                chart.draw_series(LineSeries::new(points.iter().copied(), style).point_size(dots))
            } else {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 8, color.filled())))
            };
            let drawn = drawn.map_err(drawing_error)?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 36, y)], style));
        }
        if !legend {
            return Ok(());
        }
        chart
            .configure_series_labels()
            .position(free_corner(curves))
            .label_font(text(28, HPos::Left, VPos::Top))
            .legend_area_size(46)
            .draw()
            .map_err(drawing_error)
    }
}

/// The corner on the right that the ends of the curves leave free.
fn free_corner(curves: &[Curve]) -> SeriesLabelPosition {
    let range = range(curves, |point| point.1);
    let ends: Vec<f64> = curves.iter().filter_map(|curve| Some(curve.points.last()?.1)).collect();
    if ends.iter().sum::<f64>() / ends.len().max(1) as f64 > (range.start + range.end) / 2.0 {
        SeriesLabelPosition::LowerRight
    } else {
        SeriesLabelPosition::UpperRight
    }
}

/// From the smallest value to the largest, and a little beyond, so that a flat line has a range too; 0 to 1 where
/// there is no value.
fn range(curves: &[Curve], value: impl Fn(&(f64, f64)) -> f64) -> Range<f64> {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(&value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return 0.0..1.0;
    }
    let margin = 0.03 * (high - low);
    let margin = if margin > 0.0 { margin } else { 0.03 * high.abs().max(1.0) };
    low - margin..high + margin
}
