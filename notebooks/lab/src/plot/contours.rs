//! Contour lines of a function, as on a map of mountains, and paths over them.

use super::axis::Axis;
use super::chart::{Ticks, colors, legend, with_axes};
use super::curves::check;
use super::svg::{self, INK, drawing_error};
use super::{Curve, thinning};
use crate::number::fixed;
use crate::{Result, display::Display};
use anyhow::ensure;
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many squares of the grid, along each axis, a contour line is computed in.
const GRID: usize = 60;
/// How many contour lines there are between the smallest and the largest value.
const LEVELS: usize = 10;

/// Contour lines of `f` over the ranges of x and y, and curves over them: the paths that optimizers take, for example. Each has a
/// colour and a place in the legend under the title. The ranges grow if curves leave them. `axes` is what x and y mean.
///
/// The levels are those that lie at equal distances where `f` is a square.
///
/// # Errors
/// When a range is empty or not finite, `f` is not finite somewhere in it, or a curve has no points, or one that is not finite or
/// too far away.
pub fn contours(
    title: &str,
    axes: [&str; 2],
    ranges: [Range<f64>; 2],
    f: impl Fn(f64, f64) -> f64,
    curves: &[Curve],
) -> Result<Display> {
    check(curves)?;
    let mut ends = ranges.map(|range| [range.start, range.end]);
    let are_a_map =
        |ends: [[f64; 2]; 2]| ends.iter().all(|[low, high]| low < high && (high - low).is_finite());
    ensure!(are_a_map(ends), "the ranges {ends:?} of \"{title}\" must each go from a number to a larger one");
    for &(x, y) in curves.iter().flat_map(|curve| &curve.points) {
        for ([low, high], value) in ends.iter_mut().zip([x, y]) {
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    ensure!(are_a_map(ends), "the curves of \"{title}\" are too far apart: {ends:?}");
    let lines = lines(ends, &f);
    ensure!(lines.is_some(), "the function of \"{title}\" is not finite everywhere in {ends:?}");
    let last: Vec<String> = curves
        .iter()
        .filter_map(|Curve { name, points, .. }| {
            let (x, y) = points.last()?;
            Some(format!("{name} ends at ({}, {})", fixed(*x, 4), fixed(*y, 4)))
        })
        .collect();
    let alt = format!("{title}, {} over {}, contour lines: {}", axes[1], axes[0], last.join("; "));
    svg::draw((640, 440), title, &alt, |area| {
        let top = legend(area, curves)?;
        let [x, y] = ends.map(|[low, high]| Axis::new(low, high));
        let ticks = [Ticks::new(x, 7, false), Ticks::new(y, 5, false)];
        let below_legend = area.margin(top, 10, 10, 30);
        // Without a grid, whose lines would pass for contour lines.
        let mut chart = with_axes(&below_legend, axes, ticks, TRANSPARENT)?;
        let places =
            |line: &[(f64, f64)]| line.iter().map(|point| (x.share(point.0), y.share(point.1))).collect();
        for line in lines.iter().flatten() {
            let places: Vec<_> = places(line);
            let series = LineSeries::new(places, INK.mix(0.35).stroke_width(2));
            chart.draw_series(series).map_err(drawing_error)?;
        }
        for (curve, color) in curves.iter().zip(colors(curves)) {
            let places: Vec<_> = places(&curve.points);
            let places = thinning::line(&places, area.dim_in_pixel().0 as usize);
            let series = LineSeries::new(places, color.filled().stroke_width(4)).point_size(6);
            chart.draw_series(series).map_err(drawing_error)?;
        }
        Ok(())
    })
}

type Line = Vec<(f64, f64)>;

/// The contour lines, or none where a value is not finite.
fn lines([[left, right], [bottom, top]]: [[f64; 2]; 2], f: impl Fn(f64, f64) -> f64) -> Option<Vec<Line>> {
    let x = |column: f64| left + (right - left) * column / GRID as f64;
    let y = |row: f64| bottom + (top - bottom) * row / GRID as f64;
    let row = |row: usize| (0..=GRID).map(|column| f(x(column as f64), y(row as f64))).collect();
    let values: Vec<Vec<f64>> = (0..=GRID).map(row).collect();
    let all = || values.iter().flatten().copied();
    if !all().all(f64::is_finite) {
        return None;
    }
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let levels = (1..LEVELS).map(|level| low + (high - low) * (level as f64 / LEVELS as f64).powi(2));
    let lines = levels.flat_map(|level| {
        let place = |&Edge { row, column, up }: &Edge| {
            let (start, end) =
                (values[row][column], if up { values[row + 1][column] } else { values[row][column + 1] });
            let share = (level - start) / (end - start);
            let (right, above) = if up { (0.0, share) } else { (share, 0.0) };
            (x(column as f64 + right), y(row as f64 + above))
        };
        let lines = chains(links(&values, level));
        lines.into_iter().map(|line| line.iter().map(place).collect()).collect::<Vec<Line>>()
    });
    Some(lines.collect())
}

/// An edge of a square of the grid, from a point to the next one above it or on its right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    row: usize,
    column: usize,
    up: bool,
}

/// The edges that a contour line crosses, each with those that it crosses next, in the squares on either side.
fn links(values: &[Vec<f64>], level: f64) -> BTreeMap<Edge, Vec<Edge>> {
    let mut links: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for row in 0..GRID {
        for column in 0..GRID {
            let above = |row: usize, column: usize| values[row][column] >= level;
            let corners = [
                above(row, column),
                above(row, column + 1),
                above(row + 1, column + 1),
                above(row + 1, column),
            ];
            let edges = [
                Edge { row, column, up: false },
                Edge { row, column: column + 1, up: true },
                Edge { row: row + 1, column, up: false },
                Edge { row, column, up: true },
            ];
            let is_crossed = |side: &usize| corners[*side] != corners[(side + 1) % 4];
            let crossed: Vec<Edge> = (0..4).filter(is_crossed).map(|side| edges[side]).collect();
            // Two, or four at a saddle.
            for pair in crossed.chunks_exact(2) {
                links.entry(pair[0]).or_default().push(pair[1]);
                links.entry(pair[1]).or_default().push(pair[0]);
            }
        }
    }
    links
}

/// The lines that links make: those with ends from one end to the other, and the closed ones.
fn chains(mut links: BTreeMap<Edge, Vec<Edge>>) -> Vec<Vec<Edge>> {
    let mut chains = Vec::new();
    loop {
        let end = links.iter().find(|(_, next)| next.len() == 1);
        let Some(mut edge) = end.or(links.iter().next()).map(|(edge, _)| *edge) else { return chains };
        let mut chain = vec![edge];
        while let Some(next) = links.get_mut(&edge).and_then(Vec::pop) {
            if let Some(back) = links.get_mut(&next) {
                back.retain(|other| *other != edge);
            }
            chain.push(next);
            edge = next;
        }
        links.retain(|_, next| !next.is_empty());
        chains.push(chain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_bowl_are_circles_and_those_of_a_slope_straight() {
        let bowl = lines([[-1.0, 1.0], [-1.0, 1.0]], |x, y| x * x + y * y).unwrap();
        // The levels are 2, times 0.01, 0.04, …; from 1 on a circle is cut by the sides into four.
        assert_eq!(bowl.len(), 7 + 2 * 4);
        for (line, root) in bowl[..7].iter().zip(1..) {
            assert_eq!(line.first(), line.last(), "a circle is closed");
            let radius = 2f64.sqrt() * f64::from(root) / 10.0;
            assert!(line.iter().all(|(x, y)| (x.hypot(*y) - radius).abs() < 0.005), "{radius}: {line:?}");
        }
        let slope = lines([[0.0, 2.0], [0.0, 1.0]], |x, _| x).unwrap();
        assert_eq!(slope.len(), 9);
        for (line, root) in slope.iter().zip(1..) {
            let x = 2.0 * f64::from(root * root) / 100.0;
            assert!(
                line.len() == GRID + 1 && line.iter().all(|point| (point.0 - x).abs() < 1e-9),
                "{line:?}"
            );
        }
        let saddle = lines([[-1.0, 1.0], [-1.0, 1.0]], |x, y| x * y).unwrap();
        assert!(saddle.len() >= 9 && saddle.iter().all(|line| line.len() > 1));
        assert!(lines([[0.0, 1.0], [0.0, 1.0]], |x, y| 1.0 / (x + y)).is_none());
        assert_eq!(lines([[0.0, 1.0], [0.0, 1.0]], |_, _| 3.0), Some(vec![]));
    }
}
