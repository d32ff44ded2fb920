//! The process that runs cells: loads each compiled cell, calls it, and says when it is done.
//!
//! evcxr starts it (it is this very program) and tells it on standard input what to load. Before the first cell
//! it replaces its standard output and error by pipes and hands their other ends to the kernel, together with
//! the pipe to evcxr: the kernel sees every byte in order, even those of a process that has just crashed. What happens to
//! the cells it tells the kernel through a pipe of its own, by `lab`, whose copy in this process all cells share.

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

/// evcxr sets this for the process that runs cells.
const IS_CHILD: &str = "EVCXR_IS_RUNTIME";
/// The descriptor of the socket to the kernel.
pub const SOCKET: &str = "TAPER_SOCKET";
/// The shared library of `lab`, next to which the variables are that users have set for this process.
pub const LAB: &str = "TAPER_LAB";
/// Says that the process has the environment that the user has set.
const HAS_ENVIRONMENT: &str = "TAPER_HAS_ENVIRONMENT";
/// What evcxr sends before the path of a library and the name of its function.
pub const LOAD: &str = "LOAD_AND_RUN ";
/// What evcxr waits for.
pub const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";

/// The function of a compiled cell, which gets the store of variables.
pub const CELL: &str = "taper_cell";

type Cell = unsafe extern "C" fn(*mut c_void);

/// The file with the variables that users have set for the process, as JSON; `lab` is where the library is found.
pub fn environment_file(lab: &Path) -> PathBuf {
    lab.with_file_name("environment.json")
}

/// Runs cells, if evcxr has started this process to do so; returns whether it has.
///
/// # Errors
/// When it was not the kernel's evcxr that started it.
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
    // evcxr asks for backtraces, which candle and anyhow then print with every error.
    // SAFETY: this process has started no thread yet.
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
            // SAFETY: the kernel generated the function with this signature, for this store.
            Ok(Some(cell)) => unsafe { cell(store) },
            Ok(None) => {}
            Err(error) => lab.not_loaded(&error)?,
        }
        input.set_running(false);
        lab.end(store);
    }
    Ok(())
}

/// Starts this program anew in the environment that the user has set: some variables, such as `LD_LIBRARY_PATH`, are read
/// when a program starts.
fn take_environment() -> Result<()> {
    let lab = env::var_os(LAB).context("this process is started by the kernel only")?;
    let file = environment_file(Path::new(&lab));
    if !file.exists() {
        return Ok(());
    }
    if env::var_os(HAS_ENVIRONMENT).is_some() {
        // SAFETY: this process has started no thread yet.
        unsafe { env::remove_var(HAS_ENVIRONMENT) };
        return Ok(());
    }
    let variables: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut command = Command::new(env::current_exe()?);
    Err(command.envs(variables).env(HAS_ENVIRONMENT, "1").exec())
        .context("cannot start in another environment")
}

/// The function of a compiled cell. There is none in what evcxr has made by itself.
fn load(path: &str) -> Result<Option<Cell>, libloading::Error> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Ok(None);
    }
    // SAFETY: the kernel compiled the library, and generated the function with this signature. Loading it runs no code but
    // that of libraries that the user has asked for.
    unsafe {
        let library = Library::new(path)?;
        let cell = library.get::<Cell>(CELL.as_bytes()).ok().map(|cell| *cell);
        // Variables, threads and destructors will point into the code: it stays for good.
        std::mem::forget(library);
        Ok(cell)
    }
}

/// Has SIGINT handled by the threads that have been started so far. On the thread of the cells it would have a read of the
/// standard input begin again, perhaps of the next socket, while that of the cell is being failed.
fn leave_interrupts_to_other_threads() {
    // SAFETY: the set is filled by `sigemptyset` before it is used, and the calls change nothing but this thread's mask.
    unsafe {
        let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
    }
}

/// Claims to run cells, for an evcxr that is there for analysis only.
#[allow(clippy::print_stdout)]
fn pretend() -> Result<()> {
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

/// Sends the kernel five descriptors: where to read our output, our errors and what happens to the cells, where to write to
/// evcxr, and one that ends when this process does. Output alone does not tell: programs that a cell has started may still
/// hold it. Returns where to write what happens.
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
    // It is closed by the end of the process, whatever that end is.
    std::mem::forget(our_life);
    Ok(our_events)
}

/// Ends this process when the kernel is gone, whatever the cell is doing.
fn end_with_kernel(mut kernel: UnixStream) {
    std::thread::spawn(move || {
        let _ = kernel.read(&mut [0]);
        std::process::exit(1);
    });
}

/// The functions of `lab` that this process calls, in the copy that the cells share.
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
        // SAFETY: loading runs no code of ours, and the library is the one that cells are linked with. `lab` exports these
        // functions with these signatures, and as the library is never unloaded they stay valid.
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

    /// Gets ready for cells; returns their store of variables.
    fn start(self, control: OwnedFd) -> *mut c_void {
        // SAFETY: the descriptor is open, and handed over.
        unsafe { (self.start)(control.into_raw_fd()) }
    }

    fn begin(self, library: &str) -> Result<()> {
        let library = CString::new(library)?;
        // SAFETY: it is a C string, and outlives the call.
        unsafe { (self.begin)(library.as_ptr()) };
        Ok(())
    }

    fn end(self, store: *mut c_void) {
        // SAFETY: the store comes from `start`, and the cell has returned.
        unsafe { (self.end)(store) }
    }

    /// Says that a cell could not be loaded. Nothing of it has run.
    fn not_loaded(self, error: &libloading::Error) -> Result<()> {
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        let cause = CString::new(cause)?;
        // SAFETY: it is a C string, and outlives the call.
        unsafe { (self.not_loaded)(cause.as_ptr()) };
        Ok(())
    }

    /// Has the user asked for a line of input.
    fn ask(self) {
        (self.ask)();
    }

    /// Has the kernel's SIGINT reach what looks for it, and end nothing by itself.
    fn listen_to_interrupts(self) -> Result<()> {
        let handler = move || (self.interrupt)();
        // SAFETY: all that `lab_interrupt` does is to set an atomic flag, which a signal handler may.
        unsafe { signal_hook_registry::register(rustix::process::Signal::INT.as_raw(), handler)? };
        Ok(())
    }
}
