//! Output that changes while its cell runs: in place where that is possible, else as a line now and then.

use crate::display::{Display, Target, write};
use std::io::{IsTerminal, stdout};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A redraw may take a twentieth of the time between two of them.
const SHARE: u32 = 20;

/// One such output.
pub struct Live {
    pub mode: Mode,
    interval: Duration,
    next: Instant,
    /// Anything at all.
    pub shown: bool,
}

/// How it changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// A display with this id, which the kernel can replace.
    Display(String),
    /// The last line of a terminal.
    Terminal,
    /// Lines that stay as they were written.
    Lines,
}

impl Live {
    /// One that is redrawn once in an interval at most.
    pub fn new(interval: Duration) -> Self {
        let mode = match Target::from_env() {
            Target::Taper => Mode::Display(new_id()),
            Target::Terminal if stdout().is_terminal() => Mode::Terminal,
            _ => Mode::Lines,
        };
        Self { mode, interval, next: Instant::now(), shown: false }
    }

    /// Whether it is time to draw again; cheap, to be asked all the time.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Makes it due again after `time`.
    pub fn rest(&mut self, time: Duration) {
        self.next = Instant::now() + time;
    }

    /// Calls `draw`, and shows the result in place of what was shown before.
    pub fn show(&mut self, draw: impl FnOnce() -> Display) {
        let start = Instant::now();
        let display = draw();
        match &self.mode {
            Mode::Display(id) if self.shown => display.update(id),
            Mode::Display(id) => display.show_as(id),
            Mode::Terminal | Mode::Lines => display.show(),
        }
        self.shown = true;
        self.rest(self.interval.max(start.elapsed() * SHARE));
    }

    /// Writes a line; on a terminal, with `replaceable`, one that the next line overwrites.
    pub fn line(&mut self, text: &str, replaceable: bool) {
        match self.mode {
            Mode::Terminal => write(&format!("\r{text}\x1b[K{}", if replaceable { "" } else { "\n" })),
            _ => write(&format!("{text}\n")),
        }
        self.shown = true;
        self.rest(self.interval);
    }
}

/// An id that no other output has, not even of another process: notebooks outlive the kernels that ran them.
fn new_id() -> String {
    static PROCESS: OnceLock<String> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let process = PROCESS.get_or_init(|| {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("lab-{}-{:x}", process::id(), start.as_nanos())
    });
    format!("{process}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
