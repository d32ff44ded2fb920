//! What the taper kernel calls in the process that runs the cells. Notebooks have no use for it.
//!
//! All cells of a session share this crate and one dynamic standard library, so what is done here is done for them.

use crate::display::format::{self, Request};
use crate::interrupt;
use std::fmt::Display;
use std::io::{Write, stdout};
use std::panic;

/// Hands on what cells have printed without a newline.
#[unsafe(no_mangle)]
pub extern "C" fn lab_flush() {
    let _ = stdout().flush();
}

/// A cell starts: an interrupt of the one before does not concern it.
#[unsafe(no_mangle)]
pub extern "C" fn lab_begin() {
    interrupt::set(false);
}

/// The user has interrupted the cell. A signal handler may call it.
#[unsafe(no_mangle)]
pub extern "C" fn lab_interrupt() {
    interrupt::set(true);
}

/// Makes panics of cells known to the kernel, which shows them if the cell fails for them.
#[unsafe(no_mangle)]
pub extern "C" fn lab_report_panics() {
    panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("the panic's payload is no text");
        // A location in the cell's own file is one in generated code, which says nothing to its author.
        let place = panic.location().filter(|location| !location.file().ends_with("src/lib.rs"));
        let message = place.map_or(text.to_owned(), |place| format!("{text}\n  at {place}"));
        let otherwise = format!("panic: {message}\n");
        report("panic", message, otherwise);
    }));
}

/// Makes the error that a `?` of a cell has met known to the kernel.
pub fn report_error(error: &impl Display) {
    // The alternate form has the chain of causes, in error types that know one.
    report("Error", format!("{error:#}"), format!("{error}\n"));
}

fn report(name: &str, message: String, otherwise: String) {
    let line = format::encode(&Request::Failure { name: name.into(), message, otherwise });
    let mut out = stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
