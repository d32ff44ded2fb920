//! The layer of the max pool.

use crate as ops;
use candle_core::{Module, Result, Tensor};

/// The layer of [`ops::max_pool2d`].
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    window: usize,
    stride: usize,
}

impl MaxPool2d {
    /// Windows of `window` x `window`, side by side.
    pub fn new(window: usize) -> Self {
        Self::with_stride(window, window)
    }

    /// Windows that start every `stride` rows and columns.
    pub fn with_stride(window: usize, stride: usize) -> Self {
        Self { window, stride }
    }

    /// The number of rows, and of columns, of a window.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The number of rows, and of columns, from one window to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }
}

impl Module for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::max_pool2d_with_stride(x, self.window, self.stride)
    }
}
