//! The transpose of a matrix, with vector instructions.

use pulp::{Simd, bytemuck};

/// The side of the squares that are transposed in registers.
const SIDE: usize = 4;

/// How many squares below each other are transposed before they are written, if there are so many: then a whole cache line of the result is
/// written at once. Its lines may fall into the same places of the cache, where few of them stay until the next square would be written.
const SQUARES: usize = 4;

/// Transposes a matrix of `rows` x `columns` values. In `from`, rows start `from_stride` values apart; in `to`, the columns of
/// `from` start `to_stride` values apart.
#[inline(always)]
pub fn transpose<S: Simd>(
    simd: S,
    (from, from_stride): (&[f32], usize),
    (to, to_stride): (&mut [f32], usize),
    rows: usize,
    columns: usize,
) {
    if rows == 1 && to_stride == 1 {
        return to[..columns].copy_from_slice(&from[..columns]);
    }
    let squares = rows / SIDE * SIDE;
    let vectors = if S::F32_LANES.is_multiple_of(SIDE) { columns / S::F32_LANES * S::F32_LANES } else { 0 };
    let lines = squares / (SQUARES * SIDE) * (SQUARES * SIDE);
    for column in (0..vectors).step_by(S::F32_LANES) {
        for row in (0..lines).step_by(SQUARES * SIDE) {
            let from = (&from[row * from_stride + column..], from_stride);
            turn::<S, SQUARES>(simd, from, (&mut to[column * to_stride + row..], to_stride));
        }
        for row in (lines..squares).step_by(SIDE) {
            let from = (&from[row * from_stride + column..], from_stride);
            turn::<S, 1>(simd, from, (&mut to[column * to_stride + row..], to_stride));
        }
    }
    // The columns that fill no vector.
    let whole = columns / SIDE * SIDE;
    for column in (vectors..whole).step_by(SIDE) {
        for row in (0..squares).step_by(SIDE) {
            let mut square = [[0.0; SIDE]; SIDE];
            for i in 0..SIDE {
                let line = &from[(row + i) * from_stride + column..][..SIDE];
                (0..SIDE).for_each(|j| square[j][i] = line[j]);
            }
            for (j, line) in square.iter().enumerate() {
                to[(column + j) * to_stride + row..][..SIDE].copy_from_slice(line);
            }
        }
    }
    // The columns and rows that fill no square.
    for row in 0..rows {
        for column in (if row < squares { whole } else { 0 })..columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}

/// Transposes a row of squares, and `N - 1` more below it.
#[inline(always)]
fn turn<S: Simd, const N: usize>(
    simd: S,
    (from, from_stride): (&[f32], usize),
    (to, to_stride): (&mut [f32], usize),
) {
    let mut turned = [[simd.splat_f32s(0.0); SIDE]; N];
    for (n, turned) in turned.iter_mut().enumerate() {
        let line = |i| {
            let line = &from[(n * SIDE + i) * from_stride..][..S::F32_LANES];
            bytemuck::pod_read_unaligned::<S::f32s>(bytemuck::cast_slice(line))
        };
        // Four vectors, one per row, are a row of squares. All squares are transposed at once; the first vector then
        // holds the first column of each.
        *turned = simd.deinterleave_shfl_f32s([line(0), line(1), line(2), line(3)]);
    }
    for square in 0..S::F32_LANES / SIDE {
        for i in 0..SIDE {
            let to = &mut to[(square * SIDE + i) * to_stride..][..N * SIDE];
            for (n, to) in to.chunks_exact_mut(SIDE).enumerate() {
                let values: &[f32] = bytemuck::cast_slice(&turned[n]);
                to.copy_from_slice(&values[i * S::F32_LANES + square * SIDE..][..SIDE]);
            }
        }
    }
}
