//! The gradients of the convolution.

use super::dense::Dense;
use super::forward::unpack;
use super::patches::{Channel, Patches};
use super::places::{Gradient, Places};
use super::size::Size;
use super::winograd::{self, Winograd, is_tame};
use crate::aligned::Aligned;
use crate::output::Output;
use crate::processor::{arch, vectorized};
use crate::sums::sum;
use crate::threads;
use crate::transpose::transpose;
use crate::values;
use crate::{IS_PAGE, check_interrupt};
use candle_core::{Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
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
/// see [`Dense`] and [`Winograd`]. `gradient` returns dy of output channel `o + c_out * n`.
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
    // A pool passes gradients to some places only.
    let has_all_places = size.batch > 0 && gradient(0).places.len() == size.pixels();
    let may_be_whole = !IS_PAGE && has_all_places && weights_are_finite;
    let whole = may_be_whole.then(|| Whole::new(arch, weight, wants_x, size));
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
            whole: whole
                .as_ref()
                .filter(|_| is_dense(size, |output| gradient(first * size.c_out + output)))
                .map(|whole| WholeChunk {
                    dy: vec![0.0; whole.images() * size.output()],
                    sums: whole.sums(size),
                    whole,
                }),
            bias: vec![0.0; size.c_out],
        };
        let images = whole.as_ref().map_or(1, Whole::images);
        for (index, x) in (0..).step_by(images).zip(x.chunks(images * size.image())) {
            let dx = dx.as_mut().map(|dx| &mut dx[index * size.image()..][..x.len()]);
            arch.dispatch(Step { chunk: &mut chunk, index: first + index, x, dx });
        }
        let whole = chunk.whole.map(|whole| whole.sums.finish(arch));
        *result.lock().unwrap() = Some((chunk.dweights, whole, chunk.bias));
    });
    drop(dx_chunks);
    let (mut packed, mut bias) = (vec![0.0; weights.len()], vec![0.0; size.c_out]);
    let mut whole_packed = vec![0.0; whole.as_ref().map_or(0, |whole| whole.packed(size))];
    for sum in &mut sums {
        let (chunk, whole, chunk_bias) = sum.get_mut().unwrap().as_ref().expect("each has been worked on");
        add(&mut packed, chunk);
        add(&mut whole_packed, whole.as_deref().unwrap_or_default());
        add(&mut bias, chunk_bias);
    }
    let mut weight = patches.unpack(&packed, size);
    if let Some(whole) = whole {
        add(&mut weight, &unpack(&whole_packed, size.c_out, size.kernel(), whole.block()));
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
    whole: Option<WholeChunk<'a>>,
    bias: Vec<f32>,
}

/// How images are treated as a whole, with the kernels for the gradient of the images, if that is wanted.
enum Whole {
    Winograd(Winograd, Option<Aligned>),
    Dense(Dense, Option<Vec<Aligned>>),
}

impl Whole {
    fn new(arch: Arch, weight: &[f32], wants_x: bool, size: &Size) -> Self {
        match Winograd::new(arch, size).filter(|_| vectorized(|| is_tame(weight))) {
            Some(winograd) => {
                let kernels = wants_x.then(|| winograd.transposed(arch, weight));
                Self::Winograd(winograd, kernels)
            }
            None => {
                let dense = Dense::new(arch, size);
                let kernels = wants_x.then(|| dense.pack(weight, size));
                Self::Dense(dense, kernels)
            }
        }
    }

    /// The number of images that are treated together.
    fn images(&self) -> usize {
        match self {
            Self::Winograd(winograd, _) => winograd.images,
            Self::Dense(..) => 1,
        }
    }

    /// The number of output channels in a block of the packed gradient of the weights.
    fn block(&self) -> usize {
        match self {
            Self::Winograd(winograd, _) => winograd.block(),
            Self::Dense(dense, _) => dense.block,
        }
    }

    /// The number of values of the packed gradient of the weights.
    fn packed(&self, size: &Size) -> usize {
        size.c_out.next_multiple_of(self.block()) * size.kernel()
    }

    fn sums(&self, size: &Size) -> WholeSums<'_> {
        match self {
            Self::Winograd(winograd, kernels) => {
                WholeSums::Winograd(winograd.gradients(), kernels.as_deref())
            }
            Self::Dense(dense, kernels) => {
                WholeSums::Dense(dense, Aligned::zeros(self.packed(size)), kernels.as_deref())
            }
        }
    }
}

/// The gradient of the weights that images give which are treated as a whole, and the kernels for their own gradient.
enum WholeSums<'a> {
    Winograd(winograd::Gradients<'a>, Option<&'a [f32]>),
    Dense(&'a Dense, Aligned, Option<&'a [Aligned]>),
}

impl WholeSums<'_> {
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, x: &[f32], dy: &[f32], dx: Option<&mut [f32]>, size: &Size) {
        match self {
            Self::Winograd(gradients, kernels) => gradients.add(simd, x, dy, kernels.zip(dx)),
            Self::Dense(dense, dweights, kernels) => {
                dense.add_weights(simd, x, dy, size, dweights);
                if let Some((kernels, dx)) = kernels.zip(dx) {
                    dense.set_image(simd, dy, kernels, size, dx);
                }
            }
        }
    }

    /// The packed gradient of the weights, `[c_out / block, c_in, k_h, k_w, block]`.
    fn finish(self, arch: Arch) -> Aligned {
        match self {
            Self::Winograd(gradients, _) => gradients.finish(arch),
            Self::Dense(_, dweights, _) => dweights,
        }
    }
}

/// What the images of a chunk need that are treated as a whole.
struct WholeChunk<'a> {
    whole: &'a Whole,
    /// The gradient of the images that are treated together, before ReLU, `[images, c_out, rows, columns]`.
    dy: Vec<f32>,
    sums: WholeSums<'a>,
}

impl WholeChunk<'_> {
    /// Computes the gradients of some images, unless something is infinite, or so large that it might become that: padding is
    /// multiplied with it, and 0 times infinity is NaN.
    #[inline(always)]
    fn try_images<'a, S: Simd>(
        &mut self,
        simd: S,
        gradient: impl Fn(usize) -> Gradient<'a>,
        (x, dx, dbias): (&[f32], Option<&mut [f32]>, &mut [f32]),
        size: &Size,
    ) -> bool {
        let dy = &mut self.dy[..x.len() / size.image() * size.output()];
        for (output, dy) in dy.chunks_exact_mut(size.pixels()).enumerate() {
            gradient(output).copy_to(dy);
        }
        let fits = match self.whole {
            Whole::Winograd(..) => is_tame(dy) && is_tame(x),
            Whole::Dense(..) => is_finite(dy) && is_finite(x),
        };
        if IS_PAGE || !fits {
            return false;
        }
        for dy in dy.chunks_exact(size.output()) {
            for (dbias, dy) in dbias.iter_mut().zip(dy.chunks_exact(size.pixels())) {
                *dbias += sum([dy], |[dy]| dy) as f32;
            }
        }
        self.sums.add(simd, x, dy, dx, size);
        true
    }
}

/// Some images of a chunk.
struct Step<'a, 'b, G> {
    chunk: &'b mut Chunk<'a, G>,
    /// The index of the first image in the batch.
    index: usize,
    x: &'b [f32],
    dx: Option<&'b mut [f32]>,
}

impl<'a, G: Fn(usize) -> Gradient<'a>> WithSimd for Step<'_, '_, G> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { chunk, index, x, mut dx } = self;
        let size = chunk.size;
        if let Some(whole) = &mut chunk.whole {
            let gradient = chunk.gradient;
            let gradient = |output| gradient(index * size.c_out + output);
            if whole.try_images(simd, gradient, (x, dx.as_deref_mut(), &mut chunk.bias), size) {
                return;
            }
        }
        for (at, x) in x.chunks_exact(size.image()).enumerate() {
            let dx = dx.as_mut().map(|dx| &mut dx[at * size.image()..][..size.image()]);
            chunk.visit(simd, index + at, x, dx);
        }
    }
}

impl<'a, G: Fn(usize) -> Gradient<'a>> Chunk<'_, G> {
    /// Computes the gradients of image number `index` by visiting the places where the gradient is not 0.
    #[inline(always)]
    fn visit<S: Simd>(&mut self, simd: S, index: usize, image: &[f32], to: Option<&mut [f32]>) {
        let Self {
            patches, size, weights, weights_are_finite, gradient, x, dx, places, dweights, bias, ..
        } = self;
        let area = size.height * size.width;
        for (from, to, len) in lines(size) {
            transpose(simd, (&image[from..], area), (&mut x[to..], size.c_in), size.c_in, len);
        }
        dx.fill(0.0);
        // 0 times infinity is NaN, so places where the gradient is 0 count too.
        let all = !(*weights_are_finite && is_finite(image));
        let weights = weights.chunks_exact(patches.packed).zip(dweights.chunks_exact_mut(patches.packed));
        for (output, ((weights, dweights), dbias)) in weights.zip(bias).enumerate() {
            let gradient = gradient(index * size.c_out + output);
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
