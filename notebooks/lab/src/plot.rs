//! Pictures of digits, of the weights and feature maps of a network, of training curves and of scores, as SVG that is readable
//! on light and dark pages.
//!
//! ```
//! use lab::plot::{self, Curve};
//!
//! let losses = Curve::new("training", &[2.3, 0.9, 0.5]);
//! let picture = plot::curves("Loss", "MNIST", ["step", "loss"], &[losses])?;
//! let shown = "Loss (MNIST), loss over step: training ends at 0.5000";
//! assert_eq!(picture.content("text/plain"), Some(shown));
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod axis;
mod bars;
mod chart;
mod colormap;
mod contours;
mod curves;
mod dots;
mod frames;
mod growing;
mod heat_map;
mod images;
pub(crate) mod inside;
mod maps;
mod matrix;
mod pair;
mod palette;
mod rows;
mod sheet;
mod svg;
#[cfg(test)]
mod tests;
mod thinning;

pub use bars::{bars, bars_of_runs};
pub(crate) use colormap::Colormap;
pub use contours::contours;
pub use curves::{Curve, curves, curves_logarithmic};
pub use dots::{dots, errors};
pub use frames::frames;
pub use growing::Growing;
pub use heat_map::heat_map;
pub use images::{captioned, images, pictures, predictions};
pub(crate) use maps::Maps;
pub use maps::{heat, maps};
pub use matrix::matrix;
pub(crate) use pair::pair;
pub(crate) use svg::escape;
