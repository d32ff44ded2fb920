//! The convolution with kernels of 3 x 3 pixels at a stride of 1, with a quarter of the multiplications.
//!
//! A *tile* of 4 x 4 outputs is computed from 6 x 6 pixels. Those and the kernel are both transformed to 6 x 6 numbers, which are
//! multiplied one by one and summed over the input channels; the sums are transformed to the outputs. So a tile takes 36 products for
//! each pair of channels instead of 144, and the transforms, which cost something for each channel, but not for each pair. Lavin and
//! Gray, "Fast algorithms for convolutional neural networks", 2016, which calls this F(4 x 4, 3 x 3).
//!
//! For each of the 36 places of a tile, its *points*, the sums over channels of all tiles are a product of two matrices. The gradients are
//! computed by the adjoint transforms, and by products of the same kind. Rounding errors are relative to the largest numbers in a tile.

mod backward;
mod tiles;
mod transforms;

pub use self::backward::Gradients;
pub use self::tiles::Frame;

use self::tiles::{Square, Transformed};
use self::transforms::{KERNEL, REACH, SIDE, Transforms, both};
use super::forward::pack;
use super::size::Size;
use super::tile::{self, Taps, Tile};
use crate::aligned::Aligned;
use crate::{IS_PAGE, threads};
use pulp::{Arch, Simd, WithSimd, bytemuck};

const POINTS: usize = REACH * REACH;
const WEIGHTS: usize = KERNEL * KERNEL;

/// With fewer channels than this the transforms cost more than they save.
const CHANNELS: usize = 8;

/// With fewer tiles than this, transforming the kernels takes longer than is saved. This many tiles are computed together, if at most
/// [`IMAGES`] images have them, since the transformed kernels do not fit into the first-level cache and are read once for all of them.
const TILES: usize = 32;

/// With more numbers than this, transformed tiles and kernels do not stay in the caches, and the plain sums may be faster.
const NUMBERS: usize = 2 << 20;

/// The most images whose tiles are computed together.
const IMAGES: usize = 8;

/// What all images of a convolution have in common.
pub struct Winograd {
    size: Size,
    inputs: Channels,
    outputs: Channels,
    /// Rows and columns of tiles in an image.
    tiles: [usize; 2],
    /// The number of images whose tiles are computed together.
    pub images: usize,
}

/// Channels in blocks of one vector if that is enough for all of them, and of two if not.
#[derive(Clone, Copy)]
pub struct Channels {
    count: usize,
    vectors: usize,
    lanes: usize,
}

impl Channels {
    fn new(count: usize, lanes: usize) -> Self {
        Self { count, vectors: if count <= lanes { 1 } else { tile::VECTORS }, lanes }
    }

    /// The number of channels in a block.
    fn block(&self) -> usize {
        self.vectors * self.lanes
    }

    /// The number of channels in all blocks.
    pub fn padded(&self) -> usize {
        self.count.next_multiple_of(self.block())
    }
}

impl Winograd {
    /// None for kernels and strides that the algorithm is not for, and where it would not be faster.
    #[inline(always)]
    pub fn new(arch: Arch, size: &Size) -> Option<Self> {
        // A page computes one image at a time.
        if IS_PAGE { None } else { Self::for_size(arch, size) }
    }

    fn for_size(arch: Arch, size: &Size) -> Option<Self> {
        let Size { batch, c_in, c_out, k_h, k_w, stride, dilation, rows, columns, .. } = *size;
        if [k_h, k_w, stride, dilation] != [KERNEL, KERNEL, 1, 1] || c_in.min(c_out) < CHANNELS {
            return None;
        }
        let lanes = tile::lanes(arch);
        let tiles = [rows.div_ceil(SIDE), columns.div_ceil(SIDE)];
        let of_image = tiles[0] * tiles[1];
        if batch * of_image < TILES {
            return None;
        }
        let images = TILES.div_ceil(of_image).next_power_of_two().min(IMAGES);
        let (of_tiles, of_kernels) = (images * of_image * (c_in + c_out), c_in * c_out);
        if POINTS * (of_tiles + of_kernels) > NUMBERS {
            return None;
        }
        let (inputs, outputs) = (Channels::new(c_in, lanes), Channels::new(c_out, lanes));
        Some(Self { size: *size, inputs, outputs, tiles, images })
    }

    /// How many images to give to a thread at once: more than are computed together if there are enough for all threads, as the room for
    /// them is made only once.
    pub fn at_once(&self) -> usize {
        if self.size.batch >= 4 * threads::count() * IMAGES { IMAGES } else { self.images }
    }

    /// What the forward pass needs of the weights.
    pub fn forward(&self, arch: Arch, weight: &[f32], bias: &[f32]) -> Forward<'_> {
        let kernels = self.kernels(arch, weight, self.outputs);
        Forward { winograd: self, kernels, bias: pack(bias, self.size.c_out, 1, self.outputs.block()) }
    }

    /// The number of output channels in a block of the gradient of the weights.
    pub fn block(&self) -> usize {
        self.outputs.block()
    }

    /// The transformed kernels, for each point `[channels / block, others, block]`, from `weight` `[channels, others, 3, 3]`.
    fn kernels(&self, arch: Arch, weight: &[f32], channels: Channels) -> Aligned {
        let others = weight.len() / (channels.count * WEIGHTS);
        let packed = pack(weight, channels.count, others * WEIGHTS, channels.block());
        let mut kernels = Aligned::zeros(POINTS * channels.padded() * others);
        arch.dispatch(Kernels { packed: &packed, vectors: channels.vectors, kernels: &mut kernels });
        kernels
    }

    /// Where the tiles of so many images lie, by input and by output channels.
    fn transformed(&self, images: usize) -> [Transformed; 2] {
        let tiles = images * self.tiles[0] * self.tiles[1];
        [self.inputs, self.outputs].map(|channels| Transformed::new(channels, tiles))
    }

    /// The pixels of an image with its padding, up to the end of the last tile.
    fn pixels(&self) -> Frame {
        let Size { height, width, padding, .. } = self.size;
        let [rows, columns] = self.tiles.map(|tiles| tiles * SIDE + REACH - SIDE);
        Frame { size: [rows, columns], inside: [height, width], start: padding, channels: self.inputs }
    }

    /// The outputs of an image, up to the end of the last tile.
    pub fn values(&self) -> Frame {
        let inside = [self.size.rows, self.size.columns];
        Frame { size: self.tiles.map(|tiles| tiles * SIDE), inside, start: 0, channels: self.outputs }
    }
}

/// Whether no sum of products of these numbers can become infinite, so that nothing that is infinite or not a number can get from one
/// output to its neighbours in the tile.
#[inline(always)]
pub fn is_tame(values: &[f32]) -> bool {
    if IS_PAGE {
        return false;
    }
    const LARGE: f32 = (1u64 << 50) as f32;
    values.iter().fold(0, |most, value| most.max(value.abs().to_bits())) < LARGE.to_bits()
}

/// The transform of kernels.
struct Kernels<'a> {
    /// `[channels / block, others, 3, 3, block]`.
    packed: &'a [f32],
    /// The number of vectors in a block.
    vectors: usize,
    /// For each point `[channels / block, others, block]`.
    kernels: &'a mut [f32],
}

impl WithSimd for Kernels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let packed: &[S::f32s] = bytemuck::cast_slice(self.packed);
        let kernels: &mut [S::f32s] = bytemuck::cast_slice_mut(self.kernels);
        let point = kernels.len() / POINTS;
        let (of_points, of_block) = (
            Square { row: REACH * point, column: point },
            Square { row: KERNEL * self.vectors, column: self.vectors },
        );
        for (at, block) in packed.chunks_exact(WEIGHTS * self.vectors).enumerate() {
            for vector in 0..self.vectors {
                let points: [[_; REACH]; REACH] = both(
                    simd.splat_f32s(0.0),
                    of_block.load::<S, KERNEL>(simd, block, vector),
                    #[inline(always)]
                    |line| Transforms(simd).weights(line),
                );
                of_points.store(points, kernels, at * self.vectors + vector);
            }
        }
    }
}

/// The forward pass.
pub struct Forward<'a> {
    pub winograd: &'a Winograd,
    /// For each point `[c_out / block, c_in, block]`.
    kernels: Aligned,
    bias: Aligned,
}

impl Forward<'_> {
    /// Computes the outputs of some images, followed by ReLU if `relu` says so, and calls `take` with the index of each image and the
    /// frame that its outputs are in, see [`Winograd::values`].
    #[inline(always)]
    pub fn each_image<S: Simd>(&self, simd: S, x: &[f32], relu: bool, mut take: impl FnMut(usize, &[f32])) {
        let Self { winograd, kernels, bias } = self;
        let (image, pixels) = (winograd.size.image(), winograd.pixels());
        let Room { pixels: mut of_x, inputs: mut tiles, outputs: mut sums, values: mut of_y } =
            Room::new(winograd);
        for (first, x) in (0..).step_by(winograd.images).zip(x.chunks(winograd.images * image)) {
            let [inputs, outputs] = winograd.transformed(x.len() / image);
            for (index, x) in x.chunks_exact(image).enumerate() {
                pixels.read(simd, x, &mut of_x);
                winograd.pixels_to_points(simd, &of_x, &inputs, index, &mut tiles);
            }
            let (places, taps) = (inputs.of_tiles(), Taps::new(inputs.of_channels()));
            let weights = (&kernels[..], kernels.len() / POINTS);
            let product = Product { x: (&tiles, inputs.point()), places: &places, taps: &taps, weights };
            product.each_point(simd, (&mut sums, outputs.point()), outputs.channels, false);
            for index in 0..x.len() / image {
                winograd.points_to_outputs(simd, (&sums, &outputs, index), (bias, relu), &mut of_y);
                take(first + index, &of_y);
            }
        }
    }
}

/// Room for images that are computed together.
struct Room {
    /// An image.
    pixels: Aligned,
    /// Transformed tiles, by input and by output channels.
    inputs: Aligned,
    outputs: Aligned,
    /// The outputs of an image.
    values: Aligned,
}

impl Room {
    fn new(winograd: &Winograd) -> Self {
        let [inputs, outputs] = winograd.transformed(winograd.images);
        let [inputs, outputs] = [inputs.len(), outputs.len()].map(Aligned::zeros);
        let [pixels, values] = [winograd.pixels().len(), winograd.values().len()].map(Aligned::zeros);
        Self { pixels, inputs, outputs, values }
    }
}

/// For each point, place p and block of channels: Σ x\[places\[p\] + taps\[t\]\] · weights\[t\], summed over all taps.
struct Product<'a> {
    /// The numbers of all points, and the distance from one point to the next.
    x: (&'a [f32], usize),
    places: &'a [usize],
    taps: &'a Taps,
    /// `[channels / block, taps, block]` of each point.
    weights: (&'a [f32], usize),
}

impl Product<'_> {
    /// Puts the sums into `to`, `[channels / block, places, block]` of each point, or adds them to what is there.
    #[inline(always)]
    fn each_point<S: Simd>(&self, simd: S, to: (&mut [f32], usize), channels: Channels, adds: bool) {
        match channels.vectors {
            1 => self.in_blocks::<S, 1>(simd, to, channels, adds),
            _ => self.in_blocks::<S, { tile::VECTORS }>(simd, to, channels, adds),
        }
    }

    #[inline(always)]
    fn in_blocks<S: Simd, const V: usize>(
        &self,
        simd: S,
        (to, of_to): (&mut [f32], usize),
        channels: Channels,
        adds: bool,
    ) where
        [S::f32s; V]: bytemuck::Pod,
    {
        let ((x, of_x), (weights, of_weights)) = (self.x, self.weights);
        let (places, taps) = (self.places, self.taps);
        for point in 0..POINTS {
            let x = &x[point * of_x..][..of_x];
            let weights = &weights[point * of_weights..][..channels.padded() * taps.len()];
            let to = &mut to[point * of_to..][..channels.padded() * places.len()];
            let weights: &[[S::f32s; V]] = bytemuck::cast_slice(weights);
            let to: &mut [[S::f32s; V]] = bytemuck::cast_slice_mut(to);
            for (weights, to) in weights.chunks_exact(taps.len()).zip(to.chunks_exact_mut(places.len())) {
                tile::each::<S>(places, &mut Block { simd, x, taps, weights, to, adds });
            }
        }
    }
}

/// The product for a block of channels at one point.
struct Block<'a, S: Simd, const V: usize> {
    simd: S,
    x: &'a [f32],
    taps: &'a Taps,
    weights: &'a [[S::f32s; V]],
    /// One for each place.
    to: &'a mut [[S::f32s; V]],
    adds: bool,
}

impl<S: Simd, const V: usize> Tile for Block<'_, S, V> {
    #[inline(always)]
    fn tile<const P: usize>(&mut self, first: usize, places: [usize; P]) {
        let zero = [self.simd.splat_f32s(0.0); V];
        let sums = tile::sums(self.simd, self.x, places, self.taps, self.weights, zero);
        let to = &mut self.to[first..][..P];
        if self.adds {
            for (to, sum) in to.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
                *to = self.simd.add_f32s(*to, *sum);
            }
        } else {
            to.copy_from_slice(&sums);
        }
    }
}
