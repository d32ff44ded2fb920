//! The pool of outputs that lie channel by channel.

use super::forward::{Windows, larger};
use crate::aligned::Aligned;
use crate::conv2d::Size;
use crate::conv2d::winograd::Frame;
use crate::transpose::transpose;
use pulp::{Simd, bytemuck};

/// A pool of images in frames, with room for what it gives.
pub struct Pool {
    /// The number of channels, and that of the values of a pixel in the frame.
    channels: [usize; 2],
    /// The corners of the windows, as pixels of the frame, and as places in the convolution.
    corners: Vec<(usize, u32)>,
    /// The same for the pixels of a window, relative to its corner.
    pixels: Vec<(usize, u32)>,
    /// `[windows, channels]`.
    values: Aligned,
    /// Places, as the bits of numbers, laid out as `values`.
    from: Aligned,
}

impl Pool {
    pub fn new(frame: &Frame, windows: &Windows, size: &Size) -> Self {
        let (columns, width) = (size.columns, frame.size[1]);
        let in_frame = |place: u32| (place as usize / columns * width + place as usize % columns, place);
        let corners: Vec<_> = windows.places.iter().map(|place| in_frame(*place)).collect();
        let pixels = windows.pixels.iter().map(|(_, place)| in_frame(*place)).collect();
        let channels = [size.c_out, frame.channels.padded()];
        let [values, from] = [(); 2].map(|()| Aligned::zeros(corners.len() * channels[1]));
        Self { channels, corners, pixels, values, from }
    }

    /// Computes the pooled values of an image in a frame, and their places, both `[channels, windows]`.
    #[inline(always)]
    pub fn image<S: Simd>(&mut self, simd: S, frame: &[f32], y: &mut [f32], largest: &mut [u32]) {
        let Self { channels: [channels, padded], corners, pixels, values, from } = self;
        let vectors = *padded / S::F32_LANES;
        let frame: &[S::f32s] = bytemuck::cast_slice(frame);
        let of_windows = bytemuck::cast_slice_mut::<f32, S::f32s>(values).chunks_exact_mut(vectors);
        let of_places = bytemuck::cast_slice_mut::<f32, S::u32s>(from).chunks_exact_mut(vectors);
        for ((corner, place), (values, from)) in corners.iter().zip(of_windows.zip(of_places)) {
            for vector in 0..vectors {
                // Starting from 0 makes the maximum a ReLU.
                let mut found = (simd.splat_f32s(0.0), simd.splat_u32s(*place));
                for (pixel, offset) in pixels.iter() {
                    let value = frame[(corner + pixel) * vectors + vector];
                    found = larger(simd, found, (value, simd.splat_u32s(place + offset)));
                }
                (values[vector], from[vector]) = found;
            }
        }
        let count = corners.len();
        transpose(simd, (values, *padded), (y, count), count, *channels);
        transpose(simd, (from, *padded), (bytemuck::cast_slice_mut(largest), count), count, *channels);
    }
}
