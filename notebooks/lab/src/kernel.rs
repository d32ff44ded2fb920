//! What the process that runs the cells, and code that the kernel generates, call. Notebooks have no use for it.
//!
//! All cells of a session share this crate and one dynamic standard library, so what is done here is done for them.

mod control;
mod flush;
pub mod result;
pub mod shown;
pub mod variables;

use crate::{backtrace, data, device, interrupt};
use messages::{Event, Failure};
use std::any::TypeId;
use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::fmt::{Debug, Display};
use std::panic::{self, AssertUnwindSafe, Location};
use std::{io, iter};
use variables::Store;

/// Gets ready for cells: events go to the descriptor `control`, panics are events.
///
/// # Safety
/// The descriptor must be open, and nothing else may use it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lab_start(control: c_int) -> *mut Store {
    // SAFETY: the caller guarantees that the descriptor is open and that nothing else uses it, which is what `open` asks for.
    unsafe { control::open(control) };
    flush::start();
    report_panics();
    Box::into_raw(Box::default())
}

/// A cell in the library of this path starts: an interrupt of the one before does not concern it.
///
/// # Safety
/// `library` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lab_begin(library: *const c_char) {
    interrupt::begin_cell();
    // SAFETY: the caller guarantees that `library` is a C string during this call; it is copied here.
    let library = unsafe { CStr::from_ptr(library) }.to_string_lossy().into_owned();
    control::send(&Event::Running { library });
}

/// The cell is over: hands on what it has printed without a newline, and says which variables it has left.
///
/// # Safety
/// `store` must come from [`lab_start`], and no cell may run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lab_end(store: *mut Store) {
    // SAFETY: the caller guarantees that `store` comes from `lab_start`, which leaks it, so it is alive; and that no cell runs.
    // Only cells are given references to the store, so this one is exclusive.
    let kept = unsafe { &mut *store }.commit();
    flush::flush();
    control::send(&Event::Complete { kept });
}

/// The cell could not be loaded.
///
/// # Safety
/// `cause` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lab_not_loaded(cause: *const c_char) {
    // SAFETY: the caller guarantees that `cause` is a C string during this call; it is copied here.
    let cause = unsafe { CStr::from_ptr(cause) }.to_string_lossy().into_owned();
    control::send(&Event::Failure(Failure {
        name: "LoadError".into(),
        message: "the compiled cell cannot be loaded, so nothing of it has run".into(),
        causes: vec![cause],
        ..Failure::default()
    }));
    control::send(&Event::ReturnedError);
}

/// A cell waits for a line on its standard input: asks for one, after what has been printed so far.
#[unsafe(no_mangle)]
pub extern "C" fn lab_ask() {
    flush::flush();
    control::send(&Event::Question);
}

/// The user has interrupted the cell. A signal handler may call it.
#[unsafe(no_mangle)]
pub extern "C" fn lab_interrupt() {
    interrupt::set();
}

/// Runs the code of a cell, which keeps its new variables in the store when it has come to its end. A panic ends the
/// cell, not the process.
pub fn run<E>(store: &mut Store, cell: impl FnOnce(&mut Store) -> Result<(), E>) {
    let mut cell = Some(cell);
    run_once(store, &mut |store| cell.take().is_none_or(|cell| cell(store).is_ok()));
}

/// Runs code that returns whether it has succeeded. Every cell calls it, so it is not generic: it is compiled here, once.
fn run_once(store: &mut Store, cell: &mut dyn FnMut(&mut Store) -> bool) {
    let ended = panic::catch_unwind(AssertUnwindSafe(|| cell(store)));
    device::give_back_memory();
    let event = match ended {
        Ok(true) => return,
        Ok(false) => Event::ReturnedError,
        Err(payload) => {
            quietly(|| drop(payload));
            Event::Panicked
        }
    };
    control::send(&event);
}

/// Runs code of the user's whose panic must go no further, such as the destructor of an old value.
fn quietly(code: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(code)) {
        // Dropping the payload could panic too, and so on.
        std::mem::forget(payload);
    }
}

/// What a `?` of a cell turns an error into, after it has reported it.
pub struct CellError;

impl<T: Display> From<T> for CellError {
    #[track_caller]
    fn from(error: T) -> Self {
        let error = Unknown::new(&error);
        report_error(error.name(), &error.error, error.causes(), Location::caller());
        Self
    }
}

/// [`CellError`] for errors shown in their `Debug` form, `:efmt {:?}`.
pub struct DebugError;

impl<T: Debug> From<T> for DebugError {
    #[track_caller]
    fn from(error: T) -> Self {
        report_error(ERROR, &format_args!("{error:?}"), Vec::new(), Location::caller());
        Self
    }
}

/// [`DebugError`] over several lines, `:efmt {:#?}`.
pub struct PrettyError;

impl<T: Debug> From<T> for PrettyError {
    #[track_caller]
    fn from(error: T) -> Self {
        report_error(ERROR, &format_args!("{error:#?}"), Vec::new(), Location::caller());
        Self
    }
}

/// Lets code name the type that a function returns, and so the type `!`, as `<fn() -> ! as Returns>::Type`.
pub trait Returns {
    /// The type that the function returns.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// The name of an error of which no more is known.
const ERROR: &str = "Error";

fn report_error(name: &str, message: &dyn Display, causes: Vec<String>, location: &Location) {
    let message = message.to_string();
    control::send(&Event::Failure(Failure {
        name: name.into(),
        otherwise: format!("{message}\n"),
        causes,
        message,
        location: Some(backtrace::location(location)),
        frames: backtrace::frames(),
    }));
}

/// Reports the panics of cells to the kernel, which shows those that make the cell fail.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("the panic's payload is no text").to_owned();
        control::send(&Event::Failure(Failure {
            name: "panic".into(),
            otherwise: format!("panic: {message}\n"),
            message,
            causes: Vec::new(),
            location: panic.location().map(backtrace::location),
            frames: backtrace::frames(),
        }));
    }));
}

/// An error of which nothing is known but that it can be displayed.
struct Unknown<'a> {
    error: &'a dyn Display,
    /// Its type, up to lifetimes.
    kind: TypeId,
}

impl<'a> Unknown<'a> {
    fn new<T: Display>(error: &'a T) -> Self {
        Self { error, kind: typeid::of::<T>() }
    }

    fn of<Known: 'static>(&self) -> Option<&Known> {
        // SAFETY: `new` takes `kind` from the type of what `error` points to, so these are one type up to lifetimes. `Known` is
        // `'static`, so it has none that the cast could extend, and the result borrows `self`, which borrows the error.
        (self.kind == TypeId::of::<Known>()).then(|| unsafe { &*std::ptr::from_ref(self.error).cast() })
    }

    /// The error, if it is of one of the types listed here.
    fn known(&self) -> Option<&(dyn Error + 'static)> {
        None.or_else(|| self.of::<crate::anyhow::Error>().map(|error| &**error as &dyn Error))
            .or_else(|| self.of::<Box<dyn Error>>().map(|error| &**error))
            .or_else(|| self.of::<Box<dyn Error + Send + Sync>>().map(|error| &**error as &dyn Error))
            .or_else(|| self.of::<crate::candle_core::Error>().map(|error| error as &dyn Error))
            .or_else(|| self.of::<data::Error>().map(|error| error as &dyn Error))
            .or_else(|| self.of::<crate::image::ImageError>().map(|error| error as &dyn Error))
            .or_else(|| self.of::<io::Error>().map(|error| error as &dyn Error))
            .or_else(|| self.of::<crate::Unavailable>().map(|error| error as &dyn Error))
    }

    /// The error, if it is known, and its causes, the nearest first.
    fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        iter::successors(self.known(), |error: &&(dyn Error + 'static)| (*error).source())
    }

    fn causes(&self) -> Vec<String> {
        self.chain().skip(1).map(ToString::to_string).collect()
    }

    /// What the kernel calls the error.
    fn name(&self) -> &'static str {
        if self.chain().any(|error| error.is::<crate::Unavailable>()) { messages::UNAVAILABLE } else { ERROR }
    }
}
