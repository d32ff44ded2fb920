/// Side of the squares that are turned in registers.
const SIDE: usize = 4;

/// Copies `rows` x `columns` values so that rows become columns. In `from` rows begin `from_stride` values apart, in
/// `to` columns of `from` begin `to_stride` values apart.
#[inline(always)]
pub fn transpose(from: (&[f32], usize), to: (&mut [f32], usize), rows: usize, columns: usize) {
    let ((from, from_stride), (to, to_stride)) = (from, to);
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            if row + SIDE <= rows && column + SIDE <= columns {
                let line = |i| <[f32; SIDE]>::try_from(&from[(row + i) * from_stride + column..][..SIDE]);
                let [Ok(a), Ok(b), Ok(c), Ok(d)] = [line(0), line(1), line(2), line(3)] else {
                    unreachable!()
                };
                for j in 0..SIDE {
                    to[(column + j) * to_stride + row..][..SIDE].copy_from_slice(&[a[j], b[j], c[j], d[j]]);
                }
            } else {
                for row in row..rows.min(row + SIDE) {
                    for column in column..columns.min(column + SIDE) {
                        to[column * to_stride + row] = from[row * from_stride + column];
                    }
                }
            }
        }
    }
}
