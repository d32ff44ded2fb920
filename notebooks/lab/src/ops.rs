//! Operations that candle lacks, or gets wrong.

use crate::check_interrupt;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Largest value of each `window` x `window` square: `[batch, channel, height, width]` to
/// `[batch, channel, height / window, width / window]`. Rows and columns that fill no window are left out.
///
/// The gradient goes to the largest value: of equal ones to the first, as in PyTorch, for `f32` on the CPU, and to each
/// of them elsewhere. candle 0.11.1's own `max_pool2d` divides it by the number of values in the window, and misplaces
/// it where the size is no multiple of the window.
///
/// # Errors
/// When `x` has not four dimensions, or no window fits into it.
pub fn max_pool2d(x: &Tensor, window: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    if window == 0 || window > height || window > width {
        bail!("max_pool2d: no window of {window} x {window} in an image of {height} x {width}");
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op1(MaxPool { window });
    }
    composed(x, window)
}

/// From candle's own operations, for every device and type. An epoch of the course's network takes a quarter longer
/// with it on the CPU than with [`MaxPool`].
fn composed(x: &Tensor, window: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let (rows, columns) = (height / window, width / window);
    x.narrow(2, 0, rows * window)?
        .narrow(3, 0, columns * window)?
        .reshape((batch * channels * rows, window, columns, window))?
        .max(3)?
        .max(1)?
        .reshape((batch, channels, rows, columns))
}

/// The part, 0 to 1, of the predictions that are right: those where the largest of the logits `[batch, classes]` is that
/// of the class in `labels` `[batch]`.
///
/// # Errors
/// When the shapes do not match.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f32> {
    let predicted = logits.argmax(D::Minus1)?;
    predicted.eq(&labels.to_dtype(predicted.dtype())?)?.to_dtype(DType::F32)?.mean_all()?.to_scalar()
}

struct MaxPool {
    window: usize,
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        check_interrupt()?;
        let size = Size::new(layout.shape(), self.window)?;
        let input = contiguous(storage, layout)?;
        let mut output = vec![0.0; size.planes * size.pooled()];
        let planes = output.par_chunks_mut(size.pooled()).zip(input.par_chunks(size.plane()));
        planes.for_each(|(output, input)| {
            for (at, output) in output.iter_mut().enumerate() {
                *output = input[size.largest(at, input)];
            }
        });
        Ok((CpuStorage::F32(output), size.shape))
    }

    fn bwd(&self, x: &Tensor, _pooled: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op2_no_bwd(&gradient.contiguous()?, &MaxPoolGradient { window: self.window }).map(Some)
    }
}

/// From the input of [`MaxPool`] and the gradient of its output to the gradient of its input.
struct MaxPoolGradient {
    window: usize,
}

impl CustomOp2 for MaxPoolGradient {
    fn name(&self) -> &'static str {
        "max_pool2d_gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        check_interrupt()?;
        let size = Size::new(x_layout.shape(), self.window)?;
        let (input, gradient) = (contiguous(x, x_layout)?, contiguous(gradient, gradient_layout)?);
        let mut output = vec![0.0; input.len()];
        let planes = output.par_chunks_mut(size.plane()).zip(input.par_chunks(size.plane()));
        planes.zip(gradient.par_chunks(size.pooled())).for_each(|((output, input), gradient)| {
            for (at, gradient) in gradient.iter().enumerate() {
                output[size.largest(at, input)] = *gradient;
            }
        });
        Ok((CpuStorage::F32(output), x_layout.shape().clone()))
    }
}

/// How one plane, an image of one channel, is cut into windows.
struct Size {
    planes: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    window: usize,
    /// Of the pooled tensor.
    shape: Shape,
}

impl Size {
    fn new(shape: &Shape, window: usize) -> Result<Self> {
        let (batch, channels, height, width) = shape.dims4()?;
        let (rows, columns) = (height / window, width / window);
        let shape = (batch, channels, rows, columns).into();
        Ok(Self { planes: batch * channels, height, width, rows, columns, window, shape })
    }

    fn plane(&self) -> usize {
        self.height * self.width
    }

    fn pooled(&self) -> usize {
        self.rows * self.columns
    }

    /// Where in the plane the largest value of its window `at` is.
    fn largest(&self, at: usize, plane: &[f32]) -> usize {
        let corner = at / self.columns * self.window * self.width + at % self.columns * self.window;
        let mut largest = corner;
        for row in 0..self.window {
            for place in corner + row * self.width..corner + row * self.width + self.window {
                // A value that is no number must not vanish.
                if plane[place] > plane[largest] || plane[place].is_nan() {
                    largest = place;
                }
            }
        }
        largest
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("max_pool2d: the tensor must be contiguous"),
    }
}
