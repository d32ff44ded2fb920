//! Rows over one axis, which bar and dot charts are made of.

use super::axis::Axis;
use super::palette;
use super::svg::{self, Area, INK, drawing_error, text};
use crate::number::{fixed, significant};
use crate::{Result, display::Display};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::HashSet;

/// Named rows over one horizontal axis, each with a text after it.
pub struct Rows {
    title: String,
    /// What the bars of errors are, if there are any.
    caption: Option<String>,
    rows: Vec<(String, Vec<f64>)>,
    unit: String,
    /// The digits after the point, if they do not follow from the numbers.
    decimals: Option<usize>,
    colors: Vec<RGBColor>,
    /// Whether there are numbers below the axis.
    ticks: bool,
    /// Whether there is more room between two frameworks than between two rows of one.
    grouped: bool,
}

impl Rows {
    /// The mean is written after a row and, if there are several values, their standard deviation, in `unit`. If each row has
    /// one value and all are whole numbers, they are written as such.
    pub fn new(title: &str, data: &str, unit: &str, rows: &[(impl AsRef<str>, Vec<f64>)]) -> Self {
        let rows: Vec<_> =
            rows.iter().map(|(name, values)| (name.as_ref().to_string(), values.clone())).collect();
        Self {
            title: format!("{title} ({data})"),
            caption: caption(rows.iter().map(|(_, values)| values.len())),
            unit: unit.into(),
            decimals: None,
            colors: palette::of_rows(rows.iter().map(|(name, _)| name.as_str())),
            rows,
            ticks: false,
            grouped: false,
        }
    }

    /// Writes numbers below the axis.
    pub fn with_ticks(self) -> Self {
        Self { ticks: true, ..self }
    }

    /// Writes all numbers with so many digits after the point.
    pub fn with_decimals(self, decimals: usize) -> Self {
        Self { decimals: Some(decimals), ..self }
    }

    /// Draws the rows of each framework next to each other, in the order of the first.
    pub fn grouped(mut self) -> Self {
        let families: Vec<&str> = self.rows.iter().map(|(name, _)| palette::family(name)).collect();
        let first = |family| families.iter().position(|other| *other == family);
        let mut order: Vec<usize> = (0..families.len()).collect();
        order.sort_by_key(|&at| first(families[at]));
        self.rows = order.iter().map(|&at| self.rows[at].clone()).collect();
        self.colors = order.iter().map(|&at| self.colors[at]).collect();
        self.grouped = true;
        self
    }

    /// Draws each row with `draw` over `axis`.
    pub fn draw(&self, axis: Axis, draw: impl Fn(&Row, &[f64]) -> Result<()>) -> Result<Display> {
        let first = TOP + if self.caption.is_some() { CAPTION } else { 0 };
        let tops = self.tops(first);
        let bottom = tops.last().map_or(first, |top| top + ROW - GAP / 2);
        let below = if self.ticks { ROW } else { GAP / 2 };
        let (width, height) = (640, (bottom + below + MARGIN) as u32 / 2);
        let names: Vec<String> = self.rows.iter().map(|(name, _)| shorten(name)).collect();
        let texts = self.texts();
        let left = longest(names.iter()) * LETTER + 40;
        let right = (2 * width as i32 - longest(texts.iter()) * LETTER - 40).max(left + 1);
        let scale = Scale { left, right, axis };
        svg::draw((width, height), &self.title, &self.alt(&texts), |area| {
            if let Some(caption) = &self.caption {
                let style = text(24, HPos::Center, VPos::Top);
                area.draw_text(caption, &style, (width as i32, TOP - CAPTION + 6)).map_err(drawing_error)?;
            }
            if self.ticks {
                scale.draw_ticks(area, (first - GAP / 2, bottom), &self.unit)?;
            }
            for (at, (_, values)) in self.rows.iter().enumerate() {
                let row = Row { area, scale: &scale, top: tops[at], color: self.colors[at] };
                draw(&row, values)?;
                let (before, behind) =
                    (text(28, HPos::Right, VPos::Center), text(28, HPos::Left, VPos::Center));
                let end = if self.ticks { right } else { row.end(values) };
                area.draw_text(&names[at], &before, (left - 14, row.middle())).map_err(drawing_error)?;
                area.draw_text(&texts[at], &behind, (end + 14, row.middle())).map_err(drawing_error)?;
            }
            line(area, [(left, first - GAP / 2), (left, bottom)], INK, 2)
        })
    }

    /// Where each row begins.
    fn tops(&self, first: i32) -> Vec<i32> {
        let families = self.rows.iter().map(|(name, _)| palette::family(name));
        let mut before = None;
        let mut top = first;
        families
            .map(|family| {
                if let Some(before) = before {
                    top += ROW + if self.grouped && before != family { GAP } else { 0 };
                }
                before = Some(family);
                top
            })
            .collect()
    }

    /// What is written after each row.
    fn texts(&self) -> Vec<String> {
        let counts =
            self.rows.iter().all(|(_, values)| matches!(values[..], [count] if count.fract() == 0.0));
        let text = |values: &[f64]| match (values, self.decimals) {
            (_, Some(decimals)) => fixed_mean_and_deviation(values, decimals),
            ([count], None) if counts => significant(*count, 0),
            _ => mean_and_deviation(values),
        };
        self.rows.iter().map(|(_, values)| format!("{}{}", text(values), self.unit)).collect()
    }

    /// The same in words.
    fn alt(&self, texts: &[String]) -> String {
        let caption = self.caption.iter().map(|caption| format!(", {caption}"));
        let list = self.rows.iter().zip(texts).map(|((name, _), text)| format!("{name} {text}"));
        let list: Vec<String> = list.collect();
        format!("{}{}: {}", self.title, caption.collect::<String>(), list.join("; "))
    }
}

/// What the error bars are of rows with so many values, if there are any.
fn caption(counts: impl Iterator<Item = usize> + Clone) -> Option<String> {
    let several = counts.filter(|count| *count > 1);
    let (least, most) = (several.clone().min()?, several.max()?);
    let range = if least == most { most.to_string() } else { format!("{least} to {most}") };
    Some(format!("± one standard deviation of {range} seeds"))
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

    /// The error bar of several values in the middle of the row: from a standard deviation below the mean to one above it.
    pub fn deviation(&self, values: &[f64]) -> Result<()> {
        self.error_bar(values, self.middle(), false)
    }

    /// The same below the dots, with a square at the mean.
    pub fn mean_and_deviation(&self, values: &[f64]) -> Result<()> {
        self.error_bar(values, self.top + BELOW, true)
    }

    fn error_bar(&self, values: &[f64], y: i32, squared: bool) -> Result<()> {
        let Some(ends) = deviations(values) else { return Ok(()) };
        let [low, high] = ends.map(|end| self.scale.at(end).max(self.scale.left));
        line(self.area, [(low, y), (high, y)], INK, 3)?;
        for x in [low, high] {
            line(self.area, [(x, y - 7), (x, y + 7)], INK, 3)?;
        }
        if squared {
            let x = self.scale.at(mean(values));
            let square = Rectangle::new([(x - 5, y - 5), (x + 5, y + 5)], INK.filled());
            self.area.draw(&square).map_err(drawing_error)?;
        }
        Ok(())
    }

    /// A dot at each value; values at the same position share one.
    pub fn dots(&self, values: &[f64]) -> Result<()> {
        let mut drawn = HashSet::new();
        let places = values.iter().map(|value| self.scale.at(*value)).filter(|x| drawn.insert(*x));
        for x in places {
            let y = if values.len() > 1 { self.top + ABOVE } else { self.middle() };
            let dot = Circle::new((x, y), 9, self.color.filled());
            self.area.draw(&dot).map_err(drawing_error)?;
        }
        Ok(())
    }

    fn middle(&self) -> i32 {
        self.top + (ROW - GAP) / 2
    }

    /// The position of the text after the values.
    fn end(&self, values: &[f64]) -> i32 {
        self.scale.at(deviations(values).map_or(mean(values), |[_, high]| high))
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
    fn draw_ticks(&self, area: &Area, (top, bottom): (i32, i32), unit: &str) -> Result<()> {
        for (value, label) in self.axis.ticks(4, false) {
            let x = self.at(value);
            let style = INK.mix(0.2).stroke_width(1);
            area.draw(&PathElement::new([(x, top), (x, bottom)], style)).map_err(drawing_error)?;
            let below = text(26, HPos::Center, VPos::Top);
            area.draw_text(&format!("{label}{unit}"), &below, (x, bottom + 10)).map_err(drawing_error)?;
        }
        Ok(())
    }
}

fn line(area: &Area, ends: [(i32, i32); 2], color: RGBColor, width: u32) -> Result<()> {
    area.draw(&PathElement::new(ends, color.stroke_width(width))).map_err(drawing_error)
}

/// Pixels of the drawing: from one row to the next, between two, above the first, below the last, and for a letter.
const ROW: i32 = 60;
const GAP: i32 = 16;
const TOP: i32 = 80;
const MARGIN: i32 = 20;
const LETTER: i32 = 15;
/// Of a caption, and in a row from its top to its dots, and to the error bar below them.
const CAPTION: i32 = 34;
const ABOVE: i32 = 12;
const BELOW: i32 = 35;

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

/// The same with so many digits after the point.
fn fixed_mean_and_deviation(values: &[f64], decimals: usize) -> String {
    let deviation = deviation(values).map(|deviation| format!(" ± {}", fixed(deviation, decimals)));
    fixed(mean(values), decimals) + &deviation.unwrap_or_default()
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

/// The ends of an error bar: a standard deviation below the mean and one above it.
pub fn deviations(values: &[f64]) -> Option<[f64; 2]> {
    let (mean, deviation) = (mean(values), deviation(values)?);
    Some([mean - deviation, mean + deviation].map(|end| end.clamp(f64::MIN, f64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_bars_are_the_standard_deviation_of_a_sample() {
        // Deviations of -2, -1, 0, 0 and 3: 14 / 4 is the variance.
        let values = [1.0, 2.0, 3.0, 3.0, 6.0];
        let [low, high] = deviations(&values).unwrap();
        let expected = 3.5_f64.sqrt();
        assert!((low - (3.0 - expected)).abs() < 1e-12 && (high - (3.0 + expected)).abs() < 1e-12);
        assert_eq!(mean_and_deviation(&values), "3.00 ± 1.87");
        assert_eq!(deviations(&[98.71]), None, "a single value has none");
        assert_eq!(deviations(&[0.5, 0.5]), Some([0.5, 0.5]));
        assert_eq!(deviations(&[f64::MAX, 0.0, f64::MAX]).unwrap()[1], f64::MAX);
    }

    #[test]
    fn the_caption_says_what_the_error_bars_are_and_of_how_many_seeds() {
        let caption = |counts: &[usize]| caption(counts.iter().copied());
        assert_eq!(caption(&[3, 3]).unwrap(), "± one standard deviation of 3 seeds");
        assert_eq!(caption(&[3, 1, 5]).unwrap(), "± one standard deviation of 3 to 5 seeds");
        assert_eq!(caption(&[1, 1]), None);
    }
}
