//! The layers of the average pools.

use crate as ops;
use candle_core::{Module, Result, Tensor};

/// The layer of [`ops::avg_pool2d_with_padding`].
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    window: usize,
    stride: usize,
    padding: usize,
}

impl AvgPool2d {
    /// Windows of `window` x `window`, side by side.
    pub fn new(window: usize) -> Self {
        Self::with_padding(window, window, 0)
    }

    /// Windows that start every `stride` rows and columns of images with so many rows and columns of zeros on each side.
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

    /// The number of rows and columns of zeros on each side.
    pub fn padding(&self) -> usize {
        self.padding
    }
}

impl Module for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::avg_pool2d_with_padding(x, self.window, self.stride, self.padding)
    }
}

/// The layer of [`ops::global_avg_pool2d`].
#[derive(Clone, Copy, Debug)]
pub struct GlobalAvgPool2d;

impl Module for GlobalAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::global_avg_pool2d(x)
    }
}
