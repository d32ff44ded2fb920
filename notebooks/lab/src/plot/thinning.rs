//! Leaves out points that would be drawn over each other, so that a picture of 100,000 points stays small.

use std::collections::HashSet;

/// Up to this number, all points are drawn.
const FEW: usize = 1_000;
/// The most points that a line may have.
const MOST: usize = 10_000;

/// The points of a line that make a visible difference, for coordinates in 0 to 1 on an area of `width` pixels: of consecutive
/// points in one column of pixels the first, the lowest, the highest and the last. If a line goes back and forth too often for
/// that to suffice, every second, third, … point.
pub fn line(points: &[(f64, f64)], width: usize) -> Vec<(f64, f64)> {
    if points.len() <= FEW {
        return points.into();
    }
    let column = |point: &(f64, f64)| (point.0 * width as f64) as i64;
    let in_one_column = |one: &(f64, f64), next: &(f64, f64)| column(one) == column(next);
    let mut kept = Vec::new();
    for run in points.chunk_by(in_one_column) {
        let by_height = |at: &usize, other: &usize| run[*at].1.total_cmp(&run[*other].1);
        let places = || 0..run.len();
        let mut at = [
            0,
            places().min_by(by_height).unwrap_or(0),
            places().max_by(by_height).unwrap_or(0),
            run.len() - 1,
        ];
        at.sort();
        let mut at = at.to_vec();
        at.dedup();
        kept.extend(at.into_iter().map(|at| run[at]));
    }
    let step = kept.len().div_ceil(MOST);
    kept.into_iter().step_by(step).collect()
}

/// One of the dots in each square of `side` pixels, on an area of `width` x `height` pixels.
pub fn dots(points: &[(f64, f64)], (width, height): (usize, usize), side: usize) -> Vec<(f64, f64)> {
    if points.len() <= FEW {
        return points.into();
    }
    let mut taken = HashSet::new();
    let square = |share: f64, pixels: usize| (share * pixels as f64) as usize / side;
    points.iter().copied().filter(|(x, y)| taken.insert((square(*x, width), square(*y, height)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_line_keeps_its_ends_and_its_extremes() {
        let n = 100_000;
        let wave = |at: usize| (at as f64 / (n - 1) as f64, (at as f64 * 0.37).sin() / 2.0 + 0.5);
        let mut points: Vec<_> = (0..n).map(wave).collect();
        points[34_567].1 = 1.0;
        points[76_543].1 = 0.0;
        let kept = line(&points, 1000);
        assert!(kept.len() <= 4004, "{}", kept.len());
        for at in [0, 34_567, 76_543, n - 1] {
            assert!(kept.contains(&points[at]), "point {at}");
        }
        assert!(kept.is_sorted_by(|one, next| one.0 < next.0), "in their order");
        assert_eq!(line(&points[..FEW], 10), points[..FEW]);
        let scribble: Vec<_> = points.iter().map(|(x, y)| (*y, *x)).collect();
        let kept = line(&scribble, 1000);
        assert!((MOST / 2..=MOST).contains(&kept.len()) && kept[0] == scribble[0], "{}", kept.len());
    }

    #[test]
    fn one_dot_remains_of_those_that_cover_each_other() {
        let same = vec![(0.5, 0.5); 2000];
        assert_eq!(dots(&same, (100, 100), 8), [(0.5, 0.5)]);
        let grid: Vec<_> =
            (0..10_000).map(|at| (f64::from(at % 100) / 100.0, f64::from(at / 100) / 100.0)).collect();
        assert_eq!(dots(&grid, (100, 100), 10).len(), 100);
    }
}
