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
        // As in `panic!()`, which has no value.
        #[allow(unreachable_code)]
        match &$value {
            value => {
                // A type's own method goes first.
                use $crate::kernel::result::ShowDebug as _;
                value.evcxr_display()
            }
        };
    }};
}

/// What is shown of values that do not show themselves.
pub trait ShowDebug {
    fn evcxr_display(&self)
    where
        Self: Debug,
    {
        write_text(&format!("{self:?}"));
    }
}

impl<T: ?Sized> ShowDebug for T {}

/// In evcxr's display format.
fn write_text(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "EVCXR_BEGIN_CONTENT text/plain\n{text}\nEVCXR_END_CONTENT");
}
