//! A tensor by its channels.

use crate::output::{Chunk, Output};
use crate::processor::arch;
use crate::sums::{sum, sums};
use crate::threads;
use candle_core::Layout;
use std::sync::Mutex;

/// Mean and variance of a channel.
#[derive(Clone, Copy)]
pub struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    /// The mean as a number that can be subtracted from an `f32`, and the rest of it.
    pub fn near(&self) -> (f32, f64) {
        let near = self.mean as f32;
        (near, self.mean - f64::from(near))
    }
}

/// A tensor `[batch, channels, …]` as planes: the values of a channel of an image, which are contiguous.
pub struct Planes {
    pub channels: usize,
    /// The number of values of a plane.
    len: usize,
    /// The number of values of a channel in all images.
    pub of_channel: f64,
}

impl Planes {
    pub fn new(layout: &Layout) -> Self {
        let dims = layout.dims();
        let (channels, len) = (dims[1], dims[2..].iter().product());
        Self { channels, len, of_channel: (dims[0] * len) as f64 }
    }

    /// The planes of a channel, in the order of the images.
    pub fn of<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        values.chunks_exact(self.len).skip(channel).step_by(self.channels)
    }

    /// Calls `f` with each channel and, for each image, room for its plane; on all threads.
    pub fn map(&self, output: &mut Output<f32>, f: impl Fn(usize, Vec<Chunk<'_, f32>>) + Sync) {
        let mut of_channels: Vec<Vec<_>> = (0..self.channels).map(|_| Vec::new()).collect();
        for (at, plane) in output.chunks(self.len).enumerate() {
            of_channels[at % self.channels].push(plane);
        }
        let arch = arch();
        threads::for_each(of_channels.into_iter().enumerate(), |(channel, planes)| {
            // Compiled for the vector instructions of this processor.
            arch.dispatch(
                #[inline(always)]
                || f(channel, planes),
            );
        });
    }

    /// What `f` makes of each channel, on all threads.
    pub fn each<T: Send>(&self, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let results: Vec<Mutex<Option<T>>> = (0..self.channels).map(|_| Mutex::new(None)).collect();
        let arch = arch();
        threads::for_each(results.iter().enumerate(), |(channel, result)| {
            let value = arch.dispatch(
                #[inline(always)]
                || f(channel),
            );
            *result.lock().unwrap() = Some(value);
        });
        results.into_iter().map(|result| result.into_inner().unwrap().expect("each was computed")).collect()
    }

    pub fn moments(&self, x: &[f32]) -> Vec<Moments> {
        self.each(
            #[inline(always)]
            |channel| {
                let mut planes = self.of(x, channel).peekable();
                // Deviations from a number that is likely to be near the mean: their squares are small, and no digits are lost.
                let near = planes.peek().map_or(0.0, |plane| sum([plane], |[x]| x) / self.len as f64) as f32;
                let (mut deviation, mut square) = (0.0, 0.0);
                for plane in planes {
                    let [deviations, squares] = sums([plane], |[x]| [x - near, (x - near) * (x - near)]);
                    deviation += deviations;
                    square += squares;
                }
                let off = deviation / self.of_channel;
                let variance = square / self.of_channel - off * off;
                // NaN propagates.
                let variance = if variance < 0.0 { 0.0 } else { variance };
                Moments { mean: f64::from(near) + off, variance }
            },
        )
    }
}
