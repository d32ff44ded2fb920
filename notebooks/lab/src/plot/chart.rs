//! Curves between two axes.

use super::axis::Axis;
use super::rows::shorten;
use super::svg::{Area, INK, drawing_error, text};
use super::{Curve, palette, thinning};
use crate::Result;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::ops::Range;

/// Curves between two axes. Their values are finite; there may be none.
pub struct Chart<'a> {
    /// What x and y mean.
    pub axes: [&'a str; 2],
    pub curves: &'a [Curve],
    /// The range of the x axis, if it is not that of the values: steps, which are whole numbers.
    pub x: Option<Range<f64>>,
    pub legend: bool,
    /// Whether equal distances on the y axis are equal ratios. All values of y are above 0 then.
    pub logarithmic: bool,
}

impl Chart<'_> {
    pub fn draw(self, area: &Area) -> Result<()> {
        let Chart { axes, curves, x, legend, logarithmic } = self;
        let longest = curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        let steps = x.as_ref().map_or(longest, |x| (x.end - x.start) as usize);
        // A label for each step if there are few of them, and no more than have room.
        let most = steps.clamp(1, if area.dim_in_pixel().0 < 1000 { 4 } else { 7 });
        let whole = x.is_some() || points(curves).all(|point| point.0.fract() == 0.0);
        let x = x
            .map_or_else(|| Axis::around(points(curves).map(|point| point.0)), |x| Axis::new(x.start, x.end));
        let scaled = |y: f64| if logarithmic { y.log10() } else { y };
        let y = Axis::around(points(curves).map(|point| scaled(point.1)));
        let y_ticks = if logarithmic { Ticks::logarithmic(y) } else { Ticks::new(y, 5, false) };
        let x_ticks = Ticks::new(x, most, whole);
        let mut chart = with_axes(area, axes, [x_ticks, y_ticks], INK.mix(0.2))?;
        let (width, height) = chart.plotting_area().dim_in_pixel();
        let size = (width as usize, height as usize);
        for (Curve { name, points, joined }, color) in curves.iter().zip(colors(curves)) {
            let style = color.stroke_width(4);
            let places: Vec<_> =
                points.iter().map(|point| (x.share(point.0), y.share(scaled(point.1)))).collect();
            let drawn = if *joined {
                let dots = if points.len() < 30 { 6 } else { 0 };
                chart.draw_series(LineSeries::new(thinning::line(&places, size.0), style).point_size(dots))
            } else {
                let places = thinning::dots(&places, size, 2 * RADIUS as usize);
                chart.draw_series(places.into_iter().map(|place| Circle::new(place, RADIUS, color.filled())))
            };
            let drawn = drawn.map_err(drawing_error)?;
            drawn.label(shorten(name)).legend(move |(x, y)| PathElement::new([(x, y), (x + 36, y)], style));
        }
        if !legend {
            return Ok(());
        }
        chart
            .configure_series_labels()
            .position(free_corner(curves, |value| y.share(scaled(value))))
            .label_font(text(28, HPos::Left, VPos::Top))
            .legend_area_size(46)
            .draw()
            .map_err(drawing_error)
    }
}

/// Two axes with their labels, what they mean beside them, and the lines of their grid.
pub fn with_axes<'a, 'b>(
    area: &'a Area<'b>,
    [x_meaning, y_meaning]: [&str; 2],
    [x, y]: [Ticks; 2],
    grid: RGBAColor,
) -> Result<ChartContext<'a, SVGBackend<'b>, Cartesian2d<Ticks, Ticks>>> {
    let left = (y.longest() * LETTER + 64).max(124);
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(84)
        .y_label_area_size(left)
        .build_cartesian_2d(x, y)
        .map_err(drawing_error)?;
    chart
        .configure_mesh()
        .x_desc(x_meaning)
        .y_desc(y_meaning)
        .label_style(text(26, HPos::Center, VPos::Center))
        .axis_desc_style(text(28, HPos::Center, VPos::Top))
        .axis_style(INK)
        .bold_line_style(grid)
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(drawing_error)?;
    Ok(chart)
}

/// In pixels of the drawing: the largest letters of a label, and the radius of a dot.
const LETTER: u32 = 15;
const RADIUS: i32 = 8;

/// A colour for each curve.
pub fn colors(curves: &[Curve]) -> Vec<RGBColor> {
    palette::of_curves(curves.iter().map(|curve| curve.name.as_str()))
}

fn points(curves: &[Curve]) -> impl Iterator<Item = (f64, f64)> + Clone {
    curves.iter().flat_map(|curve| curve.points.iter().copied())
}

/// The labels of an axis, by their positions from 0 to 1. The axes of plotters itself have no labels for the largest and the
/// smallest values.
pub struct Ticks(Vec<(f64, String)>);

impl Ticks {
    pub fn new(axis: Axis, most: usize, whole: bool) -> Self {
        Self(axis.ticks(most, whole).into_iter().map(|(value, label)| (axis.share(value), label)).collect())
    }

    /// For an axis of decimal logarithms.
    fn logarithmic(axis: Axis) -> Self {
        Self(axis.powers().into_iter().map(|(power, label)| (axis.share(power), label)).collect())
    }

    pub fn longest(&self) -> u32 {
        self.0.iter().map(|(_, label)| label.len() as u32).max().unwrap_or(0)
    }
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * place).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let labelled = !hint.weight().allow_light_points();
        self.0.iter().filter(|_| labelled).map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

impl ValueFormatter<f64> for Ticks {
    fn format(place: &f64) -> String {
        place.to_string()
    }

    fn format_ext(&self, place: &f64) -> String {
        let found = self.0.iter().find(|(own, _)| own == place);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// A line in its colour and its name for each curve, next to one another under a title of 70 pixels, in rows of 50 pixels. It covers
/// no curve, wherever they lie. Returns where the chart may begin.
pub fn legend(area: &Area, curves: &[Curve]) -> Result<i32> {
    const LINE: i32 = 36;
    const FIRST: i32 = 88;
    const ROW: i32 = 50;
    let letter = |c: char| if "mwMW".contains(c) { 25 } else { LETTER as i32 };
    let width = |name: &str| LINE + 10 + name.chars().map(letter).sum::<i32>() + 40;
    let room = area.dim_in_pixel().0 as i32;
    let mut rows: Vec<(i32, Vec<_>)> = Vec::new();
    for (name, color) in curves.iter().map(|curve| shorten(&curve.name)).zip(colors(curves)) {
        let wide = width(&name);
        match rows.last_mut() {
            Some((all, row)) if *all + wide <= room => {
                *all += wide;
                row.push((name, wide, color));
            }
            _ => rows.push((wide, vec![(name, wide, color)])),
        }
    }
    let mut height = FIRST;
    for (all, row) in rows {
        let mut left = (room - all).max(0) / 2;
        for (name, wide, color) in row {
            let line = PathElement::new([(left, height), (left + LINE, height)], color.stroke_width(4));
            area.draw(&line).map_err(drawing_error)?;
            let style = text(28, HPos::Left, VPos::Center);
            area.draw_text(&name, &style, (left + LINE + 10, height)).map_err(drawing_error)?;
            left += wide;
        }
        height += ROW;
    }
    Ok(height - 18)
}

/// The corner on the right that the ends of the curves leave free.
fn free_corner(curves: &[Curve], share: impl Fn(f64) -> f64) -> SeriesLabelPosition {
    let ends: Vec<f64> = curves.iter().filter_map(|curve| Some(share(curve.points.last()?.1))).collect();
    if ends.iter().sum::<f64>() / ends.len().max(1) as f64 > 0.5 {
        SeriesLabelPosition::LowerRight
    } else {
        SeriesLabelPosition::UpperRight
    }
}
