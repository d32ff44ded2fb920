//! Images to tiles, and back.

use super::transforms::{REACH, SIDE, Transforms, both};
use super::{Channels, POINTS, Winograd};
use crate::conv2d::tile;
use crate::transpose::transpose;
use pulp::{Simd, bytemuck};

/// The numbers between two points, so that those of a tile do not all fall into the same places of a cache.
const GAP: usize = 16;

/// Where the transformed tiles of some images lie: for each point `[channels / block, tiles, block]`.
#[derive(Clone, Copy)]
pub struct Transformed {
    pub channels: Channels,
    tiles: usize,
}

impl Transformed {
    pub fn new(channels: Channels, tiles: usize) -> Self {
        Self { channels, tiles }
    }

    /// From one point to the next.
    pub fn point(&self) -> usize {
        self.channels.padded() * self.tiles + GAP
    }

    pub fn len(&self) -> usize {
        POINTS * self.point()
    }

    /// Each tile, relative to its point.
    pub fn of_tiles(&self) -> Vec<usize> {
        (0..self.tiles).map(|tile| tile * self.channels.block()).collect()
    }

    /// Each channel, relative to its tile.
    pub fn of_channels(&self) -> Vec<usize> {
        let block = self.channels.block();
        (0..self.channels.count)
            .map(|channel| channel / block * block * self.tiles + channel % block)
            .collect()
    }

    /// The points of a tile.
    fn square(&self) -> Square {
        let point = self.point() / self.channels.lanes;
        Square { row: REACH * point, column: point }
    }

    /// A vector of a tile, counted in vectors, relative to the first point.
    #[inline(always)]
    fn vector(&self, tile: usize, vector: usize) -> usize {
        let vectors = self.channels.vectors;
        (vector / vectors * self.tiles + tile) * vectors + vector % vectors
    }
}

/// A frame `[rows, columns, channels]` that an image `[channels, height, width]` lies in.
pub struct Frame {
    /// Rows and columns.
    pub size: [usize; 2],
    /// Height and width of the image.
    pub inside: [usize; 2],
    /// The row and the column where the image starts.
    pub start: usize,
    pub channels: Channels,
}

impl Frame {
    pub fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels.padded()
    }

    /// Vectors in a pixel.
    fn vectors(&self) -> usize {
        self.channels.padded() / self.channels.lanes
    }

    /// The pixels of a tile.
    fn square(&self) -> Square {
        Square { row: self.size[1] * self.vectors(), column: self.vectors() }
    }

    /// For each row that the image has in the frame: its start in a channel, and in the frame.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let ([_, columns], [height, width]) = (self.size, self.inside);
        let at = move |row| ((row + self.start) * columns + self.start) * self.channels.padded();
        (0..height).map(move |row| (row * width, at(row)))
    }

    /// Puts an image into the frame; what is around it stays.
    #[inline(always)]
    pub fn read<S: Simd>(&self, simd: S, image: &[f32], frame: &mut [f32]) {
        let (area, width) = (self.inside[0] * self.inside[1], self.inside[1]);
        for (from, to) in self.rows() {
            let to = (&mut frame[to..], self.channels.padded());
            transpose(simd, (&image[from..], area), to, self.channels.count, width);
        }
    }

    /// Takes an image out of the frame.
    #[inline(always)]
    pub fn write<S: Simd>(&self, simd: S, frame: &[f32], image: &mut [f32]) {
        let (area, width) = (self.inside[0] * self.inside[1], self.inside[1]);
        for (to, from) in self.rows() {
            let from = (&frame[from..], self.channels.padded());
            transpose(simd, from, (&mut image[to..], area), width, self.channels.count);
        }
    }
}

/// The distances, in vectors, between the rows and the columns of a square of vectors.
#[derive(Clone, Copy)]
pub struct Square {
    pub row: usize,
    pub column: usize,
}

impl Square {
    #[inline(always)]
    pub fn load<S: Simd, const N: usize>(self, simd: S, from: &[S::f32s], at: usize) -> [[S::f32s; N]; N] {
        let from = &from[at..][..=self.last::<N>()];
        let mut values = [[simd.splat_f32s(0.0); N]; N];
        for (i, line) in values.iter_mut().enumerate() {
            for (j, value) in line.iter_mut().enumerate() {
                // SAFETY: i and j are at most N - 1, so the index is at most `last`, and `from` has `last` + 1 vectors. Nothing
                // overflows: `last` has been computed with checks, and is the largest of these sums.
                *value = unsafe { *from.get_unchecked(i * self.row + j * self.column) };
            }
        }
        values
    }

    #[inline(always)]
    pub fn store<V: Copy, const N: usize>(self, values: [[V; N]; N], to: &mut [V], at: usize) {
        let to = &mut to[at..][..=self.last::<N>()];
        for (i, line) in values.into_iter().enumerate() {
            for (j, value) in line.into_iter().enumerate() {
                // SAFETY: i and j are at most N - 1, so the index is at most `last`, and `to` has `last` + 1 vectors. Nothing
                // overflows: `last` has been computed with checks, and is the largest of these sums.
                unsafe { *to.get_unchecked_mut(i * self.row + j * self.column) = value };
            }
        }
    }

    /// The distance from the first vector to the last.
    #[inline(always)]
    fn last<const N: usize>(self) -> usize {
        let both = self.row.checked_add(self.column);
        both.and_then(|both| both.checked_mul(N - 1)).expect("a square in memory")
    }
}

impl Winograd {
    /// Calls `f` for each vector of each tile of image number `index`, with the place of its corner in the frame, that of its first
    /// point, both counted in vectors, and its index among the vectors of a pixel.
    #[inline(always)]
    fn each(
        &self,
        frame: &Frame,
        points: &Transformed,
        index: usize,
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let [rows, columns] = self.tiles;
        let vectors = frame.vectors();
        for row in 0..rows {
            for column in 0..columns {
                let corner = (row * frame.size[1] + column) * SIDE * vectors;
                let tile = (index * rows + row) * columns + column;
                for vector in 0..vectors {
                    f(corner + vector, points.vector(tile, vector), vector);
                }
            }
        }
    }

    /// Transforms the tiles of image number `index`, whose pixels are in `frame`.
    #[inline(always)]
    pub fn pixels_to_points<S: Simd>(
        &self,
        simd: S,
        frame: &[f32],
        to: &Transformed,
        index: usize,
        points: &mut [f32],
    ) {
        self.to_points(
            simd,
            (&self.pixels(), frame),
            (to, index, points),
            #[inline(always)]
            |tile: [[S::f32s; REACH]; REACH]| {
                both(
                    simd.splat_f32s(0.0),
                    tile,
                    #[inline(always)]
                    |line| Transforms(simd).pixels(line),
                )
            },
        );
    }

    /// The adjoint of [`Self::pixels_to_points`]: adds to what is in `frame`.
    #[inline(always)]
    pub fn points_to_pixels<S: Simd>(
        &self,
        simd: S,
        points: &[f32],
        from: &Transformed,
        index: usize,
        frame: &mut [f32],
    ) {
        let (pixels, transforms) = (self.pixels(), Transforms(simd));
        let (of_frame, of_points) = (pixels.square(), from.square());
        let (frame, points) = (as_vectors_mut::<S>(frame), as_vectors::<S>(points));
        self.each(
            &pixels,
            from,
            index,
            #[inline(always)]
            |corner, first, _| {
                let tile: [[_; REACH]; REACH] = both(
                    simd.splat_f32s(0.0),
                    of_points.load(simd, points, first),
                    #[inline(always)]
                    |line| transforms.pixels_adjoint(line),
                );
                let mut sums: [[_; REACH]; REACH] = of_frame.load(simd, frame, corner);
                for (sum, value) in sums.as_flattened_mut().iter_mut().zip(tile.as_flattened()) {
                    *sum = simd.add_f32s(*sum, *value);
                }
                of_frame.store(sums, frame, corner);
            },
        );
    }

    /// The outputs of image number `index`, with the `bias`, and with ReLU if it is wanted.
    #[inline(always)]
    pub fn points_to_outputs<S: Simd>(
        &self,
        simd: S,
        (points, from, index): (&[f32], &Transformed, usize),
        (bias, relu): (&[f32], bool),
        frame: &mut [f32],
    ) {
        let (values, transforms) = (self.values(), Transforms(simd));
        let (of_frame, of_points) = (values.square(), from.square());
        let (frame, points, bias) =
            (as_vectors_mut::<S>(frame), as_vectors::<S>(points), as_vectors::<S>(bias));
        self.each(
            &values,
            from,
            index,
            #[inline(always)]
            |corner, first, vector| {
                let mut tile: [[_; SIDE]; SIDE] = both(
                    simd.splat_f32s(0.0),
                    of_points.load(simd, points, first),
                    #[inline(always)]
                    |line| transforms.outputs(line),
                );
                for value in tile.as_flattened_mut() {
                    *value = simd.add_f32s(*value, bias[vector]);
                    *value = if relu { tile::relu(simd, *value) } else { *value };
                }
                of_frame.store(tile, frame, corner);
            },
        );
    }

    /// The adjoint of [`Self::points_to_outputs`] without bias and ReLU.
    #[inline(always)]
    pub fn outputs_to_points<S: Simd>(
        &self,
        simd: S,
        frame: &[f32],
        to: &Transformed,
        index: usize,
        points: &mut [f32],
    ) {
        self.to_points(
            simd,
            (&self.values(), frame),
            (to, index, points),
            #[inline(always)]
            |tile: [[S::f32s; SIDE]; SIDE]| {
                both(
                    simd.splat_f32s(0.0),
                    tile,
                    #[inline(always)]
                    |line| Transforms(simd).outputs_adjoint(line),
                )
            },
        );
    }

    /// Applies `transform` to the tiles of image number `index`, which have `N` rows and columns in a frame.
    #[inline(always)]
    fn to_points<S: Simd, const N: usize>(
        &self,
        simd: S,
        (frame, values): (&Frame, &[f32]),
        (to, index, points): (&Transformed, usize, &mut [f32]),
        transform: impl Fn([[S::f32s; N]; N]) -> [[S::f32s; REACH]; REACH],
    ) {
        let (of_frame, of_points) = (frame.square(), to.square());
        let (values, points) = (as_vectors::<S>(values), as_vectors_mut::<S>(points));
        self.each(
            frame,
            to,
            index,
            #[inline(always)]
            |corner, first, _| {
                let tile = transform(of_frame.load(simd, values, corner));
                of_points.store(tile, points, first);
            },
        );
    }
}

#[inline(always)]
fn as_vectors<S: Simd>(values: &[f32]) -> &[S::f32s] {
    bytemuck::cast_slice(values)
}

#[inline(always)]
fn as_vectors_mut<S: Simd>(values: &mut [f32]) -> &mut [S::f32s] {
    bytemuck::cast_slice_mut(values)
}
