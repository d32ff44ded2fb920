//! A split in the memory of a device.

use candle_core::{DType, Device, Result, Tensor};

/// Images and labels in the memory of a device, where batches are assembled.
#[derive(Clone)]
pub struct Resident {
    /// The pixels, `u8` `[len, channels, rows, columns]`.
    pixels: Tensor,
    /// The labels, `u32` `[len]`.
    labels: Tensor,
}

impl Resident {
    pub fn new(
        pixels: &[u8],
        classes: &[u8],
        [channels, rows, columns]: [usize; 3],
        device: &Device,
    ) -> Result<Self> {
        let pixels = Tensor::from_slice(pixels, (classes.len(), channels, rows, columns), device)?;
        let labels = Tensor::from_iter(classes.iter().map(|&class| u32::from(class)), device)?;
        Ok(Self { pixels, labels })
    }

    pub fn device(&self) -> &Device {
        self.pixels.device()
    }

    /// The images at `indices`, `u32` `[batch]`, as `f32` in 0 to 1, `[batch, channels, rows, columns]`, and their labels.
    pub fn batch(&self, indices: &Tensor) -> Result<(Tensor, Tensor)> {
        let images = self.pixels.index_select(indices, 0)?.to_dtype(DType::F32)?.affine(1.0 / 255.0, 0.0)?;
        Ok((images, self.labels.index_select(indices, 0)?))
    }
}
