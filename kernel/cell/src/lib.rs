//! The text of a notebook cell: its commands, its syntax, and positions in it.
//!
//! This crate knows neither Jupyter nor evcxr, and starts no process: everything here is a function from text to text
//! or to positions in text, and is tested by tables of input and output.

pub mod annotated;
pub mod cursor;
pub mod impls;
pub mod syntax;

pub use syntax::{Binding, Cell, Completeness, Piece, SHOW_RESULT, completeness, parse};

/// As many bytes of space, with the same line ends: whatever follows keeps its place.
pub fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}
