//! How long work learns that the user wants it to end.
//!
//! The kernel's stop button sets a flag in the process that runs the cells. Everything in this crate that takes long
//! looks at it, and ends with an error; loops of a notebook's own do so by [`check_interrupt`]. Then the variables of
//! earlier cells stay. Code that never looks is ended after two seconds, and with it all variables.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// The user has interrupted the cell.
#[derive(Clone, Copy, Debug, Error)]
#[error("interrupted")]
pub struct Interrupted;

static FLAG: AtomicBool = AtomicBool::new(false);

/// Counts the cells.
static CELL: AtomicU64 = AtomicU64::new(0);

/// How often to look for an interrupt while waiting for something that cannot be woken.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// For loops that take long: `lab::check_interrupt()?` ends them when the user interrupts the cell. Costs next to
/// nothing. Under another kernel it never fails.
///
/// # Errors
/// When the user has interrupted the cell.
pub fn check_interrupt() -> Result<(), Interrupted> {
    if FLAG.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// The user interrupts the cell.
pub(crate) fn set() {
    FLAG.store(true, Ordering::Relaxed);
}

/// A cell starts: an interrupt of the one before does not concern it.
pub(crate) fn begin_cell() {
    CELL.fetch_add(1, Ordering::Relaxed);
    FLAG.store(false, Ordering::Relaxed);
}

/// Does work that can be stuck, as in a network, on a thread of its own, which is left alone after an interrupt.
pub(crate) fn leave_when_interrupted<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Interrupted> {
    let (sender, result) = mpsc::channel();
    let worker = thread::spawn(move || sender.send(work()));
    match receive(&result)? {
        Some(result) => Ok(result),
        None => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("a thread that does not panic sends its result"),
        },
    }
}

/// Waits for the next thing that a thread sends; there is none when the thread has ended.
pub(crate) fn receive<T>(receiver: &Receiver<T>) -> Result<Option<T>, Interrupted> {
    loop {
        check_interrupt()?;
        match receiver.recv_timeout(INTERVAL) {
            Ok(received) => return Ok(Some(received)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

impl From<Interrupted> for candle_core::Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::wrap(interrupted)
    }
}

/// A source of bytes that fails once its cell is interrupted, or over.
pub(crate) struct Reader<R> {
    input: R,
    cell: u64,
}

impl<R> Reader<R> {
    pub fn new(input: R) -> Self {
        Self { input, cell: CELL.load(Ordering::Relaxed) }
    }

    /// Whether nobody waits for the bytes any more.
    pub fn is_over(&self) -> bool {
        check_interrupt().is_err() || self.cell != CELL.load(Ordering::Relaxed)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over() {
            // Not `ErrorKind::Interrupted`, which readers take for an invitation to try again.
            return Err(io::Error::other(Interrupted));
        }
        self.input.read(buffer)
    }
}
