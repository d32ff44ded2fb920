//! What the taper kernel calls in the process that runs the cells. Notebooks have no use for it.
//!
//! All cells of a session share this crate and one dynamic standard library, so what is done here is done for them.

pub mod result;
pub mod variables;

use crate::display::format::{self, Failure, Request};
use crate::{backtrace, data, interrupt};
use std::any::TypeId;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write, stdout};
use std::panic::{self, Location};

/// Hands on what cells have printed without a newline.
#[unsafe(no_mangle)]
pub extern "C" fn lab_flush() {
    let _ = stdout().flush();
}

/// A cell waits for a line on its standard input: asks for one, behind what has been printed so far.
#[unsafe(no_mangle)]
pub extern "C" fn lab_ask() {
    // The request that the crate `evcxr_input` makes, too.
    write("EVCXR_INPUT_REQUEST:\n");
}

/// A cell starts: an interrupt of the one before does not concern it.
#[unsafe(no_mangle)]
pub extern "C" fn lab_begin() {
    interrupt::begin_cell();
}

/// The user has interrupted the cell. A signal handler may call it.
#[unsafe(no_mangle)]
pub extern "C" fn lab_interrupt() {
    interrupt::set();
}

/// Makes panics of cells known to the kernel, which shows them if the cell fails for them.
#[unsafe(no_mangle)]
pub extern "C" fn lab_report_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("the panic's payload is no text").to_owned();
        report(Failure {
            name: "panic".into(),
            otherwise: format!("panic: {message}\n"),
            message,
            causes: Vec::new(),
            place: panic.location().map(backtrace::place),
            frames: backtrace::frames(),
        });
    }));
}

/// Makes the error that a `?` of a cell has met known to the kernel. The `?` is the caller.
#[track_caller]
pub fn report_error(error: &impl Display) {
    let message = error.to_string();
    report(Failure {
        name: "Error".into(),
        otherwise: format!("{message}\n"),
        causes: causes(error),
        message,
        place: Some(backtrace::place(Location::caller())),
        frames: backtrace::frames(),
    });
}

fn report(failure: Failure) {
    write(&format::encode(&Request::Failure(failure)));
}

fn write(line: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// What has led to the error, the nearest first. All that evcxr says of the type is that it can be displayed, so only
/// those can be asked that are known here.
fn causes<E: Display>(error: &E) -> Vec<String> {
    fn of<E: Display, Known: 'static>(error: &E) -> Option<&Known> {
        let same = typeid::of::<E>() == TypeId::of::<Known>();
        // SAFETY: it is that very type.
        same.then(|| unsafe { &*std::ptr::from_ref(error).cast() })
    }
    let known: Option<&dyn Error> = None
        .or_else(|| of::<_, crate::anyhow::Error>(error).map(|error| &**error as &dyn Error))
        .or_else(|| of::<_, Box<dyn Error>>(error).map(|error| &**error))
        .or_else(|| of::<_, Box<dyn Error + Send + Sync>>(error).map(|error| &**error as &dyn Error))
        .or_else(|| of::<_, crate::candle_core::Error>(error).map(|error| error as &dyn Error))
        .or_else(|| of::<_, data::Error>(error).map(|error| error as &dyn Error))
        .or_else(|| of::<_, crate::image::ImageError>(error).map(|error| error as &dyn Error))
        .or_else(|| of::<_, io::Error>(error).map(|error| error as &dyn Error));
    let Some(known) = known else { return Vec::new() };
    let mut chain = Vec::new();
    let mut cause = known.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    chain
}
