//! Frames for animations of feature maps.

use super::colormap::Colormap;
use super::maps::Maps;
use super::sheet::{Caption, GAP, Sheet};
use crate::Result;
use anyhow::ensure;
use candle_core::Tensor;
use image::{Rgb, RgbImage};

/// A frame of an animation for each tensor of `steps`: its maps `[n, height, width]` on black, each over a bar whose length is
/// its norm, the root of the sum of its squares. Colours (those of [`maps`](super::maps)) and bars have the same scale in all
/// frames. Errors name them by `title`.
///
/// # Errors
/// Those of [`maps`](super::maps), and when there are no steps, or their shapes differ.
pub fn frames(title: &str, steps: &[Tensor]) -> Result<Vec<RgbImage>> {
    ensure!(!steps.is_empty(), "no steps to draw in \"{title}\"");
    let first = steps[0].dims();
    for (at, step) in steps.iter().enumerate() {
        let shape = step.dims();
        ensure!(
            shape == first,
            "step {at} of \"{title}\" has the shape {shape:?}, but the first has {first:?}"
        );
    }
    let steps: Vec<Maps> = steps.iter().map(|step| Maps::new(title, step)).collect::<Result<_>>()?;
    let values: Vec<f32> = steps.iter().flat_map(|step| step.values.iter().copied()).collect();
    let colormap = Colormap::of(&values);
    let longest = steps.iter().flat_map(|step| step.each().map(norm)).fold(0.0, f64::max);
    Ok(steps.iter().map(|step| frame(step, colormap, longest)).collect())
}

const BLACK: [u8; 3] = [0x11; 3];
const TRACK: [u8; 3] = [0x40; 3];
const BAR: [u8; 3] = [0xdd; 3];

fn frame(maps: &Maps, colormap: Colormap, longest: f64) -> RgbImage {
    // The bars take the place of the captions of a sheet.
    let room: Vec<Caption> = maps.each().map(|_| Caption { text: "-".into(), framed: false }).collect();
    let sheet = Sheet::fitting(maps.size, &room);
    let (width, height) = sheet.size();
    let mut frame = RgbImage::from_pixel((width + GAP) as u32, (height + GAP) as u32, Rgb(BLACK));
    let mut fill = |left: usize, top: usize, width: usize, height: usize, color| {
        for y in top..top + height {
            for x in left..left + width {
                frame.put_pixel((GAP + x) as u32, (GAP + y) as u32, Rgb(color));
            }
        }
    };
    for (at, map) in maps.each().enumerate() {
        let (left, top, zoom) = sheet.place(at);
        for (place, &value) in map.iter().enumerate() {
            let (x, y) = (place % maps.size.0, place / maps.size.0);
            fill(left + x * zoom, top + y * zoom, zoom, zoom, colormap.on(value, BLACK));
        }
        let (side, below) = (maps.size.0 * zoom, top + maps.size.1 * zoom + 4);
        let share = if longest > 0.0 { norm(map) / longest } else { 0.0 };
        fill(left, below, side, 5, TRACK);
        fill(left, below, (side as f64 * share).round() as usize, 5, BAR);
    }
    frame
}

/// The norm, computed in `f64`, since the square of a large `f32` overflows.
pub fn norm(map: &[f32]) -> f64 {
    map.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}
