//! Means and variances of channels.

use crate::planes::Planes;
use crate::sums::{sum, sums};

/// Mean and variance of a channel.
#[derive(Clone, Copy)]
pub struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    /// The mean as a number that can be subtracted from an `f32`, and the rest of it.
    pub fn near(&self) -> (f32, f64) {
        let near = self.mean as f32;
        (near, self.mean - f64::from(near))
    }
}

/// Of each channel.
pub fn moments(planes: &Planes, x: &[f32]) -> Vec<Moments> {
    planes.each(
        #[inline(always)]
        |channel| {
            let mut channel = planes.of(x, channel).peekable();
            // Deviations from a number that is likely to be near the mean: their squares are small, and no digits are lost.
            let near = channel.peek().map_or(0.0, |plane| sum([plane], |[x]| x) / planes.len as f64) as f32;
            let (mut deviation, mut square) = (0.0, 0.0);
            for plane in channel {
                let [deviations, squares] = sums([plane], |[x]| [x - near, (x - near) * (x - near)]);
                deviation += deviations;
                square += squares;
            }
            let off = deviation / planes.of_channel;
            let variance = square / planes.of_channel - off * off;
            // NaN propagates.
            let variance = if variance < 0.0 { 0.0 } else { variance };
            Moments { mean: f64::from(near) + off, variance }
        },
    )
}
