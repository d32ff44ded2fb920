//! Digits that this crate draws.

use super::skeletons::{Point, SKELETONS, Skeleton};
use super::{DIGIT, Dataset, Error};
use crate::check_interrupt;
use ::ops::random::Random;
use rayon::prelude::*;

/// The rows, and the columns, of an image.
const SIDE: usize = DIGIT[1];

/// 60,000 and 10,000 digits that look handwritten, drawn from stroke skeletons with random distortions. The course runs on
/// them where there is no MNIST. The same seed gives the same bytes, on every machine.
///
/// # Errors
/// When the user interrupts.
pub fn drawn(seed: u64) -> Result<Dataset, Error> {
    drawn_sized(seed, 60_000, 10_000)
}

/// [`drawn`] with another number of images. An image does not depend on how many there are.
///
/// # Errors
/// When the user interrupts.
pub fn drawn_sized(seed: u64, train: usize, test: usize) -> Result<Dataset, Error> {
    // The streams of the two parts are farther apart than the number of images that anybody draws.
    let (train, test) = (draw_all(seed, 0, train)?, draw_all(seed, 1 << 32, test)?);
    Ok(Dataset::digits("drawn digits", train, test))
}

/// For each digit the ways in which people write it, undistorted: strokes in a box from (0, 0) at the top left to (1, 1), each
/// as the points of a line.
pub(crate) fn ways_to_write() -> [Vec<Vec<Vec<Point>>>; 10] {
    SKELETONS.map(|skeletons| {
        let strokes = |skeleton: &Skeleton| skeleton.iter().map(|stroke| smooth(stroke)).collect();
        let mut ways: Vec<Vec<Vec<Point>>> = skeletons.iter().map(strokes).collect();
        ways.dedup();
        ways
    })
}

/// Pixels and labels. Every image has a stream of random numbers of its own, so threads can share the work.
fn draw_all(seed: u64, first_stream: u64, len: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let area = SIDE * SIDE;
    let (mut pixels, mut labels) = (vec![0; len * area], vec![0; len]);
    pixels.par_chunks_mut(area).zip(&mut labels).enumerate().try_for_each(|(index, (image, label))| {
        check_interrupt()?;
        let mut random = Random::new(seed, first_stream + index as u64);
        let digit = random.below(10);
        *label = digit as u8;
        image.copy_from_slice(&draw(digit, &mut random));
        Ok::<(), Error>(())
    })?;
    Ok((pixels, labels))
}

/// One image: a skeleton, distorted, and drawn with a pen.
fn draw(digit: usize, random: &mut Random) -> Vec<u8> {
    let skeletons = SKELETONS[digit];
    let skeleton = skeletons[random.below(skeletons.len())];
    let unsteadiness = random.between(0.015, 0.06);
    let mut strokes: Vec<Vec<Point>> =
        skeleton.iter().map(|stroke| smooth(&jitter(stroke, unsteadiness, random))).collect();
    place(&mut strokes, random);

    let pen = Pen { radius: random.between(0.7, 1.8), softness: random.between(0.45, 0.9) };
    let ink = random.between(200.0, 255.0);
    let mut coverage = vec![0.0; SIDE * SIDE];
    for stroke in &strokes {
        // The pressure of the hand changes along the stroke.
        let (start, end) = (random.between(0.8, 1.2), random.between(0.8, 1.2));
        for (at, ends) in stroke.windows(2).enumerate() {
            let pressure = start + (end - start) * at as f32 / stroke.len() as f32;
            pen.line(ends[0], ends[1], pressure, &mut coverage);
        }
    }
    coverage.iter().map(|coverage| (coverage * ink + 0.5) as u8).collect()
}

/// Moves each point a little; the two points of a corner move together.
fn jitter(stroke: &[Point], amount: f32, random: &mut Random) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(stroke.len());
    for (at, &(x, y)) in stroke.iter().enumerate() {
        let corner = at > 0 && stroke[at - 1] == (x, y);
        points.push(match points.last() {
            Some(&moved) if corner => moved,
            _ => (x + amount * random.normal(), y + amount * random.normal()),
        });
    }
    points
}

/// A line in short steps through all points, round except at corners (a Catmull-Rom spline).
fn smooth(points: &[Point]) -> Vec<Point> {
    const STEPS: usize = 8;
    let last = points.len() - 1;
    let mut line = vec![points[0]];
    for at in 0..last {
        let (p1, p2) = (points[at], points[at + 1]);
        let (p0, p3) = (points[at.saturating_sub(1)], points[(at + 2).min(last)]);
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let mix = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5
                    * t
                    * ((c - a) + t * ((2.0 * a - 5.0 * b + 4.0 * c - d) + t * (3.0 * (b - c) + d - a)))
            };
            line.push((mix(p0.0, p1.0, p2.0, p3.0), mix(p0.1, p1.1, p2.1, p3.1)));
        }
    }
    line
}

/// Bends, scales, slants and rotates a digit as hands do, and places it near the middle of the image, in pixels.
fn place(strokes: &mut [Vec<Point>], random: &mut Random) {
    let (bend_x, bend_y) = (0.12 * random.normal(), 0.12 * random.normal());
    let (width, height) = (random.between(9.0, 18.0), random.between(15.5, 20.5));
    let slant = 0.12 + 0.22 * random.normal();
    // Sine and cosine from the tangent of half the angle, since those of the standard library differ between platforms.
    let t = 0.06 * random.normal();
    let (sin, cos) = (2.0 * t / (1.0 + t * t), (1.0 - t * t) / (1.0 + t * t));
    for point in strokes.iter_mut().flatten() {
        let (x, y) = (point.0 - 0.5, point.1 - 0.5);
        let (x, y) = (x + bend_x * 4.0 * (y * y - 0.1), y + bend_y * 4.0 * (x * x - 0.1));
        let (x, y) = (width * x - slant * height * y, height * y);
        *point = (cos * x - sin * y, sin * x + cos * y);
    }
    let range = |values: &mut dyn Iterator<Item = f32>| {
        values.fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (left, right) = range(&mut strokes.iter().flatten().map(|point| point.0));
    let (top, bottom) = range(&mut strokes.iter().flatten().map(|point| point.1));
    // The border is left empty, as in MNIST.
    let middle = SIDE as f32 / 2.0;
    let most = middle - Pen::REACH - 0.5;
    let shrink = (2.0 * most / (right - left).max(bottom - top)).min(1.0);
    let mut shift = |low: f32, high: f32| {
        let room = (most - shrink * (high - low) / 2.0).max(0.0);
        middle + random.normal().clamp(-room, room) - shrink * (low + high) / 2.0
    };
    let (dx, dy) = (shift(left, right), shift(top, bottom));
    for point in strokes.iter_mut().flatten() {
        *point = (shrink * point.0 + dx, shrink * point.1 + dy);
    }
}

/// Both in pixels; `softness` is half the width of the edge over which the ink fades.
struct Pen {
    radius: f32,
    softness: f32,
}

impl Pen {
    /// The distance from its line up to which the widest pen can leave ink: radius, pressure and softness together.
    const REACH: f32 = 3.1;

    /// Inks each pixel near the line by the distance of its centre.
    fn line(&self, a: Point, b: Point, pressure: f32, coverage: &mut [f32]) {
        let radius = self.radius * pressure;
        let reach = radius + self.softness;
        let range = |a: f32, b: f32| {
            let (low, high) = (a.min(b) - reach, a.max(b) + reach);
            low.max(0.0) as usize..(high.max(0.0) as usize + 1).min(SIDE)
        };
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length_squared = (dx * dx + dy * dy).max(1e-12);
        for row in range(a.1, b.1) {
            for column in range(a.0, b.0) {
                let (x, y) = (column as f32 + 0.5 - a.0, row as f32 + 0.5 - a.1);
                let along = ((x * dx + y * dy) / length_squared).clamp(0.0, 1.0);
                let (x, y) = (x - along * dx, y - along * dy);
                let distance = (x * x + y * y).sqrt();
                let inked = (0.5 + (radius - distance) / (2.0 * self.softness)).clamp(0.0, 1.0);
                let pixel = &mut coverage[row * SIDE + column];
                *pixel = pixel.max(inked);
            }
        }
    }
}
