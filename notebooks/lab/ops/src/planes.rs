//! A tensor by its channels.

use crate::output::{Chunk, Output};
use crate::processor::{arch, vectorized};
use crate::threads;
use candle_core::Layout;

/// A tensor `[batch, channels, …]` as planes: the values of a channel of an image, which are contiguous.
pub struct Planes {
    pub channels: usize,
    /// The number of values of a plane.
    pub len: usize,
    /// The number of values of a channel in all images.
    pub of_channel: f64,
}

impl Planes {
    pub fn new(layout: &Layout) -> Self {
        let dims = layout.dims();
        Self::of_size(dims[0], dims[1], dims[2..].iter().product())
    }

    /// Of images of so many channels of `len` values.
    pub fn of_size(batch: usize, channels: usize, len: usize) -> Self {
        Self { channels, len, of_channel: (batch * len) as f64 }
    }

    /// The planes of a channel, in the order of the images.
    pub fn of<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        values.chunks_exact(self.len).skip(channel).step_by(self.channels)
    }

    /// What `f` makes of each channel and, for each image, of room for its plane; on all threads.
    pub fn map<T: Send>(
        &self,
        output: &mut Output<f32>,
        f: impl Fn(usize, Vec<Chunk<'_, f32>>) -> T + Sync,
    ) -> Vec<T> {
        let mut of_channels: Vec<Vec<_>> = (0..self.channels).map(|_| Vec::new()).collect();
        for (at, plane) in output.chunks(self.len).enumerate() {
            of_channels[at % self.channels].push(plane);
        }
        threads::map(of_channels.into_iter().enumerate(), |(channel, planes)| {
            // Compiled for the vector instructions of this processor.
            arch().dispatch(
                #[inline(always)]
                || f(channel, planes),
            )
        })
    }

    /// What `f` makes of each channel, on all threads.
    pub fn each<T: Send>(&self, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
        threads::map(0..self.channels, |channel| {
            vectorized(
                #[inline(always)]
                || f(channel),
            )
        })
    }
}
