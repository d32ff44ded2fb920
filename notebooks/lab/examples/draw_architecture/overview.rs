//! The network as a row of blocks.

use crate::canvas::{Anchor, Canvas, bold, plain};
use crate::colors::{BACKGROUND, CONVOLUTION, Color, DENSE, INK, INPUT, LINE, MUTED, POOL, VECTOR};

/// A layer, as it is drawn and named.
pub struct Layer {
    pub name: &'static str,
    pub shape: &'static str,
    pub parameters: &'static str,
    pub color: Color,
    /// Rows and columns, and channels, in pixels.
    side: f32,
    depth: f32,
}

pub const LAYERS: [Layer; 8] = [
    layer("Input", "28 × 28 × 1", "", INPUT, 56.0, 2.0),
    layer("Conv 3 × 3", "26 × 26 × 32", "320", CONVOLUTION, 52.0, 16.0),
    layer("Max pool", "13 × 13 × 32", "", POOL, 26.0, 16.0),
    layer("Conv 3 × 3", "11 × 11 × 64", "18,496", CONVOLUTION, 22.0, 32.0),
    layer("Max pool", "5 × 5 × 64", "", POOL, 10.0, 32.0),
    layer("Flatten", "1,600", "", VECTOR, 0.0, 0.0),
    layer("Dropout 0.5", "1,600", "", VECTOR, 0.0, 0.0),
    layer("Dense", "10", "16,010", DENSE, 0.0, 0.0),
];

const fn layer(
    name: &'static str,
    shape: &'static str,
    parameters: &'static str,
    color: Color,
    side: f32,
    depth: f32,
) -> Layer {
    Layer { name, shape, parameters, color, side, depth }
}

/// Where the row stands, and how large it is.
pub struct Row {
    /// The middle of the first and of the last block.
    pub from: f32,
    pub to: f32,
    /// The line on which the blocks' middles stand, and the baseline of the names.
    pub middle: f32,
    pub names: f32,
    pub scale: f32,
}

impl Row {
    /// The middle of a block.
    pub fn x(&self, index: usize) -> f32 {
        self.from + (self.to - self.from) * index as f32 / (LAYERS.len() - 1) as f32
    }

    /// Draws the layers: those before `current` in colour, it itself strongly, those after it as mere outlines.
    pub fn draw(&self, canvas: &mut Canvas, current: usize) {
        for (index, layer) in LAYERS.iter().enumerate() {
            let x = self.x(index);
            let (fill, edge) = match index.cmp(&current) {
                std::cmp::Ordering::Less => {
                    (layer.color.mix(BACKGROUND, 0.62), layer.color.mix(BACKGROUND, 0.25))
                }
                std::cmp::Ordering::Equal => (layer.color.mix(BACKGROUND, 0.15), layer.color.mix(INK, 0.45)),
                std::cmp::Ordering::Greater => (BACKGROUND, LINE),
            };
            match index {
                5..7 => self.vector(canvas, x, fill, edge, index == 6),
                7 => self.neurons(canvas, x, fill, edge),
                _ => self.block(canvas, x, layer, fill, edge),
            }
            let (name, shape) = match index.cmp(&current) {
                std::cmp::Ordering::Less => (plain(13.0, INK), plain(13.0, MUTED)),
                std::cmp::Ordering::Equal => (bold(13.0, layer.color.mix(INK, 0.2)), plain(13.0, INK)),
                std::cmp::Ordering::Greater => {
                    (plain(13.0, LINE.mix(MUTED, 0.35)), plain(13.0, LINE.mix(MUTED, 0.35)))
                }
            };
            canvas.text((x, self.names), Anchor::Middle, name, layer.name);
            canvas.text((x, self.names + 18.0), Anchor::Middle, shape, layer.shape);
        }
    }

    /// A box seen from above and the left: maps of some size, one behind the other.
    fn block(&self, canvas: &mut Canvas, x: f32, layer: &Layer, fill: Color, edge: Color) {
        let (side, depth) = (layer.side * self.scale, layer.depth * self.scale);
        let (dx, dy) = (depth * 0.8, depth * 0.45);
        let (left, right) = (x - (side + dx) / 2.0, x + (side - dx) / 2.0);
        let (top, bottom) = (self.middle - (side - dy) / 2.0, self.middle + (side + dy) / 2.0);
        let front = [(left, top), (right, top), (right, bottom), (left, bottom)];
        let lid = [(left, top), (left + dx, top - dy), (right + dx, top - dy), (right, top)];
        let flank = [(right, top), (right + dx, top - dy), (right + dx, bottom - dy), (right, bottom)];
        for (face, shade) in [(front, 0.0), (lid, 0.35), (flank, 0.15)] {
            let light = if fill == BACKGROUND { fill } else { fill.mix(BACKGROUND, shade) };
            canvas.polygon(&face, light);
            canvas.outline(&face, 1.0, edge, false);
        }
    }

    /// A tall bar of values; `holes` are those that dropout leaves out.
    fn vector(&self, canvas: &mut Canvas, x: f32, fill: Color, edge: Color, holes: bool) {
        let (width, height, cells) = (12.0 * self.scale, 72.0 * self.scale, 12);
        let (left, top, cell) = (x - width / 2.0, self.middle - height / 2.0, height / cells as f32);
        for index in 0..cells {
            let dropped = holes && [1, 2, 5, 7, 8, 11].contains(&index);
            let color = if dropped { BACKGROUND } else { fill };
            canvas.rect(
                (left.round(), (top + index as f32 * cell).round()),
                (width.ceil(), cell.ceil()),
                color,
            );
        }
        canvas.frame((left, top), (width, height), 1.0, edge);
    }

    fn neurons(&self, canvas: &mut Canvas, x: f32, fill: Color, edge: Color) {
        let pitch = 7.6 * self.scale;
        for index in 0..10 {
            let y = self.middle + (index as f32 - 4.5) * pitch;
            canvas.disc((x, y), 3.4 * self.scale, edge);
            canvas.disc((x, y), 3.4 * self.scale - 1.0, fill);
        }
    }
}
