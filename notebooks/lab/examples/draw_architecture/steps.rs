//! The frames, one after the other.

use crate::canvas::{Anchor, Canvas, WIDTH, bold, plain};
use crate::colors::{
    BACKGROUND, CONVOLUTION, Color, DENSE, DROPPED, FAINT, FOCUS, INK, LINE, MUTED, POOL, VECTOR,
};
use crate::network::{Journey, Maps};
use crate::overview::{LAYERS, Row};
use crate::parts::{MARGIN, Point, SOFTMAX, frame, kernel, lens, map, maps, numbers, window};

/// All frames, in order.
pub fn draw(journey: &Journey) -> Vec<Canvas> {
    vec![
        input(journey),
        convolve(journey, (0, 6)),
        convolve(journey, (8, 19)),
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
        25 => "A row of 28 pixels has room for it 28 − 3 + 1 = 26 times, so the map has 26 × 26 values.",
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
        canvas.line(start, (to.0, to.1 + cell * end), 1.0, FOCUS.mix(BACKGROUND, 0.45));
    }
    canvas.frame(to, (cell, cell), 2.0, FOCUS);
}

fn maps1(journey: &Journey) -> Canvas {
    let sentence = "32 kernels look for 32 things. Parameters: 32 × (3 · 3 · 1 weights + 1 bias) = 320.";
    let mut canvas = frame(1, "Convolution 3 × 3, ReLU", sentence);
    let image = journey.input.map(0);
    map(&mut canvas, (MARGIN + 12.0, 173.0), 5.0, image, 1.0, image.len());
    canvas.arrow((212.0, 243.0), (242.0, 243.0), CONVOLUTION);
    for index in 0..journey.kernels.count() {
        let corner = (258.0 + (index % 4) as f32 * 32.0, 117.0 + (index / 4) as f32 * 32.0);
        kernel(&mut canvas, corner, 8.0, journey.kernels.map(index), false);
    }
    canvas.arrow((390.0, 243.0), (420.0, 243.0), CONVOLUTION);
    grid(&mut canvas, (436.0, 118.0), (2.0, 8.0, 8), &journey.conv1);
    canvas.label((130.0, 395.0), "28 × 28");
    canvas.label((318.0, 395.0), "32 kernels, learnt");
    canvas.label((673.0, 395.0), "32 maps of 26 × 26");
    canvas
}

fn grid(canvas: &mut Canvas, at: Point, look: (f32, f32, usize), of: &Maps) {
    maps(canvas, at, look, (0..of.count()).map(|index| of.map(index)), of.max());
}

/// A pool: a map, the window on it, what is in the window, and the smaller map, of which so many rows are done.
fn pool(canvas: &mut Canvas, (from, to): (&Maps, &Maps), index: usize, (cell, rows): (f32, usize)) {
    let (left, right) = ((72.0, 115.0), (628.0, 115.0));
    let (values, pooled) = (from.map(index), to.map(index));
    // The last window done whose values differ much.
    let spread = |at: &usize| {
        let values = window(values, (2 * (at / to.side), 2 * (at % to.side)), 2);
        values.iter().copied().fold(0.0, f32::max) - values.iter().copied().fold(f32::MAX, f32::min)
    };
    let candidates = (rows - 1) * to.side..rows * to.side;
    let at = candidates.max_by(|a, b| spread(a).total_cmp(&spread(b))).unwrap_or(0);
    let (row, column) = (at / to.side, at % to.side);
    let done = if rows == to.side { pooled.len() } else { at + 1 };
    map(canvas, left, cell, values, from.max(), values.len());
    map(canvas, right, 2.0 * cell, pooled, from.max(), done);
    let corner = (left.0 + 2.0 * column as f32 * cell, left.1 + 2.0 * row as f32 * cell);
    if from.side % 2 == 1 {
        windows(canvas, left, cell, to.side);
    }
    let (middle, large) = ((430.0, 190.0), 52.0);
    lens(canvas, (corner, 2.0 * cell), (middle, 2.0 * large));
    numbers(canvas, middle, large, &window(values, (2 * row, 2 * column), 2), from.max(), true);
    let target = (right.0 + 2.0 * column as f32 * cell, right.1 + 2.0 * row as f32 * cell);
    point(canvas, (middle, 2.0 * large), target, 2.0 * cell);
    canvas.label((middle.0 + large, middle.1 - 14.0), "the largest of 2 × 2");
    let side = |maps: &Maps| format!("{0} × {0}", maps.side);
    canvas.label((left.0 + from.side as f32 * cell / 2.0, 395.0), &side(from));
    canvas.label((right.0 + to.side as f32 * cell, 395.0), &side(to));
}

/// Parts a map into `count` x `count` windows, and hatches the row and the column that are left over.
fn windows(canvas: &mut Canvas, at: Point, cell: f32, count: usize) {
    let (edge, half) = (2.0 * cell * count as f32, cell / 2.0);
    for line in 1..=count {
        let offset = 2.0 * cell * line as f32;
        canvas.rect((at.0 + offset - 1.0, at.1), (2.0, edge), BACKGROUND);
        canvas.rect((at.0, at.1 + offset - 1.0), (edge, 2.0), BACKGROUND);
    }
    let mut stripe =
        |x: f32, y: f32| canvas.line((at.0 + x, at.1 + y + half), (at.0 + x + half, at.1 + y), 1.0, MUTED);
    for step in 0..4 * count + 2 {
        let along = step as f32 * half;
        for across in [edge, edge + half] {
            stripe(across, along);
            if along < edge {
                stripe(along, across);
            }
        }
    }
}

fn pool_one(journey: &Journey) -> Canvas {
    let sentence = "Of every 2 × 2 values only the largest stays: half as many rows, half as many columns.";
    let mut canvas = frame(2, "Max pool 2 × 2", sentence);
    let index = journey.conv1.liveliest();
    pool(&mut canvas, (&journey.conv1, &journey.pool1), index, (10.0, 7));
    canvas
}

fn pooled1(journey: &Journey) -> Canvas {
    let sentence =
        "Each map by itself. Nothing is learnt here, and a shift by one pixel hardly matters any more.";
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
    let cell = 11.0;
    for index in 0..count {
        let (at, values) = (sheet(index), journey.pool1.map(index));
        map(&mut canvas, at, cell, values, journey.pool1.max(), values.len());
    }
    // Where, in the middle rows, the kernel finds most of what it looks for.
    let index = journey.conv2.liveliest();
    let found = journey.conv2.map(index);
    let at = (33..88).max_by(|&a, &b| found[a].total_cmp(&found[b])).unwrap_or(0);
    let (x, y) = ((at % 11) as f32, (at / 11) as f32);
    // Its way through all sheets.
    let corner = |at: Point, x: f32, y: f32| (at.0 + x * cell, at.1 + y * cell);
    let (front, back) = (sheet(count - 1), sheet(0));
    for (x, y) in [(x, y), (x + 3.0, y), (x, y + 3.0), (x + 3.0, y + 3.0)] {
        canvas.line(corner(front, x, y), corner(back, x, y), 1.0, FOCUS);
    }
    for (sheet, line) in [(back, 1.0), (front, 2.0)] {
        canvas.frame(corner(sheet, x, y), (3.0 * cell, 3.0 * cell), line, FOCUS);
    }
    let (right, wide) = ((628.0, 120.0), 23.0);
    map(&mut canvas, right, wide, found, journey.conv2.max(), at + 1);
    point(&mut canvas, (corner(back, x, y), 3.0 * cell), (right.0 + x * wide, right.1 + y * wide), wide);
    canvas.label((520.0, 372.0), "3 × 3 × 32 weights");
    canvas.label((64.0 + 164.0, 395.0), "32 maps of 13 × 13");
    canvas.label((right.0 + 126.0, 395.0), "one of 64 maps, 11 × 11");
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
    pool(&mut canvas, (&journey.conv2, &journey.pool2), index, (23.0, 5));
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
    let sentence =
        "64 maps of 5 × 5 values become one row of 1,600 (here in four lines). Nothing is computed.";
    let mut canvas = frame(5, "Flatten", sentence);
    let max = journey.pool2.max();
    grid(&mut canvas, (244.0, 112.0), (4.0, 10.0, 16), &journey.pool2);
    canvas.arrow((480.0, 234.0), (480.0, 260.0), VECTOR);
    bar_code(&mut canvas, (80.0, 270.0), 25.0, &journey.flat, max);
    // Where one map goes.
    let (map, at) = ((244.0 + 5.0 * 30.0, 112.0), (80.0 + 5.0 * 50.0, 270.0));
    for (above, below) in [(map.0, at.0), (map.0 + 20.0, at.0 + 50.0)] {
        canvas.line((above, map.1 + 21.0), (below, at.1), 1.0, FOCUS.mix(BACKGROUND, 0.3));
    }
    canvas.frame(map, (20.0, 20.0), 2.0, FOCUS);
    canvas.frame(at, (50.0, 25.0), 2.0, FOCUS);
    canvas
}

fn dropout(journey: &Journey) -> Canvas {
    let sentence =
        "In training, chance sets half of the values to 0 and doubles the others. In a test, all stay.";
    let mut canvas = frame(6, "Dropout 0.5", sentence);
    let max = 1.3 * journey.pool2.max();
    bar_code(&mut canvas, (80.0, 118.0), 22.0, &journey.flat, max);
    canvas.arrow((480.0, 232.0), (480.0, 258.0), VECTOR);
    bar_code(&mut canvas, (80.0, 268.0), 22.0, &journey.dropped, max);
    for (index, value) in journey.dropped.iter().enumerate() {
        if *value == 0.0 && journey.flat[index] > 0.0 {
            let (x, y) = (80.0 + (index % 400) as f32 * 2.0, 268.0 + (index / 400) as f32 * 27.0);
            canvas.rect((x, y), (2.0, 22.0), DROPPED);
        }
    }
    canvas.rect((520.0, 237.0), (22.0, 16.0), DROPPED);
    canvas.text((550.0, 250.0), Anchor::Left, plain(15.0, INK), "dropped");
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
            let color = if strong { DENSE.mix(BACKGROUND, 0.25) } else { FAINT };
            for start in 0..16 {
                let from = (at.0 + 242.0, at.1 + 7.5 + start as f32 * 15.0);
                canvas.line(from, (520.0, y(digit)), 0.8, color);
            }
        }
    }
    let largest = journey.logits.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let (axis, reach) = (730.0, 120.0);
    for (digit, &logit) in journey.logits.iter().enumerate() {
        let color = if digit == winner { DENSE } else { DENSE.mix(BACKGROUND, 0.55) };
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
    if percent > 99.9 {
        format!("{:.2} %", (percent * 100.0).floor() / 100.0)
    } else {
        format!("{percent:.1} %")
    }
}

fn softmax(journey: &Journey) -> Canvas {
    let sentence = "Softmax makes probabilities of the logits: all above 0, and together 1.";
    let mut canvas = frame(SOFTMAX, "Softmax", sentence);
    let image = journey.input.map(0);
    map(&mut canvas, (90.0, 145.0), 7.0, image, 1.0, image.len());
    canvas.arrow((308.0, 243.0), (346.0, 243.0), DENSE);
    let winner = winner(journey);
    for (digit, &probability) in journey.probabilities.iter().enumerate() {
        let y = 130.0 + digit as f32 * 26.0;
        let color = if digit == winner { DENSE } else { DENSE.mix(BACKGROUND, 0.55) };
        canvas.text((392.0, y + 6.0), Anchor::Middle, bold(16.0, INK), &digit.to_string());
        let length = 400.0 * probability;
        canvas.rect((412.0, y - 9.0), (400.0, 18.0), FAINT.mix(BACKGROUND, 0.6));
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
    let row = Row { from: 98.0, to: 780.0, middle: 258.0, names: 350.0, scale: 1.3 };
    row.draw(&mut canvas, LAYERS.len());
    for (from, to, text) in [(1, 4, "looks for features"), (5, 7, "decides by them")] {
        let (left, right, y) = (row.x(from) - 40.0, row.x(to) + 40.0, 164.0);
        canvas.text(((left + right) / 2.0, y - 12.0), Anchor::Middle, plain(16.0, INK), text);
        canvas.line((left, y), (right, y), 1.5, LINE);
        for end in [left, right] {
            canvas.line((end, y - 0.75), (end, y + 8.0), 1.5, LINE);
        }
    }
    for (index, layer) in LAYERS.iter().enumerate().filter(|(_, layer)| !layer.parameters.is_empty()) {
        canvas.text((row.x(index), 396.0), Anchor::Middle, bold(17.0, layer.color), layer.parameters);
    }
    // The digit in place of its block.
    let (cell, image) = (3.0, journey.input.map(0));
    let corner = (row.x(0) - 14.0 * cell, row.middle - 14.0 * cell);
    canvas.rect((corner.0 - 4.0, corner.1 - 4.0), (92.0, 92.0), BACKGROUND);
    map(&mut canvas, corner, cell, image, 1.0, image.len());
    let winner = winner(journey);
    let y = row.middle + (winner as f32 - 4.5) * 7.6 * row.scale;
    canvas.arrow((row.to + 12.0, y), (846.0, y), DENSE);
    canvas.text((876.0, y + 14.0), Anchor::Middle, bold(42.0, DENSE), &winner.to_string());
    canvas.text(
        (876.0, y + 38.0),
        Anchor::Middle,
        plain(15.0, MUTED),
        &percent(journey.probabilities[winner]),
    );
    let right = WIDTH as f32 - MARGIN;
    canvas.line((MARGIN, 426.0), (right, 426.0), 1.0, FAINT);
    canvas.text((480.0, 474.0), Anchor::Middle, bold(22.0, INK), "320 + 18,496 + 16,010 = 34,826 parameters");
    canvas
}
