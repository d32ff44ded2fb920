//! The transpose of a matrix, with vector instructions.

use pulp::{Simd, bytemuck};

/// The side of the squares that are transposed in registers.
const SIDE: usize = 4;

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
    let squares = if S::F32_LANES.is_multiple_of(SIDE) { rows / SIDE * SIDE } else { 0 };
    let vectors = if squares == 0 { 0 } else { columns / S::F32_LANES * S::F32_LANES };
    for row in (0..squares).step_by(SIDE) {
        for column in (0..vectors).step_by(S::F32_LANES) {
            let line = |i| {
                let line = &from[(row + i) * from_stride + column..][..S::F32_LANES];
                bytemuck::pod_read_unaligned::<S::f32s>(bytemuck::cast_slice(line))
            };
            // Four vectors, one per row, are a row of squares. All squares are transposed at once; the first vector then
            // holds the first column of each.
            let turned = simd.deinterleave_shfl_f32s([line(0), line(1), line(2), line(3)]);
            for (i, vector) in turned.iter().enumerate() {
                let columns = bytemuck::cast_slice::<f32, [f32; SIDE]>(bytemuck::cast_slice(
                    std::slice::from_ref(vector),
                ));
                for (square, values) in columns.iter().enumerate() {
                    let column = column + square * SIDE + i;
                    to[column * to_stride + row..][..SIDE].copy_from_slice(values);
                }
            }
        }
    }
    // The columns and rows that fill no square.
    for row in 0..rows {
        for column in (if row < squares { vectors } else { 0 })..columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}
