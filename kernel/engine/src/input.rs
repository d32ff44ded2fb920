//! Standard input of the process that runs cells.
//!
//! evcxr sends two kinds of lines there: what to load, and the user's answers to what a cell has asked. Cells get a
//! socket of their own in its place. When one of them waits for it to be filled, as by `stdin().read_line(…)`, the user
//! is asked. A socket, unlike a pipe, can fail whoever reads from it, which is what an interrupt must do.

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

/// In the place of an answer: there is none, and the cell reads the end of its input.
pub const END: &str = "\u{1e}END";
/// In the place of an answer: the user has interrupted the cell, whose reading fails.
pub const INTERRUPTED: &str = "\u{1e}INTERRUPTED";

/// How often to look whether a cell waits.
const INTERVAL: Duration = Duration::from_millis(50);

/// The lines from evcxr, and the standard input of the cells.
pub struct Input {
    instructions: mpsc::Receiver<String>,
    shared: Arc<Shared>,
    watcher: Thread,
}

#[derive(Default)]
struct Shared {
    /// A cell runs, so what evcxr sends are answers.
    running: AtomicBool,
    /// The user has been asked and has not answered yet.
    asked: AtomicBool,
    /// How many answers have come.
    answers: AtomicUsize,
}

impl Shared {
    fn answered(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.asked.store(false, Ordering::SeqCst);
    }
}

impl Input {
    /// Takes over standard input. `ask` requests a line, after what cells have printed so far, a prompt perhaps.
    pub fn start(ask: impl Fn() + Send + 'static) -> Result<Self> {
        let evcxr = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        rustix::io::fcntl_setfd(&evcxr, rustix::io::FdFlags::CLOEXEC)?;
        let answers = give_cells_a_socket()?;
        let shared = Arc::new(Shared::default());
        let (send, instructions) = mpsc::channel();
        let for_reader = Arc::clone(&shared);
        std::thread::spawn(move || read(evcxr, &send, answers, &for_reader));
        let for_watcher = Arc::clone(&shared);
        let watcher = std::thread::spawn(move || watch(&for_watcher, ask));
        Ok(Self { instructions, shared, watcher: watcher.thread().clone() })
    }

    /// The next instruction of evcxr; none when it has gone.
    pub fn next_instruction(&self) -> Option<String> {
        self.instructions.recv().ok()
    }

    /// Says whether a cell is running.
    pub fn set_running(&self, running: bool) {
        self.shared.running.store(running, Ordering::SeqCst);
        self.shared.asked.store(false, Ordering::SeqCst);
        self.watcher.unpark();
    }
}

/// Makes a new socket the standard input; returns the end to write to.
fn give_cells_a_socket() -> Result<UnixStream> {
    let (input, answers) = UnixStream::pair()?;
    rustix::stdio::dup2_stdin(&input)?;
    Ok(answers)
}

/// Has whoever reads from the socket fail: so it is with one whose other end is closed with something unread in it.
fn fail_readers() {
    let _ = rustix::io::write(io::stdin(), b"!");
}

/// Hands the lines from evcxr to whom they are for, until it has gone.
fn read(evcxr: File, instructions: &mpsc::Sender<String>, mut answers: UnixStream, shared: &Shared) {
    for line in BufReader::new(evcxr).lines() {
        let Ok(line) = line else { return };
        let is_running = shared.running.load(Ordering::SeqCst);
        if !is_running && line.starts_with(LOAD) {
            let _ = instructions.send(line);
        } else if line == END || line == INTERRUPTED {
            if line == INTERRUPTED {
                fail_readers();
            }
            // Whoever is reading reads from the old socket to its end; the next one gets to ask again.
            match give_cells_a_socket() {
                Ok(next) => answers = next,
                Err(error) => eprintln!("taper: standard input is gone: {error}"),
            }
            shared.answered();
        } else if is_running {
            // Without it the answer comes too late, as it does where nobody reads any more.
            let _ = writeln!(answers, "{line}");
            shared.answered();
        }
    }
}

/// Asks the user whenever a running cell waits for its standard input.
fn watch(shared: &Shared, ask: impl Fn()) {
    // The number of answers when a cell was first seen to wait. Who has just got one may not have woken up yet, so it
    // takes two looks with none between them.
    let mut waiting = None;
    loop {
        if !shared.running.load(Ordering::SeqCst) {
            waiting = None;
            std::thread::park();
            continue;
        }
        std::thread::park_timeout(INTERVAL);
        let answers = shared.answers.load(Ordering::SeqCst);
        let waits = shared.running.load(Ordering::SeqCst)
            && !shared.asked.load(Ordering::SeqCst)
            && is_awaited()
            && is_empty();
        if waits && waiting == Some(answers) {
            waiting = None;
            shared.asked.store(true, Ordering::SeqCst);
            ask();
        } else {
            waiting = waits.then_some(answers);
        }
    }
}

/// Whether the socket holds nothing that a reader who has just been woken is about to get.
fn is_empty() -> bool {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

/// Whether a thread of this process is blocked in reading descriptor 0. Only Linux tells.
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
