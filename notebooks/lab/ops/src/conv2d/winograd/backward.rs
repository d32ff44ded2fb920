//! The gradients, by the adjoint transforms.

use super::tiles::Square;
use super::transforms::{KERNEL, REACH, Transforms, both};
use super::{POINTS, Product, Room, WEIGHTS, Winograd};
use crate::aligned::Aligned;
use crate::conv2d::tile::Taps;
use pulp::{Arch, Simd, WithSimd, bytemuck};

/// The sum over some images of the gradient of the kernels.
pub struct Gradients<'a> {
    winograd: &'a Winograd,
    /// For each point `[c_out / block, c_in, block]`.
    kernels: Aligned,
    room: Room,
}

impl Winograd {
    /// The kernels as the gradient of the images needs them.
    pub fn transposed(&self, arch: Arch, weight: &[f32]) -> Aligned {
        let (c_in, c_out) = (self.size.c_in, self.size.c_out);
        let kernel = |input: usize, output: usize| &weight[(output * c_in + input) * WEIGHTS..][..WEIGHTS];
        let kernels = (0..c_in).flat_map(|input| (0..c_out).flat_map(move |output| kernel(input, output)));
        self.kernels(arch, &kernels.copied().collect::<Vec<_>>(), self.inputs)
    }

    pub fn gradients(&self) -> Gradients<'_> {
        let kernels = Aligned::zeros(POINTS * self.outputs.padded() * self.size.c_in);
        Gradients { winograd: self, kernels, room: Room::new(self) }
    }
}

impl Gradients<'_> {
    /// Adds what at most [`Winograd::images`] images `x` give, from the gradient `dy` of their outputs, and computes their gradients `dx`
    /// by the transposed kernels if they are wanted.
    #[inline(always)]
    pub fn add<S: Simd>(&mut self, simd: S, x: &[f32], dy: &[f32], dx: Option<(&[f32], &mut [f32])>) {
        let Self { winograd, kernels, room } = self;
        let (image, output) = (winograd.size.image(), winograd.size.output());
        let [inputs, outputs] = winograd.transformed(x.len() / image);
        let (pixels, values) = (winograd.pixels(), winograd.values());
        let Room { pixels: of_x, inputs: tiles, outputs: dtiles, values: of_dy } = room;
        // What the image before has left around this one.
        of_x.fill(0.0);
        for (index, (x, dy)) in x.chunks_exact(image).zip(dy.chunks_exact(output)).enumerate() {
            pixels.read(simd, x, of_x);
            winograd.pixels_to_points(simd, of_x, &inputs, index, tiles);
            values.read(simd, dy, of_dy);
            winograd.outputs_to_points(simd, of_dy, &outputs, index, dtiles);
        }
        let kernel = kernels.len() / POINTS;
        let (places, taps) = (inputs.of_channels(), Taps::new(inputs.of_tiles()));
        let weights = (&dtiles[..], outputs.point());
        let product = Product { x: (tiles, inputs.point()), places: &places, taps: &taps, weights };
        product.each_point(simd, (kernels, kernel), outputs.channels, true);
        let Some((transposed, dx)) = dx else { return };
        let (places, taps) = (outputs.of_tiles(), Taps::new(outputs.of_channels()));
        let weights = (transposed, transposed.len() / POINTS);
        let product = Product { x: (dtiles, outputs.point()), places: &places, taps: &taps, weights };
        product.each_point(simd, (tiles, inputs.point()), inputs.channels, false);
        for (index, dx) in dx.chunks_exact_mut(image).enumerate() {
            of_x.fill(0.0);
            winograd.points_to_pixels(simd, tiles, &inputs, index, of_x);
            pixels.write(simd, of_x, dx);
        }
    }

    /// The gradient of the weights, `[c_out / block, c_in, 3, 3, block]`.
    pub fn finish(self, arch: Arch) -> Aligned {
        let outputs = self.winograd.outputs;
        let mut packed = Aligned::zeros(self.kernels.len() / POINTS * WEIGHTS);
        arch.dispatch(Adjoint { kernels: &self.kernels, vectors: outputs.vectors, packed: &mut packed });
        packed
    }
}

/// The adjoint of the transform of kernels.
struct Adjoint<'a> {
    kernels: &'a [f32],
    /// The number of vectors in a block.
    vectors: usize,
    packed: &'a mut [f32],
}

impl WithSimd for Adjoint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let packed: &mut [S::f32s] = bytemuck::cast_slice_mut(self.packed);
        let kernels: &[S::f32s] = bytemuck::cast_slice(self.kernels);
        let point = kernels.len() / POINTS;
        let (of_points, of_block) = (
            Square { row: REACH * point, column: point },
            Square { row: KERNEL * self.vectors, column: self.vectors },
        );
        for (at, block) in packed.chunks_exact_mut(WEIGHTS * self.vectors).enumerate() {
            for vector in 0..self.vectors {
                let weights: [[_; KERNEL]; KERNEL] = both(
                    simd.splat_f32s(0.0),
                    of_points.load::<S, REACH>(simd, kernels, at * self.vectors + vector),
                    #[inline(always)]
                    |line| Transforms(simd).weights_adjoint(line),
                );
                of_block.store(weights, block, vector);
            }
        }
    }
}
