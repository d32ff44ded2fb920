use std::array;

/// Side of the squares that are turned in registers.
const SIDE: usize = 4;

/// Copies `rows` x `columns` values so that rows become columns. In `from` rows begin `from_stride` values apart, in
/// `to` columns of `from` begin `to_stride` values apart.
#[inline(always)]
pub fn transpose<T: Copy, U: FromLane<T>>(
    from: (&[T], usize),
    to: (&mut [U], usize),
    rows: usize,
    columns: usize,
) {
    let ((from, from_stride), (to, to_stride)) = (from, to);
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            if row + SIDE <= rows && column + SIDE <= columns {
                let square: [&[T]; SIDE] =
                    array::from_fn(|i| &from[(row + i) * from_stride + column..][..SIDE]);
                for j in 0..SIDE {
                    let to = &mut to[(column + j) * to_stride + row..][..SIDE];
                    to.copy_from_slice(&array::from_fn::<U, SIDE, _>(|i| U::from_lane(square[i][j])));
                }
            } else {
                for row in row..rows.min(row + SIDE) {
                    for column in column..columns.min(column + SIDE) {
                        to[column * to_stride + row] = U::from_lane(from[row * from_stride + column]);
                    }
                }
            }
        }
    }
}

/// What a value is copied to.
pub trait FromLane<T>: Copy {
    fn from_lane(value: T) -> Self;
}

impl FromLane<f32> for f32 {
    fn from_lane(value: f32) -> f32 {
        value
    }
}

/// Small numbers, which vectors have in lanes as wide as those of `f32`.
impl FromLane<u32> for u8 {
    fn from_lane(value: u32) -> u8 {
        value as u8
    }
}
