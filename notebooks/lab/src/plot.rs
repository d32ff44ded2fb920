//! Pictures of digits, training curves and scores, as SVG that is readable on light and dark pages.

mod bars;
mod chart;
mod curves;
mod digits;
mod pair;
mod svg;

pub use bars::bars;
pub use curves::{Curve, curves};
pub use digits::{digits, predictions};
pub(crate) use pair::pair;
pub(crate) use svg::escape;
