//! Colours for values.

use crate::Result;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};

/// Colours for values up to `most`, which is not negative.
#[derive(Clone, Copy)]
pub enum Colormap {
    /// Orange above 0, blue below, and the more transparent the nearer to 0, where the page shows through, light or dark.
    Signed { most: f32 },
    /// From dark violet at 0 to bright yellow.
    Rising { most: f32 },
}

/// Of Okabe and Ito's palette, which readers with colour blindness can tell apart; both have a contrast of at least 3:1
/// to white and to #111111.
const ABOVE: [u8; 3] = [0xd5, 0x5e, 0x00];
const BELOW: [u8; 3] = [0x00, 0x72, 0xb2];

/// Nine colours of viridis at equal distances, by Nathaniel Smith and Stéfan van der Walt for matplotlib (2015, CC0).
const VIRIDIS: [u32; 9] =
    [0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30, 0xfde725];

/// The number of steps of a scale on either side of 0, and so the index of 0.
const STEPS: f32 = 100.0;
const ZERO: u8 = 101;

/// The opacity is the value's fraction of the largest, to this power. A linear opacity would make small values invisible on
/// dark pages.
const OPACITY: f32 = 0.7;

impl Colormap {
    /// The colormap for the values: signed if one of them is negative.
    pub fn of(values: &[f32]) -> Self {
        let most = values.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        if values.iter().any(|&value| value < 0.0) { Self::Signed { most } } else { Self::Rising { most } }
    }

    pub fn signed(values: &[f32]) -> Self {
        Self::Signed { most: values.iter().fold(0.0, |most: f32, value| most.max(value.abs())) }
    }

    /// The ends of its scale.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::Signed { most } => (-most, most),
            Self::Rising { most } => (0.0, most),
        }
    }

    /// The index of the transparent colour in [`png`](Self::png).
    pub const BLANK: u8 = 0;

    /// The index of the colour of a value: one of a hundred steps on either side of 0, which fit into a byte.
    pub fn index(self, value: f32) -> u8 {
        let (_, most) = self.range();
        let share = if most > 0.0 { (value / most).clamp(-1.0, 1.0) } else { 0.0 };
        (ZERO as i32 + (share * STEPS).round() as i32) as u8
    }

    /// The colour of a value on a background.
    pub fn on(self, value: f32, background: [u8; 3]) -> [u8; 3] {
        let [r, g, b, opacity] = self.color(self.index(value));
        mixed(background, [r, g, b], f32::from(opacity) / 255.0)
    }

    /// A PNG file with these indices as its pixels, a byte each. No filter: the differences of neighbouring indices do not
    /// compress better.
    pub fn png(self, (width, height, indices): (u32, u32, Vec<u8>)) -> Result<Vec<u8>> {
        let last = indices.iter().copied().max().unwrap_or(Self::BLANK);
        let colors: Vec<[u8; 4]> = (0..=last).map(|index| self.color(index)).collect();
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width, height);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(colors.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect::<Vec<u8>>());
        encoder.set_trns(colors.iter().map(|color| color[3]).collect::<Vec<u8>>());
        encoder.set_filter(Filter::NoFilter);
        encoder.set_compression(Compression::High);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&indices)?;
        writer.finish()?;
        Ok(file)
    }

    /// Red, green, blue and opacity of an index.
    fn color(self, index: u8) -> [u8; 4] {
        let share = (f32::from(index) - f32::from(ZERO)) / STEPS;
        match self {
            _ if index == Self::BLANK => [0; 4],
            Self::Signed { .. } => {
                let [r, g, b] = if share < 0.0 { BELOW } else { ABOVE };
                [r, g, b, (255.0 * share.abs().powf(OPACITY)).round() as u8]
            }
            Self::Rising { .. } => {
                let at = share.max(0.0) * (VIRIDIS.len() - 1) as f32;
                let below = (at as usize).min(VIRIDIS.len() - 2);
                let ends = [VIRIDIS[below], VIRIDIS[below + 1]].map(|color| {
                    let [_, r, g, b] = color.to_be_bytes();
                    [r, g, b]
                });
                let [r, g, b] = mixed(ends[0], ends[1], at - below as f32);
                [r, g, b, 255]
            }
        }
    }
}

/// From `a` at 0 to `b` at 1.
fn mixed(a: [u8; 3], b: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|at| {
        let (a, b) = (f32::from(a[at]), f32::from(b[at]));
        (a + share * (b - a)).round() as u8
    })
}
