use super::svg::{self, COLORS, INK, drawing_error, text};
use crate::{Result, display::Display};
use anyhow::ensure;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A horizontal bar for each named value, from 0, with the value written behind it. `title` is what they show,
/// `data` the name of the data set, `unit` what follows the number: `" %"`, `" s"`, ….
///
/// # Errors
/// When there is no bar, or a value that is negative or no finite number.
pub fn bars(title: &str, data: &str, unit: &str, values: &[(impl AsRef<str>, f64)]) -> Result<Display> {
    ensure!(!values.is_empty(), "no bars to draw in \"{title}\"");
    let values: Vec<(&str, f64)> = values.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
    for (name, value) in &values {
        ensure!(
            value.is_finite() && *value >= 0.0,
            "the bar \"{name}\" is {value}, not a finite number from 0 up"
        );
    }
    let title = format!("{title} ({data})");
    let texts: Vec<String> = values.iter().map(|(_, value)| format!("{}{unit}", number(*value))).collect();
    let names: Vec<String> = values.iter().map(|(name, _)| shorten(name)).collect();
    let list: Vec<String> =
        values.iter().zip(&texts).map(|((name, _), text)| format!("{name} {text}")).collect();
    let alt = format!("{title}: {}", list.join("; "));

    let (width, height) = (640, 50 + ROW as u32 / 2 * values.len() as u32);
    let left = longest(&names) * LETTER + 40;
    let right = (2 * width as i32 - longest(&texts) * LETTER - 40).max(left + 1);
    let largest = values.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    // Beyond the palette colours would repeat, and mislead.
    let color = |at| COLORS[if values.len() > COLORS.len() { 0 } else { at }];
    svg::draw((width, height), &title, &alt, |area| {
        let mut top = TOP;
        for (at, (_, value)) in values.iter().enumerate() {
            let end = left + (f64::from(right - left) * (value / largest)).round() as i32;
            let (bottom, middle) = (top + ROW - GAP, top + (ROW - GAP) / 2);
            let bar = Rectangle::new([(left, top), (end, bottom)], color(at).filled());
            area.draw(&bar).map_err(drawing_error)?;
            let (before, behind) = (text(28, HPos::Right, VPos::Center), text(28, HPos::Left, VPos::Center));
            area.draw_text(&names[at], &before, (left - 14, middle)).map_err(drawing_error)?;
            area.draw_text(&texts[at], &behind, (end + 14, middle)).map_err(drawing_error)?;
            top += ROW;
        }
        let axis = PathElement::new([(left, TOP - GAP / 2), (left, top - GAP / 2)], INK.stroke_width(2));
        area.draw(&axis).map_err(drawing_error)
    })
}

/// Pixels of the drawing: from one bar to the next, between two, above the first, and for a letter.
const ROW: i32 = 60;
const GAP: i32 = 16;
const TOP: i32 = 80;
const LETTER: i32 = 15;

fn longest(texts: &[String]) -> i32 {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0) as i32
}

/// A name that leaves half the width to its bar.
fn shorten(name: &str) -> String {
    const LETTERS: usize = 40;
    match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
        None => name.to_string(),
    }
}

/// Four digits that mean something: `97.53`, `0.0812`, `0.1`, `60000`.
fn number(value: f64) -> String {
    let decimals = match value {
        value if value >= 1_000.0 => 0,
        value if value >= 100.0 => 1,
        value if value >= 1.0 => 2,
        _ => return format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').into(),
    };
    format!("{value:.decimals$}")
}
