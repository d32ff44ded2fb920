//! The gradients of a convolution at all places of its output at once.
//!
//! Both are sums of the kind that [`tile::sums`] computes. The gradient of the weights has the roles of places and taps exchanged:
//! the places are the weights of a kernel, and what is summed over are the pixels of the output. The gradient of the image is itself
//! a convolution, of the gradient of the output with the transposed kernels; at a stride of s, each pixel of the image meets only
//! every s-th row and column of a kernel, so the image is made of s · s convolutions, each with its part of the kernels.

use super::forward::{self, Image, corners, pad, taps};
use super::size::Size;
use super::tile::{self, Sums, Taps, Tile};
use crate::aligned::Aligned;
use crate::transpose::transpose;
use pulp::{Arch, Simd, bytemuck};

/// What the gradients of all images have in common.
pub struct Dense {
    /// The number of output channels in a block.
    pub block: usize,
    /// The pixels of the output as indices in a channel of the padded image.
    pixels: Taps,
    /// The weights of a kernel as indices in the padded image.
    kernel: Vec<usize>,
    /// The gradient of the output with the zeros that the transposed kernels reach beyond it.
    padded: Padded,
    phases: Vec<Phase>,
}

/// Where a plane of the output's gradient lies in a plane with zeros around it.
struct Padded {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

/// Every s-th row and column of the image, with the part of the kernels that meets them.
struct Phase {
    row: usize,
    column: usize,
    columns: usize,
    places: Vec<usize>,
    taps: Taps,
    /// The index in a kernel `[k_h, k_w]` of each tap of an output channel.
    of_kernel: Vec<usize>,
}

impl Phase {
    /// The part `y` of the image, `[c_in, places]`, from the padded gradient, the kernels, and zeros.
    #[inline(always)]
    fn image<S: Simd>(&self, simd: S, (x, weights, bias): (&[f32], &[f32], &[f32]), y: &mut [f32]) {
        let Self { places, taps, .. } = self;
        Image { x, places, taps, weights, bias, relu: false, y }.compute(simd);
    }
}

/// Along one dimension: how many zeros come before the output's gradient, how long it is with those around it, and for each phase
/// its length, and its taps, each with its index in the kernel and in the padded gradient.
struct Line {
    before: usize,
    len: usize,
    phases: Vec<(usize, Vec<(usize, usize)>)>,
}

impl Line {
    /// Pixel i of the image is met by tap u of the kernel at place (i + padding - u · dilation) / stride of the output, if that is
    /// whole.
    fn new(image: usize, outputs: usize, kernel: usize, size: &Size) -> Self {
        let signed = |n: usize| n as isize;
        let (stride, padding, dilation) = (signed(size.stride), signed(size.padding), signed(size.dilation));
        // For pixel `phase + stride · m` the place is m plus this.
        let offsets = |phase: usize| {
            (0..kernel).filter_map(move |u| {
                let at = signed(phase) + padding - signed(u) * dilation;
                (at.rem_euclid(stride) == 0).then(|| (u, at.div_euclid(stride)))
            })
        };
        let phases =
            || (0..size.stride.min(image)).map(|phase| (phase, (image - phase).div_ceil(size.stride)));
        let all = || phases().flat_map(|(phase, len)| offsets(phase).map(move |(_, offset)| (len, offset)));
        let before = all().map(|(_, offset)| -offset).max().unwrap_or(0).max(0);
        let end = all().map(|(len, offset)| signed(len) + offset).max().unwrap_or(0);
        let line =
            |(phase, len)| (len, offsets(phase).map(|(u, offset)| (u, (offset + before) as usize)).collect());
        Self {
            before: before as usize,
            len: (before + end.max(signed(outputs))) as usize,
            phases: phases().map(line).collect(),
        }
    }
}

impl Dense {
    pub fn new(arch: Arch, size: &Size) -> Self {
        let rows = Line::new(size.height, size.rows, size.k_h, size);
        let columns = Line::new(size.width, size.columns, size.k_w, size);
        let plane = rows.len * columns.len;
        let mut phases = Vec::new();
        for (row, (height, row_taps)) in rows.phases.iter().enumerate() {
            for (column, (width, column_taps)) in columns.phases.iter().enumerate() {
                if row_taps.is_empty() || column_taps.is_empty() {
                    // No kernel meets these pixels, so their gradient is 0.
                    continue;
                }
                let of_plane = || {
                    row_taps.iter().flat_map(|(u, row)| {
                        column_taps.iter().map(move |(v, column)| (*u, *row, *v, *column))
                    })
                };
                let places = (0..*height).flat_map(|row| (0..*width).map(move |column| (row, column)));
                phases.push(Phase {
                    row,
                    column,
                    columns: *width,
                    places: places.map(|(row, column)| row * columns.len + column).collect(),
                    taps: Taps::new(
                        (0..size.c_out)
                            .flat_map(|output| {
                                of_plane().map(move |(_, row, _, column)| (output, row, column))
                            })
                            .map(|(output, row, column)| output * plane + row * columns.len + column)
                            .collect(),
                    ),
                    of_kernel: of_plane().map(|(u, _, v, _)| u * size.k_w + v).collect(),
                });
            }
        }
        Self {
            block: tile::block_here(arch),
            pixels: Taps::new(corners(size)),
            kernel: taps(size).offsets().to_vec(),
            padded: Padded { top: rows.before, left: columns.before, height: rows.len, width: columns.len },
            phases,
        }
    }

    /// The kernels as the gradient of the image needs them: for each phase `[c_in / block, c_out, taps, block]`.
    pub fn pack(&self, weight: &[f32], size: &Size) -> Vec<Aligned> {
        let area = size.k_h * size.k_w;
        let pack = |phase: &Phase| {
            let input = |input: usize| {
                (0..size.c_out).flat_map(move |output| {
                    phase.of_kernel.iter().map(move |at| weight[(output * size.c_in + input) * area + at])
                })
            };
            let transposed: Vec<f32> = (0..size.c_in).flat_map(input).collect();
            forward::pack(&transposed, size.c_in, phase.taps.len(), self.block)
        };
        self.phases.iter().map(pack).collect()
    }

    /// Adds the gradient of the weights `[c_out / block, kernel, block]` that one image gives.
    #[inline(always)]
    pub fn add_weights<S: Simd>(&self, simd: S, x: &[f32], dy: &[f32], size: &Size, dweights: &mut [f32]) {
        let (x, count, block) = (&pad(x, size), size.pixels(), tile::block::<S>());
        let mut turned = Aligned::zeros(count * block);
        let dweights: &mut [Sums<S>] = bytemuck::cast_slice_mut(dweights);
        for (dy, dweights) in dy.chunks(block * count).zip(dweights.chunks_exact_mut(self.kernel.len())) {
            let channels = dy.len() / count;
            if channels < block {
                turned.fill(0.0);
            }
            transpose(simd, (dy, count), (&mut turned, block), channels, count);
            let dy = tile::as_sums::<S>(&turned);
            tile::each::<S>(&self.kernel, &mut Weights { simd, x, pixels: &self.pixels, dy, dweights });
        }
    }

    /// The gradient of one image, `[c_in, height, width]`, which is 0 before.
    #[inline(always)]
    pub fn set_image<S: Simd>(&self, simd: S, dy: &[f32], weights: &[Aligned], size: &Size, dx: &mut [f32]) {
        let Padded { top, left, height, width } = self.padded;
        let mut padded = vec![0.0; size.c_out * height * width];
        for (padded, dy) in padded.chunks_exact_mut(height * width).zip(dy.chunks_exact(size.pixels())) {
            let rows = padded[top * width + left..].chunks_mut(width);
            rows.zip(dy.chunks_exact(size.columns))
                .for_each(|(padded, dy)| padded[..dy.len()].copy_from_slice(dy));
        }
        let bias = Aligned::zeros(size.c_in.next_multiple_of(self.block));
        let area = size.height * size.width;
        if let (1, [phase], [weights]) = (size.stride, &self.phases[..], weights) {
            return phase.image(simd, (&padded, weights, &bias), dx);
        }
        let mut part = vec![0.0; size.image()];
        for (phase, weights) in self.phases.iter().zip(weights) {
            let count = phase.places.len();
            let part = &mut part[..size.c_in * count];
            phase.image(simd, (&padded, weights, &bias), part);
            for (dx, part) in dx.chunks_exact_mut(area).zip(part.chunks_exact(count)) {
                let rows = dx.chunks_exact_mut(size.width).skip(phase.row).step_by(size.stride);
                for (dx, part) in rows.zip(part.chunks_exact(phase.columns)) {
                    let dx = dx.iter_mut().skip(phase.column).step_by(size.stride);
                    dx.zip(part).for_each(|(dx, part)| *dx = *part);
                }
            }
        }
    }
}

/// The gradients of the weights of a block of output channels.
struct Weights<'a, S: Simd> {
    simd: S,
    x: &'a [f32],
    pixels: &'a Taps,
    /// One for each pixel.
    dy: &'a [Sums<S>],
    /// One for each weight of a kernel.
    dweights: &'a mut [Sums<S>],
}

impl<S: Simd> Tile for Weights<'_, S> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, kernel: [usize; P]) {
        let zero = [self.simd.splat_f32s(0.0); tile::VECTORS];
        let sums = tile::sums(self.simd, self.x, kernel, self.pixels, self.dy, zero);
        for (dweights, sums) in self.dweights[first..].iter_mut().zip(sums) {
            for (dweight, sum) in dweights.iter_mut().zip(sums) {
                *dweight = self.simd.add_f32s(*dweight, sum);
            }
        }
    }
}
