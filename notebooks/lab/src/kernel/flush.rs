//! Flushes what cells have printed without a newline.
//!
//! Standard output has a lock, which a thread of the user's may hold for as long as it likes. So flushing is left to a thread
//! of its own, and whoever asks for it waits for a moment only.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

/// How long to wait for a lock that a cell may hold.
const PATIENCE: Duration = Duration::from_millis(50);

static REQUESTS: OnceLock<Sender<Sender<()>>> = OnceLock::new();

/// Starts the thread, and makes C's standard output line-buffered.
pub fn start() {
    REQUESTS.get_or_init(|| {
        flush_lines_of_c();
        let (requests, queue) = mpsc::channel::<Sender<()>>();
        thread::spawn(move || {
            for done in queue {
                let _ = io::stdout().flush();
                // SAFETY: a null pointer means all streams, and `fflush` locks each of them, so any thread may call it.
                unsafe { libc::fflush(std::ptr::null_mut()) };
                let _ = done.send(());
            }
        });
        requests
    });
}

/// Flushes the standard output of Rust and of C, unless one of them is locked for long.
pub fn flush() {
    let Some(requests) = REQUESTS.get() else { return };
    let (done, wait) = mpsc::channel();
    if requests.send(done).is_ok() {
        let _ = wait.recv_timeout(PATIENCE);
    }
}

/// As in a terminal: into a pipe, C would write only every 4 KiB.
#[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
fn flush_lines_of_c() {
    unsafe extern "C" {
        #[link_name = "stdout"]
        static STDOUT: *mut libc::FILE;
    }
    // SAFETY: C's runtime sets `stdout` before any Rust code runs and nothing here changes it, so the pointer is that of an open
    // stream. `setvbuf` must come before any other operation on the stream: this runs before the first cell, and nothing in
    // this process uses C's streams until then. The buffer is null, so C allocates and owns it.
    unsafe { libc::setvbuf(STDOUT, std::ptr::null_mut(), libc::_IOLBF, 0) };
}

#[cfg(not(all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))))]
fn flush_lines_of_c() {}
