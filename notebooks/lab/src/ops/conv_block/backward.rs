use super::forward::{corners, pixels};
use super::{NONE, rows};
use crate::ops::aligned::Aligned;
use crate::ops::conv2d::{Gradients, IMAGES, Size, add};
use crate::ops::transpose::transpose;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// From `dy`, the gradient of the pooled values, and `largest`, which of its window each is. Only those places of the
/// convolution have a gradient, so for each of them, with the part of the image under the kernel there,
///
/// - dweight += dy · part of x,
/// - part of dx += dy · weight.
///
/// For this, an image lies as `[height, width, channel]`: then a row of the kernel is one piece of the image.
/// ```text
///    x:  │ c c c │ c c c │ c c c │ c c c │ …   first row of pixels
///                └───── row 0 of a kernel of width 3 at column 1 ─────┘
/// ```
pub fn backward(
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    largest: &[u8],
    wants_x: bool,
    window: usize,
    size: &Size,
) -> Gradients {
    let arch = Arch::new();
    let kernel = rows::Kernel::new(arch, size);
    let weights = kernel.pack(weight, size);
    let windows = corners(size, window).into_iter().map(|at| at * size.c_in).collect::<Vec<_>>();
    let mut within = [0; NONE as usize + 1];
    for (within, pixel) in within.iter_mut().zip(pixels(size, window)) {
        *within = pixel * size.c_in;
    }
    let (pooled, area) = (size.c_out * windows.len(), size.height * size.width);
    let mut dx = wants_x.then(|| vec![0.0; x.len()]);
    let dx_chunks: Vec<Option<&mut [f32]>> = match &mut dx {
        Some(dx) => dx.chunks_mut(IMAGES * size.image()).map(Some).collect(),
        None => (0..size.batch.div_ceil(IMAGES)).map(|_| None).collect(),
    };
    let chunks = x.par_chunks(IMAGES * size.image()).zip(dx_chunks);
    let outputs = dy.par_chunks(IMAGES * pooled).zip(largest.par_chunks(IMAGES * pooled));
    let sums: Vec<(Aligned, Vec<f32>)> = chunks
        .zip(outputs)
        .map(|((x, mut dx), (dy, largest))| {
            let mut dweights = Aligned::zeros(weights.len());
            let mut bias = vec![0.0; size.c_out];
            let mut image = Aligned::zeros(size.image() + kernel.slack);
            let mut dimage = Aligned::zeros(if wants_x { image.len() } else { 0 });
            let outputs = dy.chunks_exact(pooled).zip(largest.chunks_exact(pooled));
            for (index, (x, (dy, largest))) in x.chunks_exact(size.image()).zip(outputs).enumerate() {
                transpose((x, area), (&mut image, size.c_in), size.c_in, area);
                dimage.fill(0.0);
                arch.dispatch(Image {
                    kernel: &kernel,
                    x: &image,
                    weights: &weights,
                    windows: &windows,
                    within: &within,
                    dy,
                    largest,
                    dweights: &mut dweights,
                    bias: &mut bias,
                    dx: &mut dimage,
                });
                if let Some(dx) = &mut dx {
                    let dx = &mut dx[index * size.image()..][..size.image()];
                    transpose((&dimage, size.c_in), (dx, area), area, size.c_in);
                }
            }
            (dweights, bias)
        })
        .collect();
    let (mut packed, mut bias) = (vec![0.0; weights.len()], vec![0.0; size.c_out]);
    for (chunk_weights, chunk_bias) in &sums {
        add(&mut packed, chunk_weights);
        add(&mut bias, chunk_bias);
    }
    Gradients { x: dx, weight: kernel.unpack(&packed, size), bias }
}

/// The gradients from one image.
struct Image<'a> {
    kernel: &'a rows::Kernel,
    /// `[height, width, channel]`, and a vector more.
    x: &'a [f32],
    weights: &'a [f32],
    /// The corners of windows in `x`, and the values of a window relative to them.
    windows: &'a [usize],
    within: &'a [usize; NONE as usize + 1],
    dy: &'a [f32],
    largest: &'a [u8],
    /// As `weights`, added to.
    dweights: &'a mut [f32],
    bias: &'a mut [f32],
    /// As `x`, added to; empty if it is not wanted.
    dx: &'a mut [f32],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { kernel, x, weights, windows, within, dy, largest, dweights, bias, dx } = self;
        let mut places = vec![rows::Place::default(); windows.len()];
        let outputs = dy.chunks_exact(windows.len()).zip(largest.chunks_exact(windows.len()));
        let weights = weights.chunks_exact(kernel.packed).zip(dweights.chunks_exact_mut(kernel.packed));
        for ((dy, largest), ((weights, dweights), bias)) in outputs.zip(weights.zip(bias)) {
            // Which places have a gradient looks random to the processor: no branch could be foreseen.
            let mut len = 0;
            for ((&corner, &dy), &pixel) in windows.iter().zip(dy).zip(largest) {
                places[len] = rows::Place { at: corner + within[usize::from(pixel)], gradient: dy };
                len += usize::from(pixel != NONE);
            }
            let places = &places[..len];
            *bias += places.iter().map(|place| place.gradient).sum::<f32>();
            kernel.add_weights(simd, x, places, dweights);
            if !dx.is_empty() {
                kernel.add_input(simd, weights, places, dx);
            }
        }
    }
}
