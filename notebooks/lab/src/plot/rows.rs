//! Rows over one axis, which bar and dot charts are made of.

use super::axis::Axis;
use super::svg::{self, Area, COLORS, INK, drawing_error, text};
use crate::number::{fixed, significant};
use crate::{Result, display::Display};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::HashSet;

/// Named rows over one horizontal axis, each with a text after it.
pub struct Rows {
    title: String,
    alt: String,
    rows: Vec<(String, Vec<f64>)>,
    texts: Vec<String>,
    colors: Vec<RGBColor>,
    /// The unit after the numbers of the axis, if it has numbers.
    ticks: Option<String>,
}

impl Rows {
    /// The mean is written after a row and, if there are several values, their standard deviation, in `unit`. If each row has
    /// one value and all are whole numbers, they are written as such.
    pub fn new(title: &str, data: &str, unit: &str, rows: &[(impl AsRef<str>, Vec<f64>)]) -> Self {
        let title = format!("{title} ({data})");
        let counts = rows.iter().all(|(_, values)| matches!(values[..], [count] if count.fract() == 0.0));
        let text = |values: &[f64]| match values {
            [count] if counts => significant(*count, 0),
            _ => mean_and_deviation(values),
        };
        let texts = rows.iter().map(|(_, values)| format!("{}{unit}", text(values)));
        let texts: Vec<String> = texts.collect();
        let list: Vec<String> =
            rows.iter().zip(&texts).map(|((name, _), text)| format!("{} {text}", name.as_ref())).collect();
        let alt = format!("{title}: {}", list.join("; "));
        let colors = colors(rows.iter().map(|(name, _)| name.as_ref()));
        let rows = rows.iter().map(|(name, values)| (shorten(name.as_ref()), values.clone())).collect();
        Self { title, alt, rows, texts, colors, ticks: None }
    }

    /// Writes numbers below the axis, followed by `unit`.
    pub fn with_ticks(self, unit: &str) -> Self {
        Self { ticks: Some(unit.into()), ..self }
    }

    /// Draws each row with `draw` over `axis`.
    pub fn draw(&self, axis: Axis, draw: impl Fn(&Row, &[f64]) -> Result<()>) -> Result<Display> {
        let below = if self.ticks.is_some() { ROW as u32 } else { 0 };
        let (width, height) = (640, 50 + (ROW as u32 * self.rows.len() as u32 + below) / 2);
        let left = longest(self.rows.iter().map(|(name, _)| name)) * LETTER + 40;
        let right = (2 * width as i32 - longest(self.texts.iter()) * LETTER - 40).max(left + 1);
        let scale = Scale { left, right, axis };
        svg::draw((width, height), &self.title, &self.alt, |area| {
            let bottom = TOP + ROW * self.rows.len() as i32 - GAP / 2;
            if let Some(unit) = &self.ticks {
                scale.draw_ticks(area, bottom, unit)?;
            }
            for (at, (name, values)) in self.rows.iter().enumerate() {
                let top = TOP + ROW * at as i32;
                let row = Row { area, scale: &scale, top, color: self.colors[at] };
                draw(&row, values)?;
                let (before, behind) =
                    (text(28, HPos::Right, VPos::Center), text(28, HPos::Left, VPos::Center));
                let end = if self.ticks.is_some() { right } else { row.end(values) };
                area.draw_text(name, &before, (left - 14, row.middle())).map_err(drawing_error)?;
                area.draw_text(&self.texts[at], &behind, (end + 14, row.middle())).map_err(drawing_error)?;
            }
            line(area, [(left, TOP - GAP / 2), (left, bottom)], INK, 2)
        })
    }
}

/// One row, to be drawn.
pub struct Row<'a, 'b> {
    area: &'a Area<'b>,
    scale: &'a Scale,
    top: i32,
    color: RGBColor,
}

impl Row<'_, '_> {
    /// A bar from the axis to `value`.
    pub fn bar(&self, value: f64) -> Result<()> {
        let ends = [(self.scale.left, self.top), (self.scale.at(value), self.top + ROW - GAP)];
        self.area.draw(&Rectangle::new(ends, self.color.filled())).map_err(drawing_error)
    }

    /// A line from the smallest to the largest value, with its ends marked.
    pub fn span(&self, values: &[f64]) -> Result<()> {
        let (low, high) = (fold(values, f64::min), fold(values, f64::max));
        let (low, high, middle) = (self.scale.at(low), self.scale.at(high), self.middle());
        line(self.area, [(low, middle), (high, middle)], INK, 3)?;
        [low, high].into_iter().try_for_each(|x| line(self.area, [(x, middle - 9), (x, middle + 9)], INK, 3))
    }

    /// A line across the row at `value`.
    pub fn mean(&self, value: f64) -> Result<()> {
        let x = self.scale.at(value);
        line(self.area, [(x, self.top + 4), (x, self.top + ROW - GAP - 4)], INK, 3)
    }

    /// A dot at each value; values at the same position share one.
    pub fn dots(&self, values: &[f64]) -> Result<()> {
        let mut drawn = HashSet::new();
        let places = values.iter().map(|value| self.scale.at(*value)).filter(|x| drawn.insert(*x));
        for x in places {
            let dot = Circle::new((x, self.middle()), 9, self.color.filled());
            self.area.draw(&dot).map_err(drawing_error)?;
        }
        Ok(())
    }

    fn middle(&self) -> i32 {
        self.top + (ROW - GAP) / 2
    }

    /// The position of the text after the values.
    fn end(&self, values: &[f64]) -> i32 {
        self.scale.at(fold(values, f64::max))
    }
}

/// Maps values to positions on the horizontal axis.
struct Scale {
    left: i32,
    right: i32,
    axis: Axis,
}

impl Scale {
    fn at(&self, value: f64) -> i32 {
        self.left + (f64::from(self.right - self.left) * self.axis.share(value)).round() as i32
    }

    /// Round numbers below the rows, and a faint line above each of them.
    fn draw_ticks(&self, area: &Area, bottom: i32, unit: &str) -> Result<()> {
        for (value, label) in self.axis.ticks(4, false) {
            let x = self.at(value);
            let style = INK.mix(0.2).stroke_width(1);
            area.draw(&PathElement::new([(x, TOP - GAP / 2), (x, bottom)], style)).map_err(drawing_error)?;
            let below = text(26, HPos::Center, VPos::Top);
            area.draw_text(&format!("{label}{unit}"), &below, (x, bottom + 10)).map_err(drawing_error)?;
        }
        Ok(())
    }
}

fn line(area: &Area, ends: [(i32, i32); 2], color: RGBColor, width: u32) -> Result<()> {
    area.draw(&PathElement::new(ends, color.stroke_width(width))).map_err(drawing_error)
}

fn fold(values: &[f64], of_two: fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().reduce(of_two).unwrap_or(0.0)
}

/// A colour for each name, by what stands before its colon; beyond the palette colours would repeat, and mislead.
fn colors<'a>(names: impl Iterator<Item = &'a str>) -> Vec<RGBColor> {
    let mut groups = Vec::new();
    let places: Vec<usize> = names
        .map(|name| {
            let group = name.split(':').next().unwrap_or(name);
            let place = groups.iter().position(|present| *present == group);
            place.unwrap_or_else(|| {
                groups.push(group);
                groups.len() - 1
            })
        })
        .collect();
    places.into_iter().map(|place| COLORS[if groups.len() > COLORS.len() { 0 } else { place }]).collect()
}

/// Pixels of the drawing: from one row to the next, between two, above the first, and for a letter.
const ROW: i32 = 60;
const GAP: i32 = 16;
const TOP: i32 = 80;
const LETTER: i32 = 15;

fn longest<'a>(texts: impl Iterator<Item = &'a String>) -> i32 {
    texts.map(|text| text.chars().count()).max().unwrap_or(0) as i32
}

/// A name that leaves half the width of a drawing to something else.
pub fn shorten(name: &str) -> String {
    const LETTERS: usize = 40;
    match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
        None => name.to_string(),
    }
}

/// The mean followed by the standard deviation of a single value; just the value if there is only one.
fn mean_and_deviation(values: &[f64]) -> String {
    let mean = mean(values);
    let decimals = decimals(mean);
    let text = significant(mean, decimals);
    let is_fixed = !text.contains('e');
    match deviation(values) {
        // As many digits as the mean has, also where they are all 0.
        Some(deviation) if is_fixed => format!("{text} ± {}", fixed(deviation, decimals)),
        Some(deviation) => format!("{text} ± {}", significant(deviation, decimals)),
        None if is_fixed && decimals > 2 => text.trim_end_matches('0').trim_end_matches('.').into(),
        None => text,
    }
}

/// How many digits after the point give four significant digits: `97.53`, `0.0812`, `60000`.
fn decimals(value: f64) -> usize {
    match value.abs() {
        value if value >= 1_000.0 => 0,
        value if value >= 100.0 => 1,
        value if value >= 1.0 => 2,
        _ => 4,
    }
}

/// The arithmetic mean.
pub fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    // The sum of large values may be infinite, while their mean is not.
    if sum.is_finite() { sum / n } else { values.iter().map(|value| value / n).sum() }
}

/// The standard deviation of a sample (divided by n - 1), if there are two values or more.
fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    // The square of a large deviation may overflow, and that of a small one be 0; those of their ratios to the largest do
    // neither.
    let most = values.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
    let ratio = |value: &f64| if most > 0.0 { (value - mean) / most } else { 0.0 };
    let squares: f64 = values.iter().map(|value| ratio(value).powi(2)).sum();
    (values.len() > 1).then(|| most * (squares / (values.len() - 1) as f64).sqrt())
}
