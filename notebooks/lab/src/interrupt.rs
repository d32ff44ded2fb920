//! How long-running work learns that the user wants it to end.
//!
//! The kernel's stop button sets a flag in the process that runs the cells. Everything in this crate that takes long checks
//! it, and ends with an error; a notebook's own loops do so with [`check_interrupt`]. Then the variables of earlier cells
//! are kept. Code that never checks is killed after two seconds, and all variables are lost.

pub use ::ops::{Interrupted, check_interrupt};

use ::ops::interrupt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How many cells have begun.
static CELL: AtomicU64 = AtomicU64::new(0);

/// How often to check for an interrupt while waiting for something that cannot be woken.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// The user interrupts the cell.
pub(crate) fn set() {
    interrupt::set(true);
}

/// A cell starts: an interrupt of the one before does not concern it.
pub(crate) fn begin_cell() {
    CELL.fetch_add(1, Ordering::Relaxed);
    interrupt::set(false);
}

/// Does work that can get stuck, such as a download, on a thread of its own, which is abandoned after an interrupt.
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

/// Waits for the next thing that a thread sends. There is none when the thread has ended.
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

/// A source of bytes that fails once its cell is interrupted or over.
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
            // Not `ErrorKind::Interrupted`, after which readers try again.
            return Err(io::Error::other(Interrupted));
        }
        self.input.read(buffer)
    }
}
