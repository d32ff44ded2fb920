//! The layer of the max pool.

use crate as ops;
use candle_core::{Module, Result, Tensor};

/// The layer of [`ops::max_pool2d_with_padding`].
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    window: usize,
    stride: usize,
    padding: usize,
}

impl MaxPool2d {
    /// Windows of `window` x `window`, side by side.
    pub fn new(window: usize) -> Self {
        Self::with_stride(window, window)
    }

    /// Windows that start every `stride` rows and columns.
    pub fn with_stride(window: usize, stride: usize) -> Self {
        Self::with_padding(window, stride, 0)
    }

    /// The same, of images with so many rows and columns of padding on each side.
    pub fn with_padding(window: usize, stride: usize, padding: usize) -> Self {
        Self { window, stride, padding }
    }

    /// The number of rows, and of columns, of a window.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The number of rows, and of columns, from one window to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The number of rows and columns of padding on each side.
    pub fn padding(&self) -> usize {
        self.padding
    }
}

impl Module for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::max_pool2d_with_padding(x, self.window, self.stride, self.padding)
    }
}
