//! How planes lie in memory for the depthwise convolution.

use crate::conv2d::size::Size;
use crate::conv2d::tile::Taps;

/// A plane with its padding, in which the pixels that a weight meets at neighbouring outputs are neighbours, too: each row is split into
/// as many as the stride, the first with its pixels 0, stride, 2 · stride, …, the second with the pixels after those.
///
/// Outputs are taken a vector at a time. Those beyond the end of a row meet zeros.
pub struct Frame {
    size: Size,
    lanes: usize,
    /// The number of values of a part of a row.
    pitch: usize,
    /// For each vector of outputs, row by row, the index of the pixel at the corner of the kernel of its first output.
    pub places: Vec<usize>,
    /// The indices of the pixels under a kernel, relative to its corner.
    pub taps: Taps,
}

impl Frame {
    /// For vectors of so many lanes.
    pub fn new(size: Size, lanes: usize) -> Self {
        let Size { stride, dilation, k_h, k_w, rows, columns, .. } = size;
        let reach = columns.next_multiple_of(lanes) + (k_w - 1) * dilation / stride;
        let pitch = reach.max(size.padded_width().div_ceil(stride));
        let row = |row: usize| (0..columns).step_by(lanes).map(move |at| row * stride * stride * pitch + at);
        let tap = |at: usize| {
            let (row, column) = (at / k_w * dilation, at % k_w * dilation);
            (row * stride + column % stride) * pitch + column / stride
        };
        let taps = Taps::new((0..k_h * k_w).map(tap).collect());
        Self { size, lanes, pitch, places: (0..rows).flat_map(row).collect(), taps }
    }

    /// Its number of values.
    pub fn len(&self) -> usize {
        self.size.padded_height() * self.size.stride * self.pitch
    }

    /// The number of values of the vectors of all outputs.
    pub fn outputs(&self) -> usize {
        self.places.len() * self.lanes
    }

    /// Calls `f` with the index in the frame of the first of some pixels, that in the plane, and their number; in the frame they are
    /// neighbours, and in the plane a stride apart.
    #[inline(always)]
    fn each_run(&self, mut f: impl FnMut(usize, usize, usize)) {
        let Size { height, width, padding, stride, .. } = self.size;
        for row in 0..height {
            for first in 0..stride.min(width) {
                let column = padding + first;
                let part = (row + padding) * stride + column % stride;
                f(part * self.pitch + column / stride, row * width + first, (width - first).div_ceil(stride));
            }
        }
    }

    /// Puts a plane into its frame, the padding of which stays as it is.
    #[inline(always)]
    pub fn put(&self, plane: &[f32], frame: &mut [f32]) {
        let stride = self.size.stride;
        self.each_run(
            #[inline(always)]
            |at, first, len| match stride {
                1 => frame[at..][..len].copy_from_slice(&plane[first..][..len]),
                _ => {
                    let pixels = plane[first..].iter().step_by(stride);
                    frame[at..][..len].iter_mut().zip(pixels).for_each(|(value, pixel)| *value = *pixel);
                }
            },
        );
    }

    /// Takes the plane out of its frame.
    #[inline(always)]
    pub fn take(&self, frame: &[f32], plane: &mut [f32]) {
        let stride = self.size.stride;
        self.each_run(
            #[inline(always)]
            |at, first, len| match stride {
                1 => plane[first..][..len].copy_from_slice(&frame[at..][..len]),
                _ => {
                    let pixels = plane[first..].iter_mut().step_by(stride);
                    frame[at..][..len].iter().zip(pixels).for_each(|(value, pixel)| *pixel = *value);
                }
            },
        );
    }

    /// The outputs of a vector, by its number.
    pub fn output(&self, vector: usize) -> std::ops::Range<usize> {
        let columns = self.size.columns;
        let of_row = columns.div_ceil(self.lanes);
        let (row, column) = (vector / of_row, vector % of_row * self.lanes);
        let start = row * columns + column;
        start..start + self.lanes.min(columns - column)
    }
}
