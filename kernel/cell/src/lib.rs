//! The text of a notebook cell: its commands, its syntax, and positions in it.
//!
//! This crate knows nothing of Jupyter or evcxr and starts no process. Everything here is a function from text to text or to
//! positions in text, and is tested by tables of input and output.

pub mod bindings;
pub mod code;
pub mod commands;
pub mod completeness;
pub mod completion;
pub mod cursor;
pub mod definitions;
pub mod macros;
pub mod own_scope;
pub mod syntax;

pub use bindings::Binding;
pub use commands::{Command, Commands, Dependency, commands};
pub use completeness::{Completeness, completeness};
pub use own_scope::{awaits, bare_returns};
pub use syntax::{Cell, Piece, parse};

/// Replaces every byte but the newlines by a space, so that what follows the text keeps its byte, line and column.
pub fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}
