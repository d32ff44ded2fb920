//! Products of matrices, by the crate that candle multiplies with. Its own threads pack one factor on one of them while the others
//! wait, so here each thread multiplies a part by itself.

use super::rows::Real;
use super::threads;
use gemm::{Parallelism, gemm};
use std::ops::Range;

/// The shortest side of a part that is worth a thread's packing of the factors.
const SIDE: usize = 64;
/// The number of multiplications below which waking other threads takes longer than those.
const SMALL: usize = 1 << 16;

/// A matrix whose rows and columns lie anyhow in `values`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    /// The distance from a row to the next, and from a column to the next.
    strides: [usize; 2],
}

impl<'a, T: Real> Matrix<'a, T> {
    /// With one row after the other.
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self::with_strides(values, [rows, columns], [columns, 1])
    }

    /// # Panics
    /// When a place of the matrix is not in `values`.
    pub fn with_strides(values: &'a [T], [rows, columns]: [usize; 2], strides: [usize; 2]) -> Self {
        let is_empty = rows == 0 || columns == 0;
        assert!(is_empty || (rows - 1) * strides[0] + (columns - 1) * strides[1] < values.len());
        Self { values, rows, columns, strides }
    }

    pub fn transposed(self) -> Self {
        let [row, column] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [column, row], ..self }
    }

    fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let start = rows.start * self.strides[0] + columns.start * self.strides[1];
        let values = self.values.get(start..).unwrap_or_default();
        Self::with_strides(values, [rows.len(), columns.len()], self.strides)
    }
}

/// `scale` · a · b.
pub struct Product<'a, T> {
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    scale: T,
}

impl<'a, T: Real> Product<'a, T> {
    /// # Panics
    /// When `a` has not as many columns as `b` has rows.
    pub fn new(a: Matrix<'a, T>, b: Matrix<'a, T>) -> Self {
        assert_eq!(a.columns, b.rows);
        Self { a, b, scale: T::one() }
    }

    pub fn scaled(self, scale: T) -> Self {
        Self { scale, ..self }
    }

    /// Writes it to `to`, where rows start `stride` values apart, on this thread.
    pub fn write(&self, to: &mut [T], stride: usize) {
        self.compute(to, stride, false);
    }

    /// Adds it to the values of `to`, where rows start `stride` values apart, on this thread.
    pub fn add(&self, to: &mut [T], stride: usize) {
        self.compute(to, stride, true);
    }

    fn compute(&self, to: &mut [T], stride: usize, adds: bool) {
        let (rows, columns) = (self.a.rows, self.b.columns);
        if rows == 0 || columns == 0 {
            return;
        }
        assert!(columns <= stride && (rows - 1) * stride + columns <= to.len());
        // SAFETY: by the assertion all places are in `to`, and nobody else can write there.
        unsafe { self.compute_at(to.as_mut_ptr(), stride, adds) };
    }

    /// Writes it to `to`, where rows start `stride` values apart, on this thread.
    ///
    /// # Safety
    /// Rows of as many values as the product has columns, `stride` apart, can be read and written from `to` on. Meanwhile nobody
    /// else reads or writes them.
    pub unsafe fn write_at(&self, to: *mut T, stride: usize) {
        // SAFETY: `compute_at` asks for what this function asks for: the same rows, and that nobody else uses them meanwhile.
        unsafe { self.compute_at(to, stride, false) };
    }

    /// # Safety
    /// As of [`Self::write_at`].
    unsafe fn compute_at(&self, to: *mut T, stride: usize, adds: bool) {
        let (a, b) = (&self.a, &self.b);
        let strides = |matrix: &Matrix<T>| matrix.strides.map(|stride| stride as isize);
        let ([a_row, a_column], [b_row, b_column]) = (strides(a), strides(b));
        // SAFETY: the caller vouches for the target. All places of a matrix are in its values, by the assertion where it is made,
        // and a has as many columns as b has rows. `Real` is implemented for `f32` and `f64`, which the function takes.
        unsafe {
            gemm(
                a.rows,
                b.columns,
                a.columns,
                to,
                1,
                stride as isize,
                adds,
                a.values.as_ptr(),
                a_column,
                a_row,
                b.values.as_ptr(),
                b_column,
                b_row,
                T::one(),
                self.scale,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }

    fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let (a, b) = (self.a.part(rows, 0..self.a.columns), self.b.part(0..self.b.rows, columns));
        Self { a, b, scale: self.scale }
    }

    /// Adds it to the values of `to`, which has one row after the other, on all threads.
    pub fn add_on_all_threads(&self, to: &mut [T]) {
        let (rows, columns) = (self.a.rows, self.b.columns);
        assert_eq!(to.len(), rows * columns);
        let [height, width] = self.size_of_parts();
        let parts = (0..rows)
            .step_by(height)
            .flat_map(|row| (0..columns).step_by(width).map(move |column| (row, column)));
        let target = Target::new(to);
        threads::for_each(parts, |(row, column)| {
            let part = self.part(row..rows.min(row + height), column..columns.min(column + width));
            // SAFETY: the rows of a part are `columns` values apart and end within those of `to`, which outlives the threads' work;
            // no two parts share a place.
            unsafe { part.compute_at(target.at(row * columns + column), columns, true) };
        });
    }

    /// Rows and columns of the parts of the product that threads compute by themselves: two or more for each thread.
    fn size_of_parts(&self) -> [usize; 2] {
        let mut size = [self.a.rows.max(1), self.b.columns.max(1)];
        if self.a.rows * self.b.columns * self.a.columns < SMALL {
            return size;
        }
        let wanted = 2 * threads::count();
        let whole = size;
        let parts = |size: [usize; 2]| whole[0].div_ceil(size[0]) * whole[1].div_ceil(size[1]);
        while parts(size) < wanted {
            let longer = if size[0] >= size[1] { 0 } else { 1 };
            if size[longer] < 2 * SIDE {
                break;
            }
            // A multiple of the sides that are computed in registers.
            size[longer] = size[longer].div_ceil(2).next_multiple_of(16);
        }
        size
    }
}

/// Where several threads write, each to places of its own.
pub struct Target<T>(*mut T);

impl<T> Target<T> {
    pub fn new(values: &mut [T]) -> Self {
        Self(values.as_mut_ptr())
    }

    pub fn at(&self, place: usize) -> *mut T {
        self.0.wrapping_add(place)
    }
}

// SAFETY: threads only get pointers from it. What they write behind them is up to whoever writes.
unsafe impl<T: Send> Sync for Target<T> {}
