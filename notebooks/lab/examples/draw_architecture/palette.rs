//! A palette of at most 256 colours, which all frames share.

use std::collections::HashMap;

/// At most 256 colours, and the nearest of them for each colour of the frames.
pub struct Palette {
    pub colors: Vec<[u8; 3]>,
    nearest: HashMap<[u8; 3], u8>,
}

impl Palette {
    /// Takes frequent colours first, and skips those within some distance of one that is taken. The distance grows until all
    /// colours are covered.
    pub fn of<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> Self {
        let mut counts: HashMap<[u8; 3], u32> = HashMap::new();
        pixels.for_each(|pixel| *counts.entry(*pixel).or_default() += 1);
        let mut frequent: Vec<([u8; 3], u32)> = counts.into_iter().collect();
        frequent.sort_by_key(|&(color, count)| (std::cmp::Reverse(count), color));
        let mut near = 0;
        let colors = loop {
            let mut taken: Vec<[u8; 3]> = Vec::new();
            for (color, _) in &frequent {
                if taken.len() <= 256 && taken.iter().all(|other| distance(color, other) > near) {
                    taken.push(*color);
                }
            }
            if taken.len() <= 256 {
                break taken;
            }
            near += 4;
        };
        let index = |color: &[u8; 3]| {
            let indices = 0..colors.len();
            indices.min_by_key(|&index| distance(color, &colors[index])).unwrap_or(0) as u8
        };
        let nearest = frequent.iter().map(|(color, _)| (*color, index(color))).collect();
        Self { colors, nearest }
    }

    pub fn index(&self, color: &[u8; 3]) -> u8 {
        self.nearest[color]
    }
}

/// The squared distance of two colours.
fn distance(a: &[u8; 3], b: &[u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
}
