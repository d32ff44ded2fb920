//! What several frames show: the words above, maps of values, kernels, the window that moves.

use crate::canvas::{Anchor, Canvas, WIDTH, bold, plain};
use crate::colors::{BACKGROUND, Color, FAINT, FOCUS, INK, LINE, MUTED};
use crate::overview::{LAYERS, Layer, Row};

pub const MARGIN: f32 = 48.0;

/// A point in pixels.
pub type Point = (f32, f32);

/// The small row of layers at the bottom of a frame.
const ROW: Row = Row { from: 92.0, to: 868.0, middle: 456.0, names: 507.0, scale: 1.0 };

/// Stands for the softmax, which is a step of its own and no layer: it is drawn as the last one.
pub const SOFTMAX: usize = LAYERS.len();

/// A frame about one layer, with its words and its place in the network.
pub fn frame(layer: usize, title: &str, sentence: &str) -> Canvas {
    let mut canvas = Canvas::new();
    let right = WIDTH as f32 - MARGIN;
    let last = layer.min(LAYERS.len() - 1);
    let Layer { color, shape, parameters, .. } = LAYERS[last];
    let parameters = if layer == SOFTMAX || parameters.is_empty() { "no" } else { parameters };
    canvas.rect((MARGIN, 33.0), (6.0, 30.0), color);
    canvas.text((MARGIN + 18.0, 58.0), Anchor::Left, bold(27.0, INK), title);
    canvas.text((MARGIN, 90.0), Anchor::Left, plain(16.0, MUTED), sentence);
    canvas.text((right, 58.0), Anchor::Right, bold(22.0, color), shape);
    canvas.text((right, 90.0), Anchor::Right, plain(16.0, MUTED), &format!("{parameters} parameters"));
    canvas.line((MARGIN, 405.0), (right, 405.0), 1.0, FAINT);
    ROW.draw(&mut canvas, last);
    canvas
}

/// A map of values up to `max`, of which the first `done` are there.
pub fn map(canvas: &mut Canvas, at: Point, cell: f32, values: &[f32], max: f32, done: usize) {
    let side = values.len().isqrt();
    let size = side as f32 * cell;
    if done < values.len() {
        // What is still to come is paper with lines.
        for line in 0..=side {
            let offset = line as f32 * cell;
            canvas.rect((at.0 + offset, at.1), (1.0, size), FAINT);
            canvas.rect((at.0, at.1 + offset), (size, 1.0), FAINT);
        }
    }
    for (index, value) in values.iter().enumerate().take(done) {
        canvas.rect(corner(at, cell, side, index), (cell, cell), Color::of_value(value / max));
    }
    canvas.frame(at, (size, size), 1.0, LINE);
}

/// The corner of a cell.
fn corner(at: Point, cell: f32, side: usize, index: usize) -> Point {
    (at.0 + (index % side) as f32 * cell, at.1 + (index / side) as f32 * cell)
}

/// Maps in rows of `columns`.
pub fn maps<'a>(
    canvas: &mut Canvas,
    at: Point,
    (cell, gap, columns): (f32, f32, usize),
    maps: impl Iterator<Item = &'a [f32]>,
    max: f32,
) {
    for (index, values) in maps.enumerate() {
        let pitch = values.len().isqrt() as f32 * cell + gap;
        map(canvas, corner(at, pitch, columns, index), cell, values, max, values.len());
    }
}

/// A kernel of weights; with `numbers`, which need large cells.
pub fn kernel(canvas: &mut Canvas, at: Point, cell: f32, weights: &[f32], numbers: bool) {
    let side = weights.len().isqrt();
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    for (index, weight) in weights.iter().enumerate() {
        let corner = corner(at, cell, side, index);
        let color = Color::of_weight(weight / largest);
        canvas.rect(corner, (cell, cell), color);
        if numbers {
            number(canvas, (corner.0 + cell / 2.0, corner.1 + cell / 2.0), *weight, color.ink());
        }
    }
    canvas.frame(at, (side as f32 * cell, side as f32 * cell), 1.0, LINE);
}

/// Values up to `max` with their numbers, the largest one marked if `mark` is set.
pub fn numbers(canvas: &mut Canvas, at: Point, cell: f32, values: &[f32], max: f32, mark: bool) {
    let side = values.len().isqrt();
    let largest = values.iter().copied().fold(0.0, f32::max);
    for (index, &value) in values.iter().enumerate() {
        let corner = corner(at, cell, side, index);
        let color = Color::of_value(value / max);
        canvas.rect(corner, (cell - 1.0, cell - 1.0), color);
        number(canvas, (corner.0 + cell / 2.0, corner.1 + cell / 2.0), value, color.ink());
    }
    let at_largest = values.iter().position(|&value| value == largest);
    if let (true, Some(index)) = (mark, at_largest) {
        let corner = corner(at, cell, side, index);
        canvas.frame(corner, (cell - 1.0, cell - 1.0), 3.0, FOCUS);
    }
}

fn number(canvas: &mut Canvas, (x, y): Point, value: f32, color: Color) {
    let text = format!("{value:.2}").replace('-', "−");
    canvas.text((x, y + 5.0), Anchor::Middle, plain(14.0, color), &text);
}

/// The part of a map below a window of `size` x `size`, row by row.
pub fn window(map: &[f32], (row, column): (usize, usize), size: usize) -> Vec<f32> {
    let side = map.len().isqrt();
    (0..size * size).map(|index| map[(row + index / size) * side + column + index % size]).collect()
}

/// A square around cells of a map, and lines from it to a square elsewhere, as through a lens.
pub fn lens(canvas: &mut Canvas, (from, small): (Point, f32), (to, large): (Point, f32)) {
    for (dx, dy) in [(1.0, 0.0), (1.0, 1.0)] {
        let start = (from.0 + small * dx, from.1 + small * dy);
        canvas.line(start, (to.0 - 1.0, to.1 + large * dy), 1.0, FOCUS.mix(BACKGROUND, 0.45));
    }
    canvas.frame(from, (small, small), 2.0, FOCUS);
}
