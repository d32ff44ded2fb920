//! A handle to the child, with which any thread of the kernel can watch, interrupt and kill it.

use crate::relay::CellState;
use environment::processes;
use messages::Failure;
use rustix::process::Signal;
use serde_json::{Map, Value};
use std::mem::take;
use std::process::Child;
use std::sync::{Arc, Mutex};

/// A handle to the process that runs the cells. It stays valid when evcxr starts another child.
#[derive(Clone)]
pub struct Runner {
    child: Arc<Mutex<Child>>,
    progress: Arc<Mutex<CellState>>,
}

impl Runner {
    /// Combines evcxr's handle to the process with what the relay knows about its cells.
    pub fn new(child: Arc<Mutex<Child>>, progress: Arc<Mutex<CellState>>) -> Self {
        Self { child, progress }
    }

    /// Whether a cell is running, rather than being compiled.
    pub fn is_running(&self) -> bool {
        self.progress.lock().unwrap().running
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Asks the cell to end. Code that checks for interrupts does so.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Notes that the user has answered the cell's question, or will not answer.
    pub fn answered(&self) {
        self.progress.lock().unwrap().asking = false;
    }

    /// Kills the process and the programs that cells have started. evcxr then starts another child.
    pub fn kill(&self) {
        self.progress.lock().unwrap().killed = true;
        // Stop it first, so that it does not go on when a program that it waits for ends.
        self.signal(Signal::STOP);
        processes::end_descendants(self.id(), &[]);
        let _ = self.child.lock().unwrap().kill();
    }

    /// Whether [`kill`](Self::kill) was called during the last cell.
    pub fn was_killed(&self) -> bool {
        self.progress.lock().unwrap().killed
    }

    fn signal(&self, signal: Signal) {
        processes::signal(self.id(), signal);
    }

    /// Resets what is known about the last cell.
    pub fn begin(&self) {
        *self.progress.lock().unwrap() = CellState::default();
    }

    /// Takes the outcome of the last cell.
    pub fn outcome(&self) -> Outcome {
        let mut progress = self.progress.lock().unwrap();
        let CellState { library, failure, result, kept, lost, .. } = &mut *progress;
        Outcome {
            library: take(library),
            failure: failure.take(),
            result: result.take(),
            kept: take(kept),
            lost: take(lost),
        }
    }
}

/// The outcome of a cell. [`CellState`] explains the parts.
pub struct Outcome {
    pub library: String,
    pub failure: Option<Failure>,
    pub result: Option<Map<String, Value>>,
    pub kept: Vec<String>,
    pub lost: Vec<String>,
}
