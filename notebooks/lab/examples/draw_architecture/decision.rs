//! The frames of the layers that decide by the features, and of the whole network.

use crate::canvas::{Anchor, Canvas, WIDTH, bold, plain};
use crate::colors::{BACKGROUND, Color, DENSE, DROPPED, FAINT, FOCUS, INK, LINE, MUTED, VECTOR};
use crate::features::grid;
use crate::network::Journey;
use crate::overview::{LAYERS, Row};
use crate::parts::{MARGIN, Point, SOFTMAX, frame, map};

/// Values in four rows of 400, as a bar code.
fn bar_code(canvas: &mut Canvas, at: Point, height: f32, values: &[f32], max: f32) {
    for (index, value) in values.iter().enumerate() {
        let (x, y) = (at.0 + (index % 400) as f32 * 2.0, at.1 + (index / 400) as f32 * (height + 5.0));
        canvas.rect((x, y), (2.0, height), Color::of_value(value / max));
    }
}

pub fn flatten(journey: &Journey) -> Canvas {
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

pub fn dropout(journey: &Journey) -> Canvas {
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

pub fn dense(journey: &Journey) -> Canvas {
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

pub fn softmax(journey: &Journey) -> Canvas {
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
    canvas.label((188.0, 395.0), &format!("label: {}", journey.label));
    canvas
}

pub fn network(journey: &Journey) -> Canvas {
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
