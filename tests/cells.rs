//! Cells that once failed, hung or lost something, with the right outputs.

mod items;
mod messages;
mod output;
mod variables;
