//! Standard input of the process that runs cells.
//!
//! evcxr sends two kinds of lines to it: instructions to load a library, and the user's answers to a cell's questions. So the
//! cells get a separate socket as their standard input. When a cell blocks on it, for example in `stdin().read_line(…)`, the
//! user is asked for a line. It is a socket rather than a pipe because a read from a socket can be made to fail, as an
//! interrupt must do.

use crate::child::LOAD;
use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::Thread;
use std::time::Duration;

/// Sent instead of an answer if there is none: the cell reads the end of its input.
pub const END: &str = "\u{1e}END";
/// Sent instead of an answer if the user has interrupted the cell: its read fails.
pub const INTERRUPTED: &str = "\u{1e}INTERRUPTED";

/// How often to check whether a cell waits for input.
const INTERVAL: Duration = Duration::from_millis(50);

/// The lines from evcxr, and the standard input of the cells.
pub struct Input {
    instructions: mpsc::Receiver<String>,
    exchange: Arc<Exchange>,
    watcher: Thread,
}

#[derive(Default)]
struct Exchange {
    /// Whether a cell runs, so that the lines that evcxr sends are answers.
    running: AtomicBool,
    /// Whether the user has been asked and has not answered yet.
    asked: AtomicBool,
    /// The number of answers so far.
    answers: AtomicUsize,
}

impl Exchange {
    fn answered(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.asked.store(false, Ordering::SeqCst);
    }
}

impl Input {
    /// Takes over standard input. `ask` must request a line from the user after publishing what the cell has printed so far,
    /// since that may be a prompt.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn start(ask: impl Fn() + Send + 'static) -> Result<Self> {
        let evcxr = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        rustix::io::fcntl_setfd(&evcxr, rustix::io::FdFlags::CLOEXEC)?;
        let answers = give_cells_a_socket()?;
        let exchange = Arc::new(Exchange::default());
        let (send, instructions) = mpsc::channel();
        let for_reader = Arc::clone(&exchange);
        std::thread::spawn(move || read(evcxr, &send, answers, &for_reader));
        let for_watcher = Arc::clone(&exchange);
        let watcher = std::thread::spawn(move || watch(&for_watcher, ask));
        Ok(Self { instructions, exchange, watcher: watcher.thread().clone() })
    }

    /// The next instruction of evcxr. `None` when evcxr has closed the pipe.
    pub fn next_instruction(&self) -> Option<String> {
        self.instructions.recv().ok()
    }

    /// Sets whether a cell is running.
    pub fn set_running(&self, running: bool) {
        self.exchange.running.store(running, Ordering::SeqCst);
        self.exchange.asked.store(false, Ordering::SeqCst);
        self.watcher.unpark();
    }
}

/// Replaces the cells' standard input with a new socket; returns the end to write to.
fn give_cells_a_socket() -> Result<UnixStream> {
    let (input, answers) = UnixStream::pair()?;
    rustix::stdio::dup2_stdin(&input)?;
    Ok(answers)
}

/// Prepares the cells' reads to fail: when the other end of a socket is closed with unread data in it, reads on this end fail.
fn fail_readers() {
    let _ = rustix::io::write(io::stdin(), b"!");
}

/// Distributes the lines from evcxr, instructions and answers, until evcxr closes the pipe.
fn read(evcxr: File, instructions: &mpsc::Sender<String>, mut answers: UnixStream, exchange: &Exchange) {
    for line in BufReader::new(evcxr).lines() {
        let Ok(line) = line else { return };
        let is_running = exchange.running.load(Ordering::SeqCst);
        if !is_running && line.starts_with(LOAD) {
            let _ = instructions.send(line);
        } else if line == END || line == INTERRUPTED {
            if line == INTERRUPTED {
                fail_readers();
            }
            // A pending read gets the end of the old socket, or the failure; the next read asks the user again.
            match give_cells_a_socket() {
                Ok(next) => answers = next,
                Err(error) => eprintln!("taper: standard input cannot be replaced: {error}"),
            }
            exchange.answered();
        } else if is_running {
            // A failed write means that the answer comes too late, because nothing reads it any more.
            let _ = writeln!(answers, "{line}");
            exchange.answered();
        }
    }
}

/// Asks the user whenever a running cell waits for its standard input.
fn watch(exchange: &Exchange, ask: impl Fn()) {
    // The number of answers when a cell was first seen waiting. A cell that has just received an answer may not have woken up
    // yet, so it counts as waiting only if it is seen twice without an answer in between.
    let mut waiting = None;
    loop {
        if !exchange.running.load(Ordering::SeqCst) {
            waiting = None;
            std::thread::park();
            continue;
        }
        std::thread::park_timeout(INTERVAL);
        let answers = exchange.answers.load(Ordering::SeqCst);
        let waits = exchange.running.load(Ordering::SeqCst)
            && !exchange.asked.load(Ordering::SeqCst)
            && is_awaited()
            && is_empty();
        if waits && waiting == Some(answers) {
            waiting = None;
            exchange.asked.store(true, Ordering::SeqCst);
            ask();
        } else {
            waiting = waits.then_some(answers);
        }
    }
}

/// Whether the cells' standard input has no data, which a reader that is just waking up would get.
fn is_empty() -> bool {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

/// Whether a thread of this process is blocked reading descriptor 0. Only Linux provides this information.
#[cfg(target_os = "linux")]
fn is_awaited() -> bool {
    let read_stdin = format!("{} 0x0 ", libc::SYS_read);
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return false };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("syscall")).ok())
        .any(|call| call.starts_with(&read_stdin))
}

#[cfg(not(target_os = "linux"))]
fn is_awaited() -> bool {
    false
}
