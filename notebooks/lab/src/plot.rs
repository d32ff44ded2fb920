//! Pictures of digits, training curves and scores, as SVG that is readable on light and dark pages.

mod bars;
mod chart;
mod curves;
mod digits;
mod dots;
mod pair;
mod rows;
mod svg;

pub use bars::{bars, bars_of_runs};
pub use curves::{Curve, curves};
pub use digits::{digits, predictions};
pub use dots::dots;
pub(crate) use pair::pair;
pub(crate) use svg::escape;
