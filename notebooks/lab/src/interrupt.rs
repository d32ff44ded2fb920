//! How long work learns that the user wants it to end.
//!
//! The kernel's stop button sets a flag in the process that runs the cells. Everything in this crate that takes long
//! looks at it, and ends with an error; loops of a notebook's own do so by [`check_interrupt`]. Then the variables of
//! earlier cells stay. Code that never looks is ended after two seconds, and with it all variables.

use std::io::{self, Read};
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
pub fn check_interrupt() -> Result<(), Interrupted> {
    if FLAG.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// Sets the flag at an interrupt, and clears it for the next cell.
pub(crate) fn set(interrupted: bool) {
    FLAG.store(interrupted, Ordering::Relaxed);
}

impl From<Interrupted> for candle_core::Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::wrap(interrupted)
    }
}

/// A source of bytes that fails once the cell is interrupted.
pub(crate) struct Reader<R>(pub R);

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Not `ErrorKind::Interrupted`, which readers take for an invitation to try again.
        check_interrupt().map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}
