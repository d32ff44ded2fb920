//! ndarray >=0.15, <0.18: arrays of any rank as matrices, beside their own text.

use known::{ArrayBase, Data, Dimension};
use lab::kernel::shown::{short_name, show_array};
use std::fmt::Debug;

/// What this crate shows.
pub trait Shown {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

impl<A: Debug, S: Data<Elem = A>, D: Dimension> Shown for ArrayBase<S, D> {
    fn evcxr_display(&self) {
        let caption = format!("array {:?}, {}", self.shape(), short_name::<A>());
        // Of large arrays it leaves out the middle, too.
        let text = format!("{self:?}");
        let array = self.view().into_dyn();
        show_array(&caption, self.shape(), Some(text), &|index| format!("{:?}", array[index]));
    }
}
