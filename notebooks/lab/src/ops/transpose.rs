use pulp::{Simd, bytemuck};

/// Side of the squares that are turned in registers.
const SIDE: usize = 4;

/// Copies `rows` x `columns` values so that rows become columns. In `from` rows begin `from_stride` values apart, in
/// `to` columns of `from` begin `to_stride` values apart.
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
            // Four vectors side by side are squares side by side. All of them are turned at once: the first vector has
            // their first columns then.
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
    // What is left: columns, then rows.
    for row in 0..rows {
        for column in (if row < squares { vectors } else { 0 })..columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}
