//! nalgebra >=0.30, <0.36: matrices and vectors.

use known::{Dim, Matrix, RawStorage, Scalar};
use lab::kernel::shown::{short_name, show_array};

/// What this crate shows.
pub trait Shown {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

impl<T: Scalar, R: Dim, C: Dim, S: RawStorage<T, R, C>> Shown for Matrix<T, R, C, S> {
    fn evcxr_display(&self) {
        let (rows, columns) = self.shape();
        let caption = format!("matrix {rows} x {columns}, {}", short_name::<T>());
        show_array(&caption, &[rows, columns], None, &|at| format!("{:?}", self[(at[0], at[1])]));
    }
}
