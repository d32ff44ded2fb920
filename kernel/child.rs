//! The process that runs cells: loads each compiled cell, calls it, and says when it is done.
//!
//! evcxr starts it (it is this very program) and tells it on standard input what to load. Before the first cell
//! it replaces its standard output and error by pipes and hands their other ends to the kernel, together with
//! the pipe to evcxr: the kernel sees every byte in order, even those of a process that has just crashed.

use crate::format::{self, Failure, Request};
use crate::input::Input;
use crate::output::RETURNED_ERROR;
use anyhow::{Context, Result, bail};
use libloading::Library;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::env;
use std::error::Error;
use std::ffi::c_void;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// evcxr sets this for the process that runs cells.
pub const IS_CHILD: &str = "EVCXR_IS_RUNTIME";
/// The descriptor of the socket to the kernel.
pub const SOCKET: &str = "TAPER_SOCKET";
/// The shared library of `lab`.
pub const LAB: &str = "TAPER_LAB";
/// Printed before a cell runs, with the path of its library: from here on an interrupt concerns this process, no longer
/// the compiler.
pub const RUNNING: &str = "\u{1e}RUNNING ";
/// What evcxr sends before the path of a library and the name of its function.
pub const LOAD: &str = "LOAD_AND_RUN ";
/// What evcxr waits for.
pub const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";

type Cell = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// Runs cells until standard input ends.
pub fn run() -> Result<()> {
    // evcxr asks for backtraces, which candle and anyhow then print with every error.
    // SAFETY: this process has started no thread yet.
    unsafe { env::remove_var("RUST_BACKTRACE") };
    go_first();
    let kernel = kernel_socket()?;
    hand_over_output(&kernel).context("cannot hand the output to the kernel")?;
    end_with_kernel(kernel);
    let lab = Arc::new(Lab::load()?);
    lab.listen_to_interrupts()?;
    let for_input = Arc::clone(&lab);
    let input = Input::start(move || for_input.call(b"lab_ask"))?;

    let mut variables: *mut c_void = std::ptr::null_mut();
    while let Some(line) = input.next_instruction() {
        // The path may hold spaces, the function's name does not.
        let Some((path, function)) = line.strip_prefix(LOAD).and_then(|rest| rest.rsplit_once(' ')) else {
            bail!("unexpected instruction `{line}`");
        };
        lab.call(b"lab_begin");
        input.set_running(true);
        println!("{RUNNING}{path}");
        match load(path, function) {
            // SAFETY: evcxr generated it, for the store of variables that the cell before has returned.
            Ok(cell) => variables = unsafe { cell(variables) },
            Err(error) => fail(&error),
        }
        lab.flush();
        input.set_running(false);
        println!("{COMPLETE}");
    }
    Ok(())
}

/// The function of a compiled cell.
fn load(path: &str, function: &str) -> Result<Cell, libloading::Error> {
    // SAFETY: evcxr compiled the library, and generated the function with this signature. Loading it runs no code but that
    // of libraries that the user has asked for.
    unsafe {
        let library = Library::new(path)?;
        let cell = *library.get::<Cell>(function.as_bytes())?;
        // Variables, threads and destructors will point into the code: it stays for good.
        std::mem::forget(library);
        Ok(cell)
    }
}

/// Says that a cell could not be loaded. Nothing of it has run.
fn fail(error: &libloading::Error) {
    let cause = error.source().map(|cause| cause.to_string());
    let failure = Failure {
        name: "LoadError".into(),
        message: "the compiled cell cannot be loaded, so nothing of it has run".into(),
        causes: vec![cause.unwrap_or_else(|| error.to_string())],
        ..Failure::default()
    };
    print!("{}", format::encode(&Request::Failure(failure)));
    println!("{RETURNED_ERROR}");
}

/// Claims to run cells, for an evcxr that is there for analysis only.
pub fn pretend() -> Result<()> {
    for _ in io::stdin().lock().lines() {
        println!("{COMPLETE}");
    }
    Ok(())
}

/// When memory runs out Linux is to end this process, rather than the kernel or Jupyter: it is the cells that use it.
fn go_first() {
    // Elsewhere there is no such file.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

fn kernel_socket() -> Result<UnixStream> {
    let descriptor: RawFd =
        env::var(SOCKET).context("this process is started by the kernel only")?.parse()?;
    // SAFETY: the kernel left this descriptor open for us, and nothing else here uses it.
    Ok(unsafe { UnixStream::from_raw_fd(descriptor) })
}

/// Sends the kernel four descriptors: where to read our output and our errors, where to write to evcxr, and one that
/// ends when this process does. Output alone does not tell: programs that a cell has started may still hold it.
fn hand_over_output(kernel: &UnixStream) -> Result<()> {
    let (output, our_output) = rustix::pipe::pipe()?;
    let (errors, our_errors) = rustix::pipe::pipe()?;
    let evcxr = io::stdout().as_fd().try_clone_to_owned()?;
    let (life, our_life) = rustix::pipe::pipe()?;
    rustix::io::fcntl_setfd(&our_life, rustix::io::FdFlags::CLOEXEC)?;
    rustix::stdio::dup2_stdout(&our_output)?;
    rustix::stdio::dup2_stderr(&our_errors)?;

    let descriptors = [output.as_fd(), errors.as_fd(), evcxr.as_fd(), life.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(kernel, &[IoSlice::new(b"!")], &mut ancillary, SendFlags::empty())?;
    // It is closed by the end of the process, whatever that end is.
    std::mem::forget(our_life);
    Ok(())
}

/// Ends this process when the kernel is gone, whatever the cell is doing.
fn end_with_kernel(mut kernel: UnixStream) {
    std::thread::spawn(move || {
        let _ = kernel.read(&mut [0]);
        std::process::exit(1);
    });
}

/// The functions of `lab` that this process calls, in the copy that the cells share.
struct Lab(Option<Library>);

impl Lab {
    fn load() -> Result<Self> {
        let Some(path) = env::var_os(LAB) else { return Ok(Self(None)) };
        // SAFETY: loading runs no code of ours, and the library is the one that cells are linked with.
        let library = unsafe { Library::new(&path) }.with_context(|| format!("cannot load {path:?}"))?;
        let lab = Self(Some(library));
        lab.call(b"lab_report_panics");
        Ok(lab)
    }

    /// Cells print into a buffer of the shared standard library, which only code linked with it can flush.
    fn flush(&self) {
        self.call(b"lab_flush");
        let _ = io::stdout().flush();
    }

    /// Has the kernel's SIGINT reach what looks for it, and end nothing by itself.
    fn listen_to_interrupts(&self) -> Result<()> {
        let interrupt = self.function(b"lab_interrupt");
        let handler = move || {
            if let Some(interrupt) = interrupt {
                interrupt();
            }
        };
        // SAFETY: all that `lab_interrupt` does is to set an atomic flag, which a signal handler may.
        unsafe { signal_hook_registry::register(rustix::process::Signal::INT.as_raw(), handler)? };
        Ok(())
    }

    fn call(&self, name: &[u8]) {
        if let Some(function) = self.function(name) {
            function();
        }
    }

    fn function(&self, name: &[u8]) -> Option<extern "C" fn()> {
        // SAFETY: `lab` exports these functions, without arguments or result, and is never unloaded.
        self.0.as_ref().and_then(|library| {
            unsafe { library.get::<extern "C" fn()>(name) }.ok().map(|function| *function)
        })
    }
}
