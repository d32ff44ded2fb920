//! A drawing in the form of MNIST's images.

/// Pixels along each side of an image of MNIST.
const SIDE: usize = 28;

/// Pixels along the longer side of its digit.
const BOX: f64 = 20.0;

/// The row, and the column, in which the centre of mass of its digit lies.
const MIDDLE: f64 = 14.0;

/// The drawing in the form of MNIST's images: `[28, 28]` in [0, 1], or nothing if there is no ink. `ink` has a byte for each
/// pixel of a pad, row by row in rows of `width`.
///
/// As Yann LeCun, Corinna Cortes and Christopher Burges describe it ("The MNIST database of handwritten digits"): the
/// digit is scaled to fit a box of 20 x 20 pixels, keeping its proportions, which turns its edges grey, and is moved so that
/// its centre of mass lies in the middle of the image. They moved it by whole pixels, as the images show: of MNIST's 10,000
/// test images, enlarged to the size of a pad, 9,997 come back as they were.
pub fn form(ink: &[u8], width: usize) -> Option<Vec<f32>> {
    let inked = || (0..ink.len()).filter(|&at| ink[at] > 0);
    let columns = Extent::of(inked().map(|at| (at % width, ink[at])))?;
    let rows = Extent::of(inked().map(|at| (at / width, ink[at])))?;
    let scale = columns.len().max(rows.len()) as f64 / BOX;
    let (across, down) = (columns.shares(scale), rows.shares(scale));
    let pixel = |at: usize| {
        let row = |&(row, share): &(usize, f64)| {
            let ink = &ink[row * width..][..width];
            share
                * across[at % SIDE].iter().map(|&(column, share)| share * f64::from(ink[column])).sum::<f64>()
        };
        (down[at / SIDE].iter().map(row).sum::<f64>() / 255.0) as f32
    };
    Some((0..SIDE * SIDE).map(pixel).collect())
}

/// Where there is ink along one axis of the pad.
struct Extent {
    start: usize,
    end: usize,
    mean: f64,
}

impl Extent {
    /// From places along the axis and their ink.
    fn of(inked: impl Iterator<Item = (usize, u8)> + Clone) -> Option<Self> {
        let places = inked.clone().map(|(place, _)| place);
        let total: f64 = inked.clone().map(|(_, ink)| f64::from(ink)).sum();
        // The ink of a pixel is taken to lie at its centre.
        let sum: f64 = inked.map(|(place, ink)| (place as f64 + 0.5) * f64::from(ink)).sum();
        Some(Self { start: places.clone().min()?, end: places.max()? + 1, mean: sum / total })
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    /// For each row (or column) of the image: the rows of the pad that it covers, each with the fraction of the image's row
    /// that it makes up. `scale` rows of the pad make one row of the image.
    fn shares(&self, scale: f64) -> Vec<Vec<(usize, f64)>> {
        let center = (self.mean - self.start as f64) / scale;
        // The rows above the digit. Rounding errors must not decide when a symmetric digit can go either way.
        let blank = (MIDDLE - center - 1e-6).ceil();
        let of = |at: usize| {
            let start = self.start as f64 + (at as f64 - blank) * scale;
            let end = start + scale;
            // A negative number becomes 0 as a `usize`.
            let covered = (start as usize).max(self.start)..(end.ceil() as usize).min(self.end);
            covered.map(|row| (row, (end.min(row as f64 + 1.0) - start.max(row as f64)) / scale)).collect()
        };
        (0..SIDE).map(of).collect()
    }
}
