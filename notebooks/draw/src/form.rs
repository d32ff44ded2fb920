/// Pixels of an image of MNIST, to each side.
pub const SIDE: usize = 28;

/// Pixels that the longer side of its digit has.
const BOX: f64 = 20.0;

/// What is drawn, in the form of MNIST's images: `[28, 28]` in [0, 1], or nothing where there is no ink. `ink` has a byte
/// for each pixel of a pad, row by row in rows of `width`.
///
/// As Yann LeCun, Corinna Cortes and Christopher Burges describe it ("The MNIST database of handwritten digits"): the
/// digit is scaled, with its proportions, to fit a box of 20 x 20 pixels, the greys come from that, and its centre of mass
/// is put into the middle of the image.
pub fn form(ink: &[u8], width: usize) -> Option<Vec<f32>> {
    let inked = || (0..ink.len()).filter(|&at| ink[at] > 0);
    let columns = extent(inked().map(|at| at % width))?;
    let rows = extent(inked().map(|at| at / width))?;
    let total: f64 = inked().map(|at| f64::from(ink[at])).sum();
    // The ink of a pixel lies in its middle.
    let mean = |place: fn(usize, usize) -> usize| {
        inked().map(|at| f64::from(ink[at]) * (place(at, width) as f64 + 0.5)).sum::<f64>() / total
    };
    let scale = columns.max(rows) as f64 / BOX;
    let across = shares(mean(|at, width| at % width), scale, width);
    let down = shares(mean(|at, width| at / width), scale, ink.len() / width);
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

/// How many places there are from the first to the last.
fn extent(places: impl Iterator<Item = usize> + Clone) -> Option<usize> {
    Some(places.clone().max()? - places.min()? + 1)
}

/// For each row, or column, of the image: the rows of the pad that it covers, and which part of it each of them makes up.
/// `center` is what comes to lie in the middle, and `scale` how many rows of the pad make one of the image.
fn shares(center: f64, scale: f64, len: usize) -> Vec<Vec<(usize, f64)>> {
    let of = |at: usize| {
        let start = center + (at as f64 - SIDE as f64 / 2.0) * scale;
        let end = start + scale;
        // What lies beyond the pad is blank; a negative number becomes 0.
        let covered = start as usize..(end.ceil() as usize).min(len);
        covered.map(|row| (row, (end.min(row as f64 + 1.0) - start.max(row as f64)) / scale)).collect()
    };
    (0..SIDE).map(of).collect()
}
