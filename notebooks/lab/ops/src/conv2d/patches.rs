//! The gradients of a convolution at one place of its output.

use super::forward::corners;
use super::places::Places;
use super::size::Size;
use super::tile;
use crate::aligned::Aligned;
use pulp::bytemuck::Pod;
use pulp::{Arch, Simd, bytemuck};

/// The weights of an output channel, and their gradients, which are accumulated.
pub struct Channel<'a> {
    /// `[pieces, padded piece]`.
    pub weights: &'a [f32],
    pub dweights: &'a mut [f32],
    pub dbias: &'a mut f32,
}

/// How many vectors are summed at once, in registers.
const VECTORS: usize = 9;
const VECTORS_OF_16_REGISTERS: usize = 6;

/// The parts of an image under a kernel. The image is laid out as `[height, width, channel]`, so that each row of a kernel is
/// one contiguous piece of it, or with a dilation each pixel:
/// ```text
///    x:  │ c c c │ c c c │ c c c │ c c c │ …   first row of pixels
///                └───── row 0 of a kernel of width 3 at column 1 ─────┘
/// ```
pub struct Patches {
    /// The index in an image where the kernel starts, for each place of the output, in ascending order.
    corners: Vec<usize>,
    /// The number of values of a vector.
    lanes: usize,
    /// The number of pixels of a piece.
    pixels: usize,
    /// The number of values of a piece, `pixels · c_in`, and the same padded with zeros to whole vectors.
    piece: usize,
    padded_piece: usize,
    /// The index where each vector of the kernel starts, relative to the corner, in ascending order.
    vectors: Vec<usize>,
    /// The number of values of a packed kernel, with the zeros after its pieces.
    pub packed: usize,
    /// The number of values of an image and of one more vector, since the last vector may reach beyond the image.
    pub image: usize,
}

impl Patches {
    pub fn new(arch: Arch, size: &Size) -> Self {
        let Size { c_in, k_h, k_w, dilation, .. } = *size;
        let lanes = tile::block_here(arch) / tile::VECTORS;
        let pixels = if dilation == 1 { k_w } else { 1 };
        let piece = pixels * c_in;
        let padded_piece = piece.next_multiple_of(lanes);
        let width = size.padded_width();
        let starts = (0..k_h).flat_map(|row| {
            (0..k_w).step_by(pixels).map(move |column| (row * width + column) * dilation * c_in)
        });
        let vectors: Vec<_> =
            starts.flat_map(|start| (0..padded_piece).step_by(lanes).map(move |at| start + at)).collect();
        let corners: Vec<_> = corners(size).into_iter().map(|pixel| pixel * c_in).collect();
        let image = size.padded_height() * width * c_in + lanes;
        let reach = corners.last().unwrap_or(&0) + vectors.last().unwrap_or(&0) + lanes;
        assert!(reach <= image, "a vector beyond the image");
        let packed = k_h * (k_w / pixels) * padded_piece;
        Self { corners, lanes, pixels, piece, padded_piece, vectors, packed, image }
    }

    /// Rearranges `[c_out, c_in, k_h, k_w]` as `[c_out, pieces, padded piece]`.
    pub fn pack(&self, weight: &[f32], size: &Size) -> Aligned {
        let mut packed = Aligned::zeros(size.c_out * self.packed);
        self.each_weight(size, |at, place| packed[place] = weight[at]);
        packed
    }

    /// The inverse of [`pack`](Self::pack).
    pub fn unpack(&self, packed: &[f32], size: &Size) -> Vec<f32> {
        let mut weight = vec![0.0; size.c_out * size.kernel()];
        self.each_weight(size, |at, place| weight[at] = packed[place]);
        weight
    }

    /// Calls `f` with the index of each weight, and its index when packed.
    fn each_weight(&self, size: &Size, mut f: impl FnMut(usize, usize)) {
        let pieces_of_row = size.k_w / self.pixels;
        let step = if self.pixels == 1 { self.padded_piece } else { size.c_in };
        let mut at = 0..;
        for output in 0..size.c_out {
            for channel in 0..size.c_in {
                for row in 0..size.k_h {
                    let start = output * self.packed + row * pieces_of_row * self.padded_piece + channel;
                    let places = (start..).step_by(step);
                    at.by_ref().zip(places).take(size.k_w).for_each(|(at, place)| f(at, place));
                }
            }
        }
    }

    /// For each of the places of one output channel, with the part of the image under the kernel there:
    ///
    /// - dweights += gradient · part of x,
    /// - dbias += gradient,
    /// - part of dx += gradient · weights, unless dx is empty.
    #[inline(always)]
    pub fn visit<S: Simd>(&self, simd: S, x: &[f32], places: &Places, channel: Channel, dx: &mut [f32]) {
        let Channel { weights, dweights, dbias } = channel;
        let corners = &self.corners[..];
        assert!(x.len() == self.image && [0, self.image].contains(&dx.len()), "an image of another size");
        assert!(S::F32_LANES == self.lanes, "vectors of another length");
        let (has_whole_vectors, wants_dx) = (self.piece == self.padded_piece, !dx.is_empty());
        if wants_dx && !has_whole_vectors {
            self.add_input_by_value(weights, places, dx);
        }
        let with_dx = wants_dx && has_whole_vectors;
        let at_once = vectors_at_once::<S>(self.vectors.len());
        let weights: &[S::f32s] = bytemuck::cast_slice(weights);
        let dweights: &mut [S::f32s] = bytemuck::cast_slice_mut(dweights);
        let groups = weights.chunks(at_once).zip(dweights.chunks_mut(at_once));
        let mut sum = 0.0;
        for (vectors, (weights, dweights)) in self.vectors.chunks(at_once).zip(groups) {
            let group = Group { x, places, corners, vectors, weights, dweights, dx };
            // SAFETY: corners and vectors ascend, and `new` has asserted that the last vector of `lanes` values at the last
            // corner ends within `image` values; so every vector at every corner does. By the assertions above a vector of
            // `S` has `lanes` values, and `x`, and `dx` where it is used, have `image` values.
            sum =
                unsafe { if with_dx { group.visit::<S, true>(simd) } else { group.visit::<S, false>(simd) } };
        }
        *dbias += sum;
    }

    /// Adds to `dx` where pieces are not whole vectors: the zeros after a piece must not reach the image, since 0 times infinity
    /// is NaN.
    #[inline(always)]
    fn add_input_by_value(&self, weights: &[f32], places: &Places, dx: &mut [f32]) {
        let vectors_of_piece = self.vectors.len() / (self.packed / self.padded_piece);
        let pieces = self.vectors.iter().step_by(vectors_of_piece);
        for (place, gradient) in places.get() {
            for (weights, start) in weights.chunks_exact(self.padded_piece).zip(pieces.clone()) {
                for (dx, weight) in
                    dx[self.corners[place as usize] + start..].iter_mut().zip(&weights[..self.piece])
                {
                    *dx += gradient * weight;
                }
            }
        }
    }
}

fn vectors_at_once<S: Simd>(vectors: usize) -> usize {
    let most = if S::REGISTER_COUNT < 32 { VECTORS_OF_16_REGISTERS } else { VECTORS };
    vectors.div_ceil(vectors.div_ceil(most))
}

/// The vectors of a kernel that are summed at once.
struct Group<'a, V> {
    x: &'a [f32],
    places: &'a Places,
    corners: &'a [usize],
    vectors: &'a [usize],
    weights: &'a [V],
    dweights: &'a mut [V],
    dx: &'a mut [f32],
}

impl<V: Pod> Group<'_, V> {
    /// Visits all places, and returns the sum of their gradients.
    ///
    /// # Safety
    /// For each corner and each of the vectors, a `V` that starts at the sum of both must lie within `x`, and if `DX` is set
    /// within `dx`.
    #[inline(always)]
    unsafe fn visit<S: Simd<f32s = V>, const DX: bool>(self, simd: S) -> f32 {
        // SAFETY: the condition of `visit_all` is that of this function, which the caller guarantees.
        unsafe {
            match self.vectors.len() {
                1 => self.visit_all::<S, 1, DX>(simd),
                2 => self.visit_all::<S, 2, DX>(simd),
                3 => self.visit_all::<S, 3, DX>(simd),
                4 => self.visit_all::<S, 4, DX>(simd),
                5 => self.visit_all::<S, 5, DX>(simd),
                6 => self.visit_all::<S, 6, DX>(simd),
                7 => self.visit_all::<S, 7, DX>(simd),
                8 => self.visit_all::<S, 8, DX>(simd),
                _ => self.visit_all::<S, VECTORS, DX>(simd),
            }
        }
    }

    /// [`visit`](Self::visit) for `N` vectors.
    ///
    /// # Safety
    /// As for [`visit`](Self::visit).
    #[inline(always)]
    unsafe fn visit_all<S: Simd<f32s = V>, const N: usize, const DX: bool>(self, simd: S) -> f32 {
        let vectors: [usize; N] = self.vectors.try_into().expect("the caller has counted them");
        let weights: [V; N] = self.weights.try_into().expect("there is one for each vector");
        let dweights: &mut [V; N] = self.dweights.try_into().expect("there is one for each vector");
        // Copies, which can live in registers.
        let (mut sums, mut sum) = (*dweights, simd.splat_f32s(0.0));
        for (place, gradient) in self.places.get() {
            let corner = self.corners[place as usize];
            let gradient = simd.splat_f32s(gradient);
            sum = simd.add_f32s(sum, gradient);
            for n in 0..N {
                let at = corner + vectors[n];
                // SAFETY: `at` is the sum of a corner and one of the vectors, so the caller guarantees that a `V` that starts
                // there lies within `x`, and within `dx` if `DX` is set. `V` is plain data, and unaligned accesses need no
                // alignment. `dx` is borrowed mutably, so nothing else refers to it.
                unsafe {
                    let x = self.x.as_ptr().add(at).cast::<V>().read_unaligned();
                    sums[n] = simd.mul_add_e_f32s(gradient, x, sums[n]);
                    if DX {
                        let dx = self.dx.as_mut_ptr().add(at).cast::<V>();
                        dx.write_unaligned(simd.mul_add_e_f32s(gradient, weights[n], dx.read_unaligned()));
                    }
                }
            }
        }
        *dweights = sums;
        // All lanes hold the same sum.
        bytemuck::cast_slice::<_, f32>(&[sum])[0]
    }
}
