//! Training: a panel that shows it live, and the loop itself for notebooks that have taught it.

mod fit;
mod history;
mod panel;
mod report;

pub use fit::{Settings, evaluate, fit};
pub use history::{Epoch, History, Score};
pub use panel::Panel;
