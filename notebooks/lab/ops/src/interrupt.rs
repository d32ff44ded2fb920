//! The flag that tells long-running work that the user has interrupted it.

use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// The user has interrupted the cell.
#[derive(Clone, Copy, Debug, Error)]
#[error("interrupted")]
pub struct Interrupted;

static FLAG: AtomicBool = AtomicBool::new(false);

/// For loops that take long: `lab::check_interrupt()?` ends them when the user interrupts the cell. Costs next to
/// nothing. Under another kernel it never fails.
///
/// # Errors
/// When the user has interrupted the cell.
#[inline]
pub fn check_interrupt() -> Result<(), Interrupted> {
    if FLAG.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// Sets or clears the flag.
pub fn set(interrupted: bool) {
    FLAG.store(interrupted, Ordering::Relaxed);
}

impl From<Interrupted> for candle_core::Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::wrap(interrupted)
    }
}
