//! A calm palette: one colour for each kind of layer, blue for values, orange for what to look at and for weights above 0.

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color(pub u8, pub u8, pub u8);

pub const BACKGROUND: Color = Color(0xfb, 0xfb, 0xf9);
pub const INK: Color = Color(0x1d, 0x2a, 0x35);
pub const MUTED: Color = Color(0x5c, 0x69, 0x75);
pub const LINE: Color = Color(0xb9, 0xc3, 0xcc);
pub const FAINT: Color = Color(0xdf, 0xe5, 0xea);
pub const FOCUS: Color = Color(0xdb, 0x5a, 0x1f);

pub const INPUT: Color = Color(0x4a, 0x5a, 0x68);
pub const CONVOLUTION: Color = Color(0x2b, 0x6c, 0xb0);
pub const POOL: Color = Color(0x1f, 0x8a, 0x70);
pub const VECTOR: Color = Color(0x7a, 0x5a, 0xa6);
pub const DENSE: Color = Color(0xa8, 0x6a, 0x10);
pub const DROPPED: Color = Color(0xf3, 0xd3, 0xc4);

/// What stands for 0, and for 1 or more.
const ZERO: Color = Color(0xec, 0xf0, 0xf4);
const ONE: Color = Color(0x10, 0x2a, 0x4c);
const BETWEEN: Color = Color(0x4b, 0x8f, 0xc9);

/// So many shades from 0 to 1: few enough for a palette, too many to be seen.
const SHADES: f32 = 24.0;

impl Color {
    /// This colour with a part of another in it, 0 to 1.
    pub fn mix(self, other: Color, part: f32) -> Color {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * part).round() as u8;
        Color(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// A value from 0 to 1: the darker, the larger.
    pub fn of_value(value: f32) -> Color {
        let value = (value.clamp(0.0, 1.0) * SHADES).round() / SHADES;
        if value < 0.5 { ZERO.mix(BETWEEN, 2.0 * value) } else { BETWEEN.mix(ONE, 2.0 * value - 1.0) }
    }

    /// A weight from -1 to 1: orange above 0 and blue below, as in the maps of `lab::plot`.
    pub fn of_weight(weight: f32) -> Color {
        let part = (weight.abs().min(1.0) * SHADES / 2.0).round() / SHADES * 2.0;
        let end = if weight < 0.0 { CONVOLUTION } else { Color(0xd5, 0x5e, 0x00) };
        Color(0xf4, 0xf4, 0xf2).mix(end, part)
    }

    /// Ink that can be read on this colour.
    pub fn ink(self) -> Color {
        let light = 0.3 * f32::from(self.0) + 0.59 * f32::from(self.1) + 0.11 * f32::from(self.2);
        if light < 140.0 { Color(255, 255, 255) } else { INK }
    }
}
