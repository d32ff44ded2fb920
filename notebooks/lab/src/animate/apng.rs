//! Animated PNG files.

use crate::{Result, check_interrupt};
use image::{Rgb, RgbImage};
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use std::collections::HashMap;

/// An animated PNG of frames of one size, repeated for ever, each shown for `seconds`. Every frame is complete, so that it can
/// be cut out. A single frame is an ordinary PNG.
///
/// The file is lossless. If all frames together have at most 256 colours, it has a palette, which takes a third of the space.
pub fn encode(frames: &[RgbImage], seconds: f64) -> Result<Vec<u8>> {
    let (width, height) = frames.first().map_or((0, 0), RgbImage::dimensions);
    let palette = Palette::of(frames);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    match &palette {
        Some(palette) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette.colors.concat());
            // Neighbouring indices of a palette are unrelated, so a filter would not help.
            encoder.set_filter(Filter::NoFilter);
        }
        None => {
            encoder.set_color(ColorType::Rgb);
            encoder.set_filter(Filter::Adaptive);
        }
    }
    if frames.len() > 1 {
        encoder.set_animated(u32::try_from(frames.len())?, 0)?;
        encoder.set_frame_delay((seconds * 1000.0).round() as u16, 1000)?;
    }
    let mut writer = encoder.write_header()?;
    for frame in frames {
        check_interrupt()?;
        match &palette {
            Some(palette) => writer.write_image_data(&palette.indices(frame))?,
            None => writer.write_image_data(frame.as_raw())?,
        }
    }
    writer.finish()?;
    Ok(file)
}

struct Palette {
    colors: Vec<[u8; 3]>,
    index: HashMap<[u8; 3], u8>,
}

impl Palette {
    /// The colours of the frames in order of appearance, unless there are more than 256.
    fn of(frames: &[RgbImage]) -> Option<Self> {
        let mut palette = Self { colors: Vec::new(), index: HashMap::new() };
        let mut previous = None;
        for Rgb(color) in frames.iter().flat_map(|frame| frame.pixels()) {
            // Most pixels equal the one before, and need no search.
            if previous.replace(color) != Some(color) && !palette.index.contains_key(color) {
                palette.index.insert(*color, u8::try_from(palette.colors.len()).ok()?);
                palette.colors.push(*color);
            }
        }
        Some(palette)
    }

    fn indices(&self, frame: &RgbImage) -> Vec<u8> {
        let (mut color, mut index) = (self.colors[0], 0);
        let index_of = |pixel: &Rgb<u8>| {
            if pixel.0 != color {
                (color, index) = (pixel.0, self.index[&pixel.0]);
            }
            index
        };
        frame.pixels().map(index_of).collect()
    }
}
