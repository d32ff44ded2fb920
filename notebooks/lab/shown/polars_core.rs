//! polars-core >=0.46, <0.56: data frames as tables.

use known::frame::DataFrame;
use lab::kernel::shown::show_frame;

/// What this crate shows.
pub trait Shown {
    /// Shows it as the value of the cell.
    fn evcxr_display(&self);
}

impl Shown for DataFrame {
    fn evcxr_display(&self) {
        let names = self.get_column_names().into_iter().map(ToString::to_string);
        let columns = names.zip(self.dtypes().iter().map(ToString::to_string)).collect();
        show_frame(columns, self.height(), &|row| {
            let values = self.get(row).unwrap_or_default();
            // Texts would have quotes.
            values.iter().map(|value| value.get_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
        });
    }
}
