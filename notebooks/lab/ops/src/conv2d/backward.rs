//! The gradients of the convolution.

use super::dense::Dense;
use super::patches::{Channel, Patches};
use super::places::{Gradient, Places};
use super::size::Size;
use crate::aligned::Aligned;
use crate::check_interrupt;
use crate::output::Output;
use crate::processor::arch;
use crate::sums::sum;
use crate::threads;
use crate::transpose::transpose;
use crate::values;
use candle_core::{Result, Tensor};
use pulp::{Simd, WithSimd};
use std::sync::Mutex;

/// The number of images whose gradients are summed before those of other images are added. The order of the additions
/// depends on nothing else, so the sums are the same, bit for bit, however many threads there are.
const IMAGES: usize = 8;

/// The gradients of images, weight and bias, for candle's backward pass of an operation whose output `y` holds some values of
/// a convolution, after ReLU if `has_relu` says so; `dy` is the gradient of `y`. `places` returns where in the convolution the
/// values of output channel `o + c_out * n` come from.
pub fn gradients<'a>(
    (x, weight, bias): (&Tensor, &Tensor, &Tensor),
    (y, dy): (&Tensor, &Tensor),
    size: &Size,
    has_relu: bool,
    places: impl Fn(usize) -> &'a [u32] + Sync,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    check_interrupt()?;
    let dy = dy.contiguous()?;
    let (x_values, weight_values, y, dy) = (values(x), values(weight), values(y), values(&dy));
    let (y, dy) = (y.as_slice()?, dy.as_slice()?);
    let gradient = |output: usize| {
        let places = places(output);
        let this = output * places.len()..(output + 1) * places.len();
        Gradient { dy: &dy[this.clone()], relu: has_relu.then(|| &y[this]), places }
    };
    let (x_values, weight_values) = (x_values.as_slice()?, weight_values.as_slice()?);
    backward(x_values, weight_values, x.track_op(), size, gradient).of(x, weight, bias)
}

/// The gradients of a convolution.
struct Gradients {
    /// `[batch, c_in, height, width]`.
    x: Option<Vec<f32>>,
    /// `[c_out, c_in, k_h, k_w]`.
    weight: Vec<f32>,
    /// `[c_out]`.
    bias: Vec<f32>,
}

impl Gradients {
    /// As tensors. candle's backward pass panics if a gradient that it needs is missing, and stores those of tensors that it
    /// does not track, in vain.
    fn of(
        self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let tensor = |values: Vec<f32>, of: &Tensor| Tensor::from_vec(values, of.shape(), of.device());
        let tracked = |values, of: &Tensor| of.track_op().then(|| tensor(values, of)).transpose();
        let dx = self.x.map(|values| tensor(values, x)).transpose()?;
        Ok((dx, tracked(self.weight, weight)?, tracked(self.bias, bias)?))
    }
}

/// With the gradient dy of the output:
///
/// - dweight\[o, k\] = Σ dy\[n, o, place\] · x\[n, place + k\] over all images and places,
/// - dbias\[o\] = Σ dy\[n, o, place\],
/// - dx\[n, place + k\] = Σ weight\[o, k\] · dy\[n, o, place\] over all o and k, if it is wanted.
///
/// Before a pool most of dy is 0. So the places where it is not 0 are listed, and the part of the image under the kernel is visited
/// for each of them, see [`Patches`]. Images whose dy is mostly not 0, which the first of a chunk decides, are treated as a whole,
/// see [`Dense`]. `gradient` returns dy of output channel `o + c_out * n`.
fn backward<'a>(
    x: &[f32],
    weight: &[f32],
    wants_x: bool,
    size: &Size,
    gradient: impl Fn(usize) -> Gradient<'a> + Sync,
) -> Gradients {
    let arch = arch();
    let patches = Patches::new(arch, size);
    let (weights, weights_are_finite) = (patches.pack(weight, size), is_finite(weight));
    // A pool passes gradients to some places only. Nor does a page train anything, so it need not load the code for that.
    let has_all_places = size.batch > 0 && gradient(0).places.len() == size.pixels();
    let may_be_dense = !cfg!(target_family = "wasm") && has_all_places && weights_are_finite;
    let dense = may_be_dense.then(|| Dense::new(arch, size));
    let dense_weights =
        dense.as_ref().filter(|_| wants_x).map(|dense| dense.pack(weight, size)).unwrap_or_default();
    let chunks = size.batch.div_ceil(IMAGES);
    let mut dx = wants_x.then(|| Output::new(x.len()));
    let mut dx_chunks = dx.as_mut().map(|dx| dx.chunks(IMAGES * size.image()));
    let mut sums: Vec<_> = (0..chunks).map(|_| Mutex::new(None)).collect();
    let items = (0..).step_by(IMAGES).zip(x.chunks(IMAGES * size.image())).zip(&sums);
    let items = items.map(|((first, x), sum)| (first, x, dx_chunks.as_mut().and_then(Iterator::next), sum));
    threads::for_each(items, |(first, x, dx, result)| {
        let mut dx = dx.map(|dx| dx.filled(0.0));
        let mut chunk = Chunk {
            patches: &patches,
            size,
            weights: &weights,
            weights_are_finite,
            gradient: &gradient,
            x: Aligned::zeros(patches.image),
            dx: Aligned::zeros(if wants_x { patches.image } else { 0 }),
            places: Places::new(size),
            dweights: Aligned::zeros(weights.len()),
            whole: dense
                .as_ref()
                .filter(|_| is_dense(size, |output| gradient(first * size.c_out + output)))
                .map(|dense| Whole {
                    dense,
                    weights: &dense_weights,
                    dy: vec![0.0; size.output()],
                    dweights: Aligned::zeros(dense.packed(size)),
                }),
            bias: vec![0.0; size.c_out],
        };
        for (index, x) in x.chunks_exact(size.image()).enumerate() {
            let dx = dx.as_mut().map(|dx| &mut dx[index * size.image()..][..size.image()]);
            arch.dispatch(Step { chunk: &mut chunk, index: first + index, x, dx });
        }
        *result.lock().unwrap() = Some((chunk.dweights, chunk.whole.map(|whole| whole.dweights), chunk.bias));
    });
    drop(dx_chunks);
    let (mut packed, mut bias) = (vec![0.0; weights.len()], vec![0.0; size.c_out]);
    let mut dense_packed = vec![0.0; dense.as_ref().map_or(0, |dense| dense.packed(size))];
    for sum in &mut sums {
        let (chunk, dense, chunk_bias) = sum.get_mut().unwrap().as_ref().expect("each has been worked on");
        add(&mut packed, chunk);
        add(&mut dense_packed, dense.as_deref().unwrap_or_default());
        add(&mut bias, chunk_bias);
    }
    let mut weight = patches.unpack(&packed, size);
    if let Some(dense) = dense {
        add(&mut weight, &dense.unpack(&dense_packed, size));
    }
    Gradients { x: dx.map(Output::finish), weight, bias }
}

fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The state of a thread that works on some images, one after the other, and the sums of their gradients.
struct Chunk<'a, G> {
    patches: &'a Patches,
    size: &'a Size,
    weights: &'a [f32],
    weights_are_finite: bool,
    gradient: &'a G,
    /// The image, `[height, width, c_in]` with the padding.
    x: Aligned,
    /// The gradient of the image, laid out as `x`; empty if it is not wanted.
    dx: Aligned,
    places: Places,
    /// The gradient of the weights, laid out as `weights`.
    dweights: Aligned,
    whole: Option<Whole<'a>>,
    bias: Vec<f32>,
}

/// What images need that are treated as a whole.
struct Whole<'a> {
    dense: &'a Dense,
    /// The kernels for the gradient of the image, if that is wanted.
    weights: &'a [Aligned],
    /// The gradient of an image before ReLU, `[c_out, rows, columns]`.
    dy: Vec<f32>,
    /// The gradient of the weights.
    dweights: Aligned,
}

impl Whole<'_> {
    /// Computes the gradients of an image, unless something is infinite: padding is multiplied with it, and 0 times infinity is NaN.
    #[inline(always)]
    fn try_image<'a, S: Simd>(
        &mut self,
        simd: S,
        gradient: impl Fn(usize) -> Gradient<'a>,
        (x, dx, dbias): (&[f32], Option<&mut [f32]>, &mut [f32]),
        size: &Size,
    ) -> bool {
        for (output, dy) in self.dy.chunks_exact_mut(size.pixels()).enumerate() {
            gradient(output).copy_to(dy);
        }
        if !is_finite(&self.dy) || !is_finite(x) {
            return false;
        }
        for (dbias, dy) in dbias.iter_mut().zip(self.dy.chunks_exact(size.pixels())) {
            *dbias += sum([dy], |[dy]| dy) as f32;
        }
        self.dense.add_weights(simd, x, &self.dy, size, &mut self.dweights);
        if let Some(dx) = dx {
            self.dense.set_image(simd, &self.dy, self.weights, size, dx);
        }
        true
    }
}

/// One image of a chunk.
struct Step<'a, 'b, G> {
    chunk: &'b mut Chunk<'a, G>,
    /// The index of the image in the batch.
    index: usize,
    x: &'b [f32],
    dx: Option<&'b mut [f32]>,
}

impl<'a, G: Fn(usize) -> Gradient<'a>> WithSimd for Step<'_, '_, G> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Chunk {
            patches,
            size,
            weights,
            weights_are_finite,
            gradient,
            x,
            dx,
            places,
            dweights,
            whole,
            bias,
        } = self.chunk;
        let mut to = self.dx;
        if let Some(whole) = whole {
            let gradient = |output| gradient(self.index * size.c_out + output);
            if whole.try_image(simd, gradient, (self.x, to.as_deref_mut(), bias), size) {
                return;
            }
        }
        let area = size.height * size.width;
        for (from, to, len) in lines(size) {
            transpose(simd, (&self.x[from..], area), (&mut x[to..], size.c_in), size.c_in, len);
        }
        dx.fill(0.0);
        // 0 times infinity is NaN, so places where the gradient is 0 count too.
        let all = !(*weights_are_finite && is_finite(self.x));
        let weights = weights.chunks_exact(patches.packed).zip(dweights.chunks_exact_mut(patches.packed));
        for (output, ((weights, dweights), dbias)) in weights.zip(bias).enumerate() {
            let gradient = gradient(self.index * size.c_out + output);
            if all {
                places.list_all(&gradient, size)
            } else {
                places.list(&gradient)
            }
            patches.visit(simd, x, places, Channel { weights, dweights, dbias }, dx);
        }
        if let Some(to) = to {
            for (into, from, len) in lines(size) {
                transpose(simd, (&dx[from..], size.c_in), (&mut to[into..], area), len, size.c_in);
            }
        }
    }
}

/// Runs of pixels that are contiguous both in an image `[channel, height, width]` and in the padded `[height, width, channel]`:
/// the start in a channel of the first, the start in the second, and the number of pixels.
#[inline(always)]
fn lines(size: &Size) -> impl Iterator<Item = (usize, usize, usize)> {
    let Size { height, width, padding, c_in, .. } = *size;
    let (lines, len) = if padding == 0 { (1, height * width) } else { (height, width) };
    let padded_width = size.padded_width();
    (0..lines).map(move |line| (line * width, ((line + padding) * padded_width + padding) * c_in, len))
}

/// Whether at least half of the gradient of an image is not 0, so that it is faster to treat it as a whole.
fn is_dense<'a>(size: &Size, gradient: impl Fn(usize) -> Gradient<'a>) -> bool {
    let counted: u32 = (0..size.c_out).map(|output| gradient(output).count()).sum();
    2 * counted as usize >= size.output()
}

/// Written so that the compiler uses vector instructions.
#[inline(always)]
fn is_finite(values: &[f32]) -> bool {
    values.iter().fold(0, |most, value| most.max(value.abs().to_bits())) < f32::INFINITY.to_bits()
}
