//! polars-lazy >=0.46, <0.56: queries that have not run as their plans. To run one may take hours, so that is left to the user.

use known::frame::LazyFrame;
use lab::kernel::shown::show_text;

/// What this crate shows.
pub trait Shown {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

impl Shown for LazyFrame {
    fn evcxr_display(&self) {
        let plan = self.describe_plan().unwrap_or_else(|error| error.to_string());
        show_text(format!("LazyFrame, which has not run yet: `.collect()?` runs its plan\n\n{plan}"));
    }
}
