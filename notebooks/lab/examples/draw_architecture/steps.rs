//! The frames, one after the other.

use crate::canvas::{Anchor, Canvas, WIDTH, bold, plain};
use crate::colors::{CONVOLUTION, Color, DENSE, FAINT, FOCUS, INK, LINE, MUTED, POOL, VECTOR};
use crate::network::{Journey, Maps};
use crate::overview::{LAYERS, Row};
use crate::parts::{MARGIN, Point, frame, kernel, lens, map, maps, numbers, window};

/// All frames, in order.
pub fn draw(journey: &Journey) -> Vec<Canvas> {
    vec![
        input(journey),
        convolve(journey, (0, 6)),
        convolve(journey, (9, 14)),
        convolve(journey, (25, 25)),
        maps1(journey),
        pool_one(journey),
        pooled1(journey),
        convolve_all(journey),
        maps2(journey),
        pool_two(journey),
        pooled2(journey),
        flatten(journey),
        dropout(journey),
        dense(journey),
        softmax(journey),
        network(journey),
    ]
}

fn input(journey: &Journey) -> Canvas {
    let sentence = "A digit of 28 × 28 grey values from 0 to 1: the darker here, the larger.";
    let mut canvas = frame(0, "The input", sentence);
    let (at, cell, image) = ((150.0, 113.0), 10.0, journey.input.map(0));
    map(&mut canvas, at, cell, image, 1.0, image.len());
    let (row, column, size) = (6, 15, 6);
    let corner = (at.0 + column as f32 * cell, at.1 + row as f32 * cell);
    let (zoom, large) = ((550.0, 113.0), 46.0);
    lens(&mut canvas, (corner, size as f32 * cell), (zoom, size as f32 * large));
    numbers(&mut canvas, zoom, large, &window(image, (row, column), size), 1.0, false);
    canvas
}

/// The first convolution, with its kernel at a row and a column.
fn convolve(journey: &Journey, (row, column): (usize, usize)) -> Canvas {
    let sentence = match row {
        0 => "A kernel of 3 × 3 weights lies on the image: multiply, add up, add the bias, write one value.",
        25 => "It fits 28 − 3 + 1 = 26 times beside and below itself, so the map has 26 × 26 values.",
        _ => "It moves on by one pixel. ReLU turns what is below 0 into 0.",
    };
    let mut canvas = frame(1, "Convolution 3 × 3, ReLU", sentence);
    let index = journey.conv1.liveliest();
    let (image, values) = (journey.input.map(0), journey.conv1.map(index));
    let (cell, left, right) = (9.0, (64.0, 121.0), (660.0, 130.0));
    map(&mut canvas, left, cell, image, 1.0, image.len());
    let (middle, large) = ((410.0, 178.0), 46.0);
    map(&mut canvas, right, cell, values, journey.conv1.max(), row * 26 + column + 1);
    let window = (left.0 + column as f32 * cell, left.1 + row as f32 * cell);
    lens(&mut canvas, (window, 3.0 * cell), (middle, 3.0 * large));
    kernel(&mut canvas, middle, large, journey.kernels.map(index), true);
    let target = (right.0 + column as f32 * cell, right.1 + row as f32 * cell);
    point(&mut canvas, (middle, 3.0 * large), target, cell);
    canvas.label((middle.0 + 1.5 * large, middle.1 - 14.0), "one kernel");
    canvas.label((left.0 + 126.0, 395.0), "the digit, 28 × 28");
    canvas.label((right.0 + 117.0, 395.0), "its map, 26 × 26");
    canvas
}

/// Lines from a square to one cell of a map.
fn point(canvas: &mut Canvas, (from, large): (Point, f32), to: Point, cell: f32) {
    for end in [0.0, 1.0] {
        let start = (from.0 + large + 1.0, from.1 + large * end);
        canvas.line(start, (to.0, to.1 + cell * end), 1.0, FOCUS.mix(Color(255, 255, 255), 0.45));
    }
    canvas.frame(to, (cell, cell), 2.0, FOCUS);
}

fn maps1(journey: &Journey) -> Canvas {
    let sentence = "32 kernels find 32 things to see. Parameters: 32 × (3 · 3 · 1 weights + 1 bias) = 320.";
    let mut canvas = frame(1, "Convolution 3 × 3, ReLU", sentence);
    let image = journey.input.map(0);
    map(&mut canvas, (MARGIN + 12.0, 173.0), 5.0, image, 1.0, image.len());
    canvas.arrow((212.0, 243.0), (242.0, 243.0), CONVOLUTION);
    for index in 0..journey.kernels.count() {
        let corner = (258.0 + (index % 4) as f32 * 32.0, 117.0 + (index / 4) as f32 * 32.0);
        kernel(&mut canvas, corner, 8.0, journey.kernels.map(index), false);
    }
    canvas.arrow((390.0, 243.0), (420.0, 243.0), CONVOLUTION);
    grid(&mut canvas, (436.0, 118.0), (2.0, 9.0, 8), &journey.conv1);
    canvas.label((130.0, 395.0), "28 × 28");
    canvas.label((318.0, 395.0), "32 kernels, learnt");
    canvas.label((673.0, 395.0), "32 maps of 26 × 26");
    canvas
}

fn grid(canvas: &mut Canvas, at: Point, look: (f32, f32, usize), of: &Maps) {
    maps(canvas, at, look, (0..of.count()).map(|index| of.map(index)), of.max());
}

/// A pool: a map, the window on it, what is in the window, and the smaller map.
fn pool(canvas: &mut Canvas, (from, to): (&Maps, &Maps), index: usize, (cell, done): (f32, usize)) {
    let (left, right) = ((72.0, 120.0), (628.0, 120.0));
    let (values, pooled) = (from.map(index), to.map(index));
    map(canvas, left, cell, values, from.max(), values.len());
    map(canvas, right, 2.0 * cell, pooled, from.max(), done);
    let (row, column) = ((done - 1) / to.side, (done - 1) % to.side);
    let corner = (left.0 + 2.0 * column as f32 * cell, left.1 + 2.0 * row as f32 * cell);
    let (middle, large) = ((430.0, 196.0), 52.0);
    lens(canvas, (corner, 2.0 * cell), (middle, 2.0 * large));
    numbers(canvas, middle, large, &window(values, (2 * row, 2 * column), 2), from.max(), true);
    let target = (right.0 + 2.0 * column as f32 * cell, right.1 + 2.0 * row as f32 * cell);
    point(canvas, (middle, 2.0 * large), target, 2.0 * cell);
    canvas.label((middle.0 + large, middle.1 - 14.0), "the largest of 2 × 2");
    let side = |maps: &Maps| format!("{0} × {0}", maps.side);
    canvas.label((left.0 + from.side as f32 * cell / 2.0, 395.0), &side(from));
    canvas.label((right.0 + to.side as f32 * cell, 395.0), &side(to));
}

fn pool_one(journey: &Journey) -> Canvas {
    let sentence = "Of every 2 × 2 values only the largest stays: half as many rows, half as many columns.";
    let mut canvas = frame(2, "Max pool 2 × 2", sentence);
    let index = journey.conv1.liveliest();
    pool(&mut canvas, (&journey.conv1, &journey.pool1), index, (10.0, 6 * 13 + 8));
    canvas
}

fn pooled1(journey: &Journey) -> Canvas {
    let sentence = "Each map for itself. There is nothing to learn here, and what is seen may move by a pixel.";
    let mut canvas = frame(2, "Max pool 2 × 2", sentence);
    grid(&mut canvas, (64.0, 130.0), (2.0, 6.0, 8), &journey.conv1);
    canvas.arrow((540.0, 243.0), (580.0, 243.0), POOL);
    grid(&mut canvas, (610.0, 171.0), (2.0, 12.0, 8), &journey.pool1);
    canvas.label((293.0, 395.0), "32 maps of 26 × 26");
    canvas.label((756.0, 395.0), "32 maps of 13 × 13");
    canvas
}

fn convolve_all(journey: &Journey) -> Canvas {
    let sentence = "Now each kernel reads all 32 maps at once: 3 × 3 × 32 weights and a bias.";
    let mut canvas = frame(3, "Convolution 3 × 3, ReLU", sentence);
    let count = journey.pool1.count();
    let sheet = |index: usize| {
        let back = (count - 1 - index) as f32;
        (64.0 + back * 6.0, 228.0 - back * 3.5)
    };
    let (cell, row, column) = (11.0, 4, 5);
    for index in 0..count {
        let (at, values) = (sheet(index), journey.pool1.map(index));
        map(&mut canvas, at, cell, values, journey.pool1.max(), values.len());
    }
    // The kernel's way through all sheets.
    let corner = |at: Point, x: f32, y: f32| (at.0 + x * cell, at.1 + y * cell);
    let (front, back) = (sheet(count - 1), sheet(0));
    let (x, y) = (column as f32, row as f32);
    for (x, y) in [(x, y), (x + 3.0, y), (x + 3.0, y + 3.0)] {
        canvas.line(corner(front, x, y), corner(back, x, y), 1.0, FOCUS);
    }
    let window = corner(front, x, y);
    canvas.frame(window, (3.0 * cell, 3.0 * cell), 2.0, FOCUS);
    let index = journey.conv2.liveliest();
    let (right, wide) = ((628.0, 124.0), 22.0);
    map(&mut canvas, right, wide, journey.conv2.map(index), journey.conv2.max(), row * 11 + column + 1);
    let target = (right.0 + x * wide, right.1 + y * wide);
    point(&mut canvas, ((window.0, window.1), 3.0 * cell), target, wide);
    canvas.label((64.0 + 164.0, 395.0), "32 maps of 13 × 13");
    canvas.label((right.0 + 121.0, 395.0), "one of 64 maps, 11 × 11");
    canvas
}

fn maps2(journey: &Journey) -> Canvas {
    let sentence = "64 kernels. Parameters: 64 × (3 · 3 · 32 weights + 1 bias) = 18,496.";
    let mut canvas = frame(3, "Convolution 3 × 3, ReLU", sentence);
    grid(&mut canvas, (58.0, 126.0), (4.0, 9.0, 16), &journey.conv2);
    canvas.label((480.0, 380.0), "64 maps of 11 × 11");
    canvas
}

fn pool_two(journey: &Journey) -> Canvas {
    let sentence = "11 is odd: for the last row and column there is no window, and they are left out.";
    let mut canvas = frame(4, "Max pool 2 × 2", sentence);
    let index = journey.conv2.liveliest();
    pool(&mut canvas, (&journey.conv2, &journey.pool2), index, (23.0, 25));
    // The windows, and what lies outside of them.
    let (left, cell) = ((72.0, 120.0), 23.0);
    let paper = Color(0xfb, 0xfb, 0xf9);
    for line in 1..=5 {
        let offset = 2.0 * cell * line as f32;
        canvas.rect((left.0 + offset - 1.0, left.1), (2.0, 10.0 * cell), paper);
        canvas.rect((left.0, left.1 + offset - 1.0), (10.0 * cell, 2.0), paper);
    }
    for step in 0..22 {
        let offset = step as f32 * cell / 2.0;
        let (edge, end) = (10.0 * cell, 11.0 * cell);
        let stripe = |canvas: &mut Canvas, at: Point| {
            canvas.line((at.0, at.1 + cell / 2.0), (at.0 + cell / 2.0, at.1), 1.0, MUTED);
        };
        for inner in [0.0, cell / 2.0] {
            stripe(&mut canvas, (left.0 + edge + inner, left.1 + offset.min(end)));
            if offset < edge {
                stripe(&mut canvas, (left.0 + offset, left.1 + edge + inner));
            }
        }
    }
    let corner = (left.0 + 8.0 * cell, left.1 + 8.0 * cell);
    canvas.frame(corner, (2.0 * cell, 2.0 * cell), 2.0, FOCUS);
    canvas
}

fn pooled2(journey: &Journey) -> Canvas {
    let sentence = "64 small maps: of each thing to see, about where it is and how strong.";
    let mut canvas = frame(4, "Max pool 2 × 2", sentence);
    grid(&mut canvas, (70.0, 130.0), (8.0, 12.0, 16), &journey.pool2);
    canvas.label((480.0, 372.0), "64 maps of 5 × 5");
    canvas
}

/// Values in four rows of 400, as a bar code.
fn bar_code(canvas: &mut Canvas, at: Point, height: f32, values: &[f32], max: f32) {
    for (index, value) in values.iter().enumerate() {
        let (x, y) = (at.0 + (index % 400) as f32 * 2.0, at.1 + (index / 400) as f32 * (height + 5.0));
        canvas.rect((x, y), (2.0, height), Color::of_value(value / max));
    }
}

fn flatten(journey: &Journey) -> Canvas {
    let sentence = "64 maps of 5 × 5 values become one row of 1,600 (here in four lines). Nothing is computed.";
    let mut canvas = frame(5, "Flatten", sentence);
    let max = journey.pool2.max();
    grid(&mut canvas, (244.0, 112.0), (4.0, 10.0, 16), &journey.pool2);
    canvas.arrow((480.0, 234.0), (480.0, 260.0), VECTOR);
    bar_code(&mut canvas, (80.0, 270.0), 25.0, &journey.flat, max);
    // Where one map goes.
    let (map, at) = ((244.0 + 5.0 * 30.0, 112.0), (80.0 + 5.0 * 50.0, 270.0));
    for (above, below) in [(map.0, at.0), (map.0 + 20.0, at.0 + 50.0)] {
        canvas.line((above, map.1 + 21.0), (below, at.1), 1.0, FOCUS.mix(Color(255, 255, 255), 0.3));
    }
    canvas.frame(map, (20.0, 20.0), 2.0, FOCUS);
    canvas.frame(at, (50.0, 25.0), 2.0, FOCUS);
    canvas
}

fn dropout(journey: &Journey) -> Canvas {
    let sentence = "In training, chance sets half of the values to 0 and doubles the others. In a test, all stay.";
    let mut canvas = frame(6, "Dropout 0.5", sentence);
    let max = 1.3 * journey.pool2.max();
    bar_code(&mut canvas, (80.0, 118.0), 22.0, &journey.flat, max);
    canvas.arrow((480.0, 232.0), (480.0, 258.0), VECTOR);
    bar_code(&mut canvas, (80.0, 268.0), 22.0, &journey.dropped, max);
    for (index, value) in journey.dropped.iter().enumerate() {
        if *value == 0.0 && journey.flat[index] > 0.0 {
            let (x, y) = (80.0 + (index % 400) as f32 * 2.0, 268.0 + (index / 400) as f32 * 27.0);
            canvas.rect((x, y), (2.0, 22.0), Color(0xf3, 0xd9, 0xcd));
        }
    }
    canvas.text((510.0, 250.0), Anchor::Left, plain(15.0, INK), "dropped:");
    canvas.rect((575.0, 237.0), (24.0, 16.0), Color(0xf3, 0xd9, 0xcd));
    canvas
}

fn dense(journey: &Journey) -> Canvas {
    let sentence = "Each digit weighs all 1,600 values. Parameters: 10 × (1,600 weights + 1 bias) = 16,010.";
    let mut canvas = frame(7, "Dense", sentence);
    let (at, cell) = ((90.0, 121.0), 6.0);
    map(&mut canvas, at, cell, &journey.flat, journey.pool2.max(), 1600);
    let winner = winner(journey);
    let y = |digit: usize| 130.0 + digit as f32 * 26.0;
    for strong in [false, true] {
        for digit in (0..10).filter(|&digit| (digit == winner) == strong) {
            let color = if strong { DENSE.mix(Color(255, 255, 255), 0.25) } else { FAINT };
            for start in 0..16 {
                let from = (at.0 + 242.0, at.1 + 7.5 + start as f32 * 15.0);
                canvas.line(from, (520.0, y(digit)), 0.8, color);
            }
        }
    }
    let largest = journey.logits.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let (axis, reach) = (730.0, 120.0);
    for (digit, &logit) in journey.logits.iter().enumerate() {
        let color = if digit == winner { DENSE } else { DENSE.mix(Color(255, 255, 255), 0.55) };
        canvas.disc((528.0, y(digit)), 9.0, color);
        canvas.text((552.0, y(digit) + 6.0), Anchor::Left, bold(16.0, INK), &digit.to_string());
        let length = logit / largest * reach;
        canvas.rect((axis + length.min(0.0), y(digit) - 8.0), (length.abs(), 16.0), color);
        let text = format!("{logit:.1}").replace('-', "−");
        let (x, anchor) = if logit < 0.0 { (axis + 8.0, Anchor::Left) } else { (axis - 8.0, Anchor::Right) };
        canvas.text((x, y(digit) + 5.0), anchor, plain(14.0, MUTED), &text);
    }
    canvas.rect((axis, 118.0), (1.0, 258.0), LINE);
    canvas.label((at.0 + 120.0, 395.0), "1,600 values");
    canvas.label((axis, 395.0), "ten logits");
    canvas
}

fn winner(journey: &Journey) -> usize {
    (0..10).max_by(|&a, &b| journey.logits[a].total_cmp(&journey.logits[b])).unwrap_or(0)
}

fn percent(probability: f32) -> String {
    let percent = 100.0 * probability;
    // Rounded up to 100 it would claim certainty.
    if percent > 99.9 { format!("{:.2} %", (percent * 100.0).floor() / 100.0) } else { format!("{percent:.1} %") }
}

fn softmax(journey: &Journey) -> Canvas {
    let sentence = "Softmax makes probabilities of the logits: all above 0, and together 1.";
    let mut canvas = frame(7, "Softmax", sentence);
    let image = journey.input.map(0);
    map(&mut canvas, (90.0, 145.0), 7.0, image, 1.0, image.len());
    canvas.arrow((308.0, 243.0), (346.0, 243.0), DENSE);
    let winner = winner(journey);
    for (digit, &probability) in journey.probabilities.iter().enumerate() {
        let y = 130.0 + digit as f32 * 26.0;
        let color = if digit == winner { DENSE } else { DENSE.mix(Color(255, 255, 255), 0.55) };
        canvas.text((392.0, y + 6.0), Anchor::Middle, bold(16.0, INK), &digit.to_string());
        let length = 400.0 * probability;
        canvas.rect((412.0, y - 9.0), (400.0, 18.0), Color(0xf1, 0xf3, 0xf5));
        canvas.rect((412.0, y - 9.0), (length, 18.0), color);
        let style = if digit == winner { bold(15.0, INK) } else { plain(15.0, MUTED) };
        canvas.text((890.0, y + 5.0), Anchor::Right, style, &percent(probability));
    }
    canvas.label((188.0, 395.0), &format!("a {}, says its label", journey.label));
    canvas
}

fn network(journey: &Journey) -> Canvas {
    let mut canvas = Canvas::new();
    canvas.rect((MARGIN, 33.0), (6.0, 30.0), INK);
    canvas.text((MARGIN + 18.0, 58.0), Anchor::Left, bold(27.0, INK), "The whole network");
    let sentence = "From 784 grey values to ten probabilities, by 34,826 numbers that it has learnt.";
    canvas.text((MARGIN, 90.0), Anchor::Left, plain(16.0, MUTED), sentence);
    let row = Row { from: 98.0, to: 780.0, middle: 246.0, names: 356.0, scale: 1.5 };
    row.draw(&mut canvas, LAYERS.len());
    for (index, layer) in LAYERS.iter().enumerate().filter(|(_, layer)| !layer.parameters.is_empty()) {
        canvas.text((row.x(index), 404.0), Anchor::Middle, bold(17.0, layer.color), layer.parameters);
    }
    canvas.text((MARGIN, 404.0), Anchor::Left, plain(15.0, MUTED), "Parameters");
    // The digit in place of its block.
    let (cell, image) = (3.0, journey.input.map(0));
    map(&mut canvas, (row.x(0) - 14.0 * cell, 246.0 - 14.0 * cell), cell, image, 1.0, image.len());
    let winner = winner(journey);
    let y = row.middle + (winner as f32 - 4.5) * 7.6 * row.scale;
    canvas.arrow((row.to + 12.0, y), (846.0, y), DENSE);
    canvas.text((872.0, y + 14.0), Anchor::Middle, bold(42.0, DENSE), &winner.to_string());
    canvas.text((872.0, y + 38.0), Anchor::Middle, plain(15.0, MUTED), &percent(journey.probabilities[winner]));
    let right = WIDTH as f32 - MARGIN;
    canvas.line((MARGIN, 436.0), (right, 436.0), 1.0, FAINT);
    canvas.text((480.0, 478.0), Anchor::Middle, bold(22.0, INK), "320 + 18,496 + 16,010 = 34,826 parameters");
    canvas
}
