//! The process that runs the cells, as the kernel's threads handle it.

use crate::relay::Progress;
use environment::processes;
use messages::Failure;
use rustix::process::Signal;
use serde_json::{Map, Value};
use std::mem::take;
use std::process::Child;
use std::sync::{Arc, Mutex};

/// The process that runs the cells, of whichever generation.
#[derive(Clone)]
pub struct Runner {
    child: Arc<Mutex<Child>>,
    progress: Arc<Mutex<Progress>>,
}

impl Runner {
    /// Of evcxr's handle of the process, and what the relay learns of its cells.
    pub fn new(child: Arc<Mutex<Child>>, progress: Arc<Mutex<Progress>>) -> Self {
        Self { child, progress }
    }

    /// Whether a cell is running, rather than being compiled.
    pub fn is_running(&self) -> bool {
        self.progress.lock().unwrap().running
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Asks the cell to end: what looks for interrupts does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// The user has answered the cell's question, or will not.
    pub fn answered(&self) {
        self.progress.lock().unwrap().asking = false;
    }

    /// Ends the process and the programs that cells have started; evcxr starts another one.
    pub fn kill(&self) {
        self.progress.lock().unwrap().killed = true;
        // Stopped, it does not go on when a program that it waits for is ended.
        self.signal(Signal::STOP);
        processes::end_descendants(self.id(), &[]);
        let _ = self.child.lock().unwrap().kill();
    }

    /// Whether the process that ran the last cell was ended by [`kill`](Self::kill).
    pub fn was_killed(&self) -> bool {
        self.progress.lock().unwrap().killed
    }

    fn signal(&self, signal: Signal) {
        processes::signal(self.id(), signal);
    }

    /// Forgets the last cell.
    pub fn begin(&self) {
        *self.progress.lock().unwrap() = Progress::default();
    }

    /// What became of the last cell.
    pub fn outcome(&self) -> Outcome {
        let mut progress = self.progress.lock().unwrap();
        let Progress { library, failure, result, kept, lost, .. } = &mut *progress;
        Outcome {
            library: take(library),
            failure: failure.take(),
            result: result.take(),
            kept: take(kept),
            lost: take(lost),
        }
    }
}

/// What became of a cell.
pub struct Outcome {
    /// The path of the library that was loaded for it.
    pub library: String,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// What it has shown last.
    pub result: Option<Map<String, Value>>,
    /// The variables that it has left.
    pub kept: Vec<String>,
    /// The variables of earlier cells that were not what it took them for.
    pub lost: Vec<String>,
}
