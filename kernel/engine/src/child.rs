//! The child, the process that runs cells: loads each compiled cell, calls it, and reports when it is done.
//!
//! evcxr starts the child, which is this very program, and tells it on standard input which libraries to load. Before the
//! first cell, the child replaces its standard output and error with pipes, and hands the other ends to the kernel, together
//! with the pipe to evcxr. So the kernel sees every byte in order, even those of a process that has just crashed. Events, such
//! as the end of a cell, go to the kernel through a separate pipe. They are sent by `lab`, of which all cells share one copy.

use crate::input::Input;
use anyhow::{Context, Result, bail};
use libloading::Library;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{self, BufRead, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that evcxr sets for the process that runs cells.
pub const IS_CHILD: &str = "EVCXR_IS_RUNTIME";
/// The environment variable with the descriptor of the socket to the kernel.
pub const SOCKET: &str = "TAPER_SOCKET";
/// The environment variable with the path of the shared library of `lab`. [`environment_file`] is next to it.
pub const LAB: &str = "TAPER_LAB";
/// The environment variable that is set once the process has the variables of [`environment_file`].
const HAS_ENVIRONMENT: &str = "TAPER_HAS_ENVIRONMENT";
/// The start of evcxr's instruction to run a cell, followed by the path of a library and the name of a function.
pub const LOAD: &str = "LOAD_AND_RUN ";
/// The line that tells evcxr that the cell is complete.
pub const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";

/// The name of the function of a compiled cell. Its argument is the store of variables.
pub const CELL: &str = "taper_cell";

type Cell = unsafe extern "C" fn(*mut c_void);

/// The path of the JSON file with the environment variables that users have set for the child. `lab` is the path in [`LAB`].
pub fn environment_file(lab: &Path) -> PathBuf {
    lab.with_file_name("environment.json")
}

/// Runs cells if evcxr has started this process as its child; returns whether it has.
///
/// # Errors
/// When the process cannot be set up, or evcxr sends an unknown instruction.
pub fn run_if_meant() -> Result<bool> {
    if env::var_os(IS_CHILD).is_none() {
        return Ok(false);
    }
    if env::var_os(SOCKET).is_some() {
        run()?
    } else {
        pretend()?
    }
    Ok(true)
}

/// Runs cells until standard input ends.
fn run() -> Result<()> {
    take_environment()?;
    // evcxr sets this variable, with which candle and anyhow add a backtrace to every error.
    // SAFETY: this process has only its main thread, since `main` calls `run_if_meant` before it starts any, so no other
    // thread can read the environment meanwhile.
    unsafe { env::remove_var("RUST_BACKTRACE") };
    go_first();
    let kernel = kernel_socket()?;
    let control = hand_over_output(&kernel).context("cannot hand the output to the kernel")?;
    end_with_kernel(kernel);
    let lab = Lab::load()?;
    lab.listen_to_interrupts()?;
    let store = lab.start(control);
    let input = Input::start(move || lab.ask())?;
    leave_interrupts_to_other_threads();

    while let Some(line) = input.next_instruction() {
        // The path may hold spaces, the name of evcxr's function does not.
        let Some((path, _)) = line.strip_prefix(LOAD).and_then(|rest| rest.rsplit_once(' ')) else {
            bail!("unexpected instruction `{line}`");
        };
        input.set_running(true);
        lab.begin(path)?;
        match load(path) {
            // SAFETY: `glue` generates the function with this signature, and its library is never unloaded. `store` comes from
            // `Lab::start`, which leaks it, so it is alive; only this thread uses it, and no other cell runs now.
            Ok(Some(cell)) => unsafe { cell(store) },
            Ok(None) => {}
            Err(error) => lab.not_loaded(&error)?,
        }
        input.set_running(false);
        lab.end(store);
    }
    Ok(())
}

/// Executes this program again with the environment variables that the user has set, because some of them, such as
/// `LD_LIBRARY_PATH`, take effect only when a program starts.
fn take_environment() -> Result<()> {
    let lab = env::var_os(LAB).context("this process is started by the kernel only")?;
    let file = environment_file(Path::new(&lab));
    if !file.exists() {
        return Ok(());
    }
    if env::var_os(HAS_ENVIRONMENT).is_some() {
        // SAFETY: this process has only its main thread, since `main` calls `run_if_meant` before it starts any, and `run` calls
        // this function first. So no other thread can read the environment meanwhile.
        unsafe { env::remove_var(HAS_ENVIRONMENT) };
        return Ok(());
    }
    let variables: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut command = Command::new(env::current_exe()?);
    Err(command.envs(variables).env(HAS_ENVIRONMENT, "1").exec())
        .context("cannot start in another environment")
}

/// Loads a compiled cell; returns its function. `None` if evcxr has nothing to run: then the file is empty.
fn load(path: &str) -> Result<Option<Cell>, libloading::Error> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Ok(None);
    }
    // SAFETY: loading runs only initializers of the cell and of crates that the user has added, which may do whatever the code
    // of a cell may do. `glue` generates the function with this signature. The pointer to it stays valid, because the library
    // is never unloaded.
    unsafe {
        let library = Library::new(path)?;
        let cell = library.get::<Cell>(CELL.as_bytes()).ok().map(|cell| *cell);
        // Never unload the library: variables, threads and destructors point into its code.
        std::mem::forget(library);
        Ok(cell)
    }
}

/// Blocks SIGINT on this thread, which runs the cells, so that other threads handle it. Here, the signal would restart a
/// blocked read of standard input, perhaps on the next socket, while the read is being made to fail.
fn leave_interrupts_to_other_threads() {
    // SAFETY: `sigemptyset` initializes the set before the other calls read it, all pointers are valid during the calls, and
    // `pthread_sigmask` accepts null for the previous mask.
    unsafe {
        let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
    }
}

/// Pretends to run cells, for the analyzer's evcxr, which never has any to run.
#[allow(clippy::print_stdout)]
fn pretend() -> Result<()> {
    for _ in io::stdin().lock().lines() {
        println!("{COMPLETE}");
    }
    Ok(())
}

/// Makes this process the first that Linux kills when memory runs out, rather than the kernel or Jupyter, because it is the
/// cells that use the memory.
fn go_first() {
    // The file exists on Linux only.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

fn kernel_socket() -> Result<UnixStream> {
    let descriptor: RawFd =
        env::var(SOCKET).context("this process is started by the kernel only")?.parse()?;
    // SAFETY: the kernel keeps this descriptor open across `exec` (`relay::keep_across_exec`), and only this call, which is made
    // once, takes it over.
    Ok(unsafe { UnixStream::from_raw_fd(descriptor) })
}

/// Sends the kernel five descriptors: the pipes from which it reads our output, our errors and our events, the pipe on which it
/// writes to evcxr, and a pipe that closes when this process ends. The output does not show that end, because programs that a
/// cell has started may still hold it open. Returns the descriptor to write events to.
fn hand_over_output(kernel: &UnixStream) -> Result<OwnedFd> {
    let (output, our_output) = rustix::pipe::pipe()?;
    let (errors, our_errors) = rustix::pipe::pipe()?;
    let (events, our_events) = rustix::pipe::pipe()?;
    rustix::io::fcntl_setfd(&our_events, rustix::io::FdFlags::CLOEXEC)?;
    let evcxr = io::stdout().as_fd().try_clone_to_owned()?;
    let (life, our_life) = rustix::pipe::pipe()?;
    rustix::io::fcntl_setfd(&our_life, rustix::io::FdFlags::CLOEXEC)?;
    rustix::stdio::dup2_stdout(&our_output)?;
    rustix::stdio::dup2_stderr(&our_errors)?;

    let descriptors = [output.as_fd(), errors.as_fd(), events.as_fd(), evcxr.as_fd(), life.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(kernel, &[IoSlice::new(b"!")], &mut ancillary, SendFlags::empty())?;
    // Left open, so that only the end of the process closes it.
    std::mem::forget(our_life);
    Ok(our_events)
}

/// Ends this process when the kernel has ended, whatever the cell is doing.
fn end_with_kernel(mut kernel: UnixStream) {
    std::thread::spawn(move || {
        let _ = kernel.read(&mut [0]);
        std::process::exit(1);
    });
}

/// The functions of `lab` that this process calls, from the copy that it shares with the cells.
#[derive(Clone, Copy)]
struct Lab {
    start: unsafe extern "C" fn(c_int) -> *mut c_void,
    begin: unsafe extern "C" fn(*const c_char),
    end: unsafe extern "C" fn(*mut c_void),
    not_loaded: unsafe extern "C" fn(*const c_char),
    ask: extern "C" fn(),
    interrupt: extern "C" fn(),
}

impl Lab {
    fn load() -> Result<Self> {
        let path = env::var_os(LAB).context("this process is started by the kernel only")?;
        // SAFETY: the library is the one that cells are linked with. Loading it runs only the initializers of `lab` and of its
        // dependencies, which run in every program that links them and require nothing. `lab` exports these functions with
        // these signatures (see its `kernel.rs`). The pointers to them stay valid, because the library is never unloaded.
        unsafe {
            let library = Library::new(&path).with_context(|| format!("cannot load {path:?}"))?;
            let lab = Self {
                start: *library.get(b"lab_start")?,
                begin: *library.get(b"lab_begin")?,
                end: *library.get(b"lab_end")?,
                not_loaded: *library.get(b"lab_not_loaded")?,
                ask: *library.get(b"lab_ask")?,
                interrupt: *library.get(b"lab_interrupt")?,
            };
            std::mem::forget(library);
            Ok(lab)
        }
    }

    /// Prepares `lab` for cells, which report their events to `control`; returns their store of variables.
    fn start(self, control: OwnedFd) -> *mut c_void {
        // SAFETY: an owned descriptor is open, and `into_raw_fd` gives up its ownership, so nothing else uses it.
        unsafe { (self.start)(control.into_raw_fd()) }
    }

    /// Reports that the cell in a library starts.
    fn begin(self, library: &str) -> Result<()> {
        let library = CString::new(library)?;
        // SAFETY: the pointer is to a C string that outlives the call.
        unsafe { (self.begin)(library.as_ptr()) };
        Ok(())
    }

    /// Reports that the cell is complete.
    fn end(self, store: *mut c_void) {
        // SAFETY: the only caller, `run`, passes the store that `start` has returned, after the cell has returned.
        unsafe { (self.end)(store) }
    }

    /// Reports that a cell could not be loaded, so that none of it has run.
    fn not_loaded(self, error: &libloading::Error) -> Result<()> {
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        let cause = CString::new(cause)?;
        // SAFETY: the pointer is to a C string that outlives the call.
        unsafe { (self.not_loaded)(cause.as_ptr()) };
        Ok(())
    }

    /// Asks the user for a line of input.
    fn ask(self) {
        (self.ask)();
    }

    /// Handles the kernel's SIGINT: it sets the flag that code can check for interrupts, and no longer ends the process.
    fn listen_to_interrupts(self) -> Result<()> {
        let handler = move || (self.interrupt)();
        // SAFETY: the handler only calls `lab_interrupt`, which stores to an atomic flag and is therefore async-signal-safe, and
        // whose library is never unloaded.
        unsafe { signal_hook_registry::register(rustix::process::Signal::INT.as_raw(), handler)? };
        Ok(())
    }
}
