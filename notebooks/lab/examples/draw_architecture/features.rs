//! The frames of the layers that look for features: convolutions and pools.

use crate::canvas::Canvas;
use crate::colors::{BACKGROUND, CONVOLUTION, FOCUS, MUTED, POOL};
use crate::network::{Journey, Maps};
use crate::parts::{MARGIN, Point, frame, kernel, lens, map, maps, numbers, window};

pub fn input(journey: &Journey) -> Canvas {
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
pub fn convolve(journey: &Journey, (row, column): (usize, usize)) -> Canvas {
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

pub fn maps1(journey: &Journey) -> Canvas {
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

pub fn grid(canvas: &mut Canvas, at: Point, look: (f32, f32, usize), of: &Maps) {
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

pub fn pool_one(journey: &Journey) -> Canvas {
    let sentence = "Of every 2 × 2 values only the largest stays: half as many rows, half as many columns.";
    let mut canvas = frame(2, "Max pool 2 × 2", sentence);
    let index = journey.conv1.liveliest();
    pool(&mut canvas, (&journey.conv1, &journey.pool1), index, (10.0, 7));
    canvas
}

pub fn pooled1(journey: &Journey) -> Canvas {
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

pub fn convolve_all(journey: &Journey) -> Canvas {
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

pub fn maps2(journey: &Journey) -> Canvas {
    let sentence = "64 kernels. Parameters: 64 × (3 · 3 · 32 weights + 1 bias) = 18,496.";
    let mut canvas = frame(3, "Convolution 3 × 3, ReLU", sentence);
    grid(&mut canvas, (58.0, 126.0), (4.0, 9.0, 16), &journey.conv2);
    canvas.label((480.0, 380.0), "64 maps of 11 × 11");
    canvas
}

pub fn pool_two(journey: &Journey) -> Canvas {
    let sentence = "11 is odd: for the last row and column there is no window, and they are left out.";
    let mut canvas = frame(4, "Max pool 2 × 2", sentence);
    let index = journey.conv2.liveliest();
    pool(&mut canvas, (&journey.conv2, &journey.pool2), index, (23.0, 5));
    canvas
}

pub fn pooled2(journey: &Journey) -> Canvas {
    let sentence = "64 small maps: of each thing to see, about where it is and how strong.";
    let mut canvas = frame(4, "Max pool 2 × 2", sentence);
    grid(&mut canvas, (70.0, 130.0), (8.0, 12.0, 16), &journey.pool2);
    canvas.label((480.0, 372.0), "64 maps of 5 × 5");
    canvas
}
