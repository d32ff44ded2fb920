//! The result of a cell: the value of its final expression.
//!
//! evcxr tries `.evcxr_display()` on it, and compiles the cell a second time where there is none. The taper kernel writes
//! `lab::__show_result!(…);` in its place, which is right at once.

use std::fmt::Debug;
use std::io::{self, Write};

/// Shows a value as it shows itself, by a method `evcxr_display`, or else in its `Debug` form.
#[doc(hidden)]
#[macro_export]
macro_rules! __show_result {
    ($value:expr) => {{
        // A type's own method goes first. The trait is not to be seen elsewhere: rustc would propose it wherever evcxr finds
        // out that a type has no such method, and evcxr would take the proposal for an error of the cell.
        trait __ShowDebug {
            fn evcxr_display(&self)
            where
                Self: ::std::fmt::Debug,
            {
                $crate::kernel::result::show_debug(&self)
            }
        }
        impl<T: ?Sized> __ShowDebug for T {}
        // As in `panic!()`, which has no value.
        #[allow(unreachable_code)]
        match &$value {
            value => value.evcxr_display(),
        };
    }};
}

/// Shows a value in its `Debug` form, in evcxr's display format.
pub fn show_debug(value: &dyn Debug) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "EVCXR_BEGIN_CONTENT text/plain\n{value:?}\nEVCXR_END_CONTENT");
}
