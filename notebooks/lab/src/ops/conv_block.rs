mod forward;

use super::conv2d::{Places, Size, apply, backward, tile};
use super::processor::arch;
use super::{contiguous, conv2d_relu, has_kernel, max_pool2d, values};
use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

/// Stands for none of the values of a window.
const NONE: u8 = u8::MAX;

/// Its values must be numbers below [`NONE`].
const LARGEST_WINDOW: usize = 15;

/// [`conv2d_relu`](super::conv2d_relu()) without padding at stride 1, then [`max_pool2d`](super::max_pool2d()), in one: `x` `[batch, c_in, height, width]` to
/// `[batch, c_out, rows / window, columns / window]`, with rows and columns as of the convolution.
///
/// # Errors
/// When shapes, types or devices do not match, or no kernel or window fits.
pub fn conv2d_relu_max_pool2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    window: usize,
) -> Result<Tensor> {
    check_interrupt()?;
    let op = "conv2d_relu_max_pool2d";
    let size = Size::new(op, x, weight, bias, 1, 0)?;
    if window == 0 || window > size.rows || window > size.columns {
        bail!("{op}: expected a window within {} x {}, got {window} x {window}", size.rows, size.columns);
    }
    if !has_kernel(x) || window > LARGEST_WINDOW {
        return max_pool2d(&conv2d_relu(x, weight, bias, 1, 0)?, window);
    }
    apply(x, weight, bias, ConvBlock { size, window, largest: OnceLock::new() })
}

struct ConvBlock {
    size: Size,
    window: usize,
    /// For each output which value of its window it is, or [`NONE`] if none is above 0, in blocks of channels.
    largest: OnceLock<Vec<u8>>,
}

impl CustomOp3 for ConvBlock {
    fn name(&self) -> &'static str {
        "conv2d_relu_max_pool2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(self.name(), x, x_layout)?;
        let weight = contiguous(self.name(), weight, weight_layout)?;
        let bias = contiguous(self.name(), bias, bias_layout)?;
        let (y, largest) = forward::forward(x, weight, bias, self.window, &self.size);
        self.largest.get_or_init(|| largest);
        let Size { batch, c_out, rows, columns, .. } = self.size;
        Ok((CpuStorage::F32(y), (batch, c_out, rows / self.window, columns / self.window).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        check_interrupt()?;
        let Some(largest) = self.largest.get() else {
            bail!("{}: expected a forward pass before the gradient", self.name());
        };
        let dy = dy.contiguous()?;
        let (x_values, weight_values, dy) = (values(x), values(weight), values(&dy));
        let dy = dy.as_slice::<f32>()?;
        let windows = forward::window_corners(&self.size, self.window, self.size.columns);
        let pixels = forward::pixels(self.window, self.size.columns);
        // Of no use where ReLU has made 0 of all, but the same steps for each window need no branch.
        let mut within = [0; NONE as usize + 1];
        within[..pixels.len()].copy_from_slice(&pixels);
        let (channels, block) = (self.size.c_out, tile::block_here(arch()));
        let blocks = channels.div_ceil(block);
        let list = |output, all, places: &mut Places| {
            let (image, channel) = (output / channels, output % channels);
            let dy = &dy[output * windows.len()..][..windows.len()];
            let start = (image * blocks + channel / block) * windows.len() * block + channel % block;
            let outputs = windows.iter().zip(dy.iter().zip(largest[start..].iter().step_by(block)));
            let gradients = outputs.map(|(corner, (dy, pixel))| {
                let output = corner + within[usize::from(*pixel)];
                ((*pixel != NONE) & (*dy != 0.0), output as u32, *dy)
            });
            if all { self.list_all(gradients, places) } else { places.list(gradients) }
        };
        let (x_values, weight_values) = (x_values.as_slice()?, weight_values.as_slice()?);
        backward(x_values, weight_values, x.track_op(), &self.size, list).of(x, weight, bias)
    }
}

impl ConvBlock {
    /// With all others, whose gradient is 0.
    fn list_all(&self, gradients: impl Iterator<Item = (bool, u32, f32)>, places: &mut Places) {
        let mut dy = vec![0.0; self.size.pixels()];
        gradients
            .filter(|(is_some, ..)| *is_some)
            .for_each(|(_, output, gradient)| dy[output as usize] = gradient);
        places.list((0..).zip(dy).map(|(output, dy)| (true, output, dy)));
    }
}
