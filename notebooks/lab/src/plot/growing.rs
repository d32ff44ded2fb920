//! Curves that grow while a cell runs.

use super::Curve;
use crate::display::Display;
use crate::live::{Live, Mode};
use crate::{Interrupted, check_interrupt};
use std::mem::take;
use std::time::{Duration, Instant};

/// The time between two redraws.
const INTERVAL: Duration = Duration::from_millis(250);

/// A chart like that of [`curves`](super::curves) whose points come one by one, as the rewards of a training do:
///
/// ```
/// use lab::plot::Growing;
///
/// let mut chart = Growing::new("Reward", "CartPole", ["episode", "steps"]);
/// for episode in 1..=3 {
///     chart.dot("episode", episode as f64, 20.0)?;
///     chart.point("mean", episode as f64, 20.0)?;
/// }
/// chart.finish();
/// # Ok::<(), lab::anyhow::Error>(())
/// ```
///
/// It changes in place, a few times a second at most. Where output cannot do that, it is shown once, at the end. If it is dropped before
/// [`finish`](Self::finish), because an error or an interrupt ends the cell, it shows what has come until then.
pub struct Growing {
    title: String,
    data: String,
    axes: [String; 2],
    curves: Vec<Curve>,
    live: Live,
    ended: bool,
}

impl Growing {
    /// A chart without points. `title` is what it shows, `data` the name of the data set, `axes` what x and y mean.
    pub fn new(title: &str, data: &str, axes: [&str; 2]) -> Self {
        Self {
            title: title.into(),
            data: data.into(),
            axes: axes.map(String::from),
            curves: Vec::new(),
            live: Live::new(INTERVAL),
            ended: false,
        }
    }

    /// Adds a point to the line of this name, or begins the line. A point that is not finite is left out.
    ///
    /// # Errors
    /// When the user has interrupted the cell.
    pub fn point(&mut self, name: &str, x: f64, y: f64) -> Result<(), Interrupted> {
        self.add(name, (x, y), true)
    }

    /// The same for points that no line joins. A name has either dots or a line, whichever came first.
    ///
    /// # Errors
    /// When the user has interrupted the cell.
    pub fn dot(&mut self, name: &str, x: f64, y: f64) -> Result<(), Interrupted> {
        self.add(name, (x, y), false)
    }

    /// Draws the last state and returns the curves.
    pub fn finish(mut self) -> Vec<Curve> {
        self.end();
        take(&mut self.curves)
    }

    fn add(&mut self, name: &str, point: (f64, f64), joined: bool) -> Result<(), Interrupted> {
        check_interrupt()?;
        if !(point.0.is_finite() && point.1.is_finite()) {
            return Ok(());
        }
        match self.curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => self.curves.push(Curve { name: name.into(), points: vec![point], joined }),
        }
        if matches!(self.live.mode, Mode::Display(_)) && self.live.is_due(Instant::now()) {
            self.draw();
        }
        Ok(())
    }

    fn draw(&mut self) {
        let Self { title, data, axes: [x, y], curves, live, .. } = self;
        // A training must not fail because it cannot be drawn.
        let drawn = || super::curves(title, data, [x, y], curves);
        live.show(|| drawn().unwrap_or_else(|error| Display::html("").alt(&format!("{error:#}"))));
    }

    fn end(&mut self) {
        if !self.ended && !self.curves.is_empty() {
            self.draw();
        }
        self.ended = true;
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::Growing;

    #[test]
    fn points_join_the_curve_of_their_name() {
        let mut chart = Growing::new("Reward", "CartPole", ["episode", "steps"]);
        for (x, y) in [(1.0, 10.0), (2.0, f64::NAN), (3.0, 30.0)] {
            chart.dot("episode", x, y).unwrap();
            chart.point("mean", x, y / 2.0).unwrap();
        }
        let curves = chart.finish();
        let found: Vec<_> = curves.iter().map(|curve| (curve.name.as_str(), curve.joined)).collect();
        assert_eq!(found, [("episode", false), ("mean", true)]);
        assert_eq!(curves[0].points, [(1.0, 10.0), (3.0, 30.0)]);
        assert_eq!(curves[1].points, [(1.0, 5.0), (3.0, 15.0)]);
    }
}
