//! A session as the rest of the kernel sees it: a queue of cells, and the requests that can be answered while a cell runs.
//! The thread that processes the queue is in `worker.rs`.

use crate::worker::Worker;
use cell::completion::{self, Known, Word};
use engine::analysis::Snippet;
use engine::shown_crates::Crates;
use engine::{Documentation, Evaluator, Runner, SessionSetup};
use environment::{processes, registry};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use wire::message::JupyterMessage;
use wire::{Channels, Completion, Completions, Execute, PastCell, Stdin};

/// How long an interrupted cell may take to end by itself, before its process is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How often an interrupt checks whether the cell has ended.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(20);

/// A handle to a session.
#[derive(Clone)]
pub struct Session {
    queue: mpsc::Sender<Execute>,
    state: Arc<SessionState>,
    stdin: Stdin,
}

/// The state that the session's thread shares with other threads.
#[derive(Default)]
pub struct SessionState {
    /// The process that runs the cells, once it has been started.
    pub runner: Mutex<Option<Runner>>,
    /// The process ID of the analyzer, which an interrupt must not kill; 0 if it has not been started.
    pub analyzer: AtomicU32,
    /// Whether the kernel is ending, and with it the analyzer.
    pub is_ending: AtomicBool,
    /// How often the user has interrupted the current cell.
    pub interrupts: Arc<AtomicUsize>,
    /// The request of the current cell.
    pub current: Mutex<Option<JupyterMessage>>,
    /// Looks up documentation for the session, once the analyzer is available.
    pub documentation: Mutex<Option<Documentation>>,
    /// The cells that have run, and their definitions.
    pub log: Mutex<Log>,
}

/// The cells that the session has run so far and their definitions, for history and completion.
#[derive(Default)]
pub struct Log {
    /// The cells with their numbers and results.
    pub inputs: Vec<(usize, String, Option<String>)>,
    /// The items and `use` declarations, each once.
    pub items: Vec<String>,
    /// The variables with their types.
    pub variables: Vec<(String, String)>,
    /// The crates that cells can name, once that is known.
    pub crates: Option<Crates>,
    /// The packages that have been compiled.
    pub compiled: Vec<String>,
}

impl Log {
    /// Forgets the definitions, but not the history.
    pub fn forget(&mut self) {
        *self = Self { inputs: std::mem::take(&mut self.inputs), ..Self::default() };
    }

    /// Records the definitions of the session.
    pub fn know(&mut self, evaluator: &Evaluator) {
        self.items = evaluator.items();
        self.variables = evaluator.variables();
        self.crates = Some(evaluator.crates());
        self.compiled = evaluator.compiled();
    }

    /// A position in a cell, in bytes, with the definitions of the session around it.
    fn snippet(&self, code: &str, position: usize) -> Snippet {
        let start = cell::commands(code).code_start;
        let variables = self.variables.iter();
        Snippet {
            definitions: self.items.join("\n"),
            variables: variables.map(|(name, of)| format!("let {name}: {of} = loop {{}};\n")).collect(),
            code: cell::blank(&code[..start]) + &code[start..],
            position,
        }
    }

    /// What completes the code without any analysis.
    fn plain_completions(&self, code: &str, position: usize) -> Completions {
        let named = self.crates.iter().flat_map(|crates| &crates.named);
        let available = || [registry::downloaded(), self.compiled.clone()].concat();
        let known = Known {
            variables: &self.variables,
            definitions: &self.items,
            crates: &named.map(|named| named.name.clone()).chain(["lab".to_owned()]).collect::<Vec<_>>(),
            available: &available,
        };
        let (range, found) = completion::complete(code, position, &known);
        let items = found.into_iter().map(|Word { text, kind }| Completion {
            signature: text.clone(),
            text,
            kind: kind.name().into(),
        });
        Completions { range, items: items.collect() }
    }
}

impl SessionState {
    /// Ends the cell. While it is being compiled, kills the compiler. While it runs, asks it to end, and if it has not done so
    /// after a while, kills its process, which loses all variables.
    fn end_cell(&self, request: &JupyterMessage, stdin: &Stdin) {
        let mut asked: Option<Instant> = None;
        // A loop, because the cell may be between two runs of the compiler, or just about to run.
        loop {
            // Locked until the end of the round, so that the next cell, whose compiler is not to be ended, cannot begin.
            let current = self.current.lock().unwrap();
            if current.as_ref().is_none_or(|current| current.header.msg_id != request.header.msg_id) {
                return;
            }
            // The cell may just have asked a question, which will not be answered any more.
            stdin.cancel();
            match &*self.runner.lock().unwrap() {
                Some(runner) if runner.is_running() => match asked {
                    None => {
                        asked = Some(Instant::now());
                        runner.interrupt();
                    }
                    Some(asked) if asked.elapsed() >= GRACE || self.interrupts.load(Ordering::SeqCst) > 1 => {
                        // Return, because the next process belongs to the next cells.
                        return runner.kill();
                    }
                    Some(_) => {}
                },
                runner => {
                    let analyzer = self.analyzer.load(Ordering::SeqCst);
                    let keep: Vec<u32> = runner.iter().map(Runner::id).chain([analyzer]).collect();
                    processes::end_descendants(std::process::id(), &keep);
                }
            }
            drop(current);
            std::thread::sleep(INTERRUPT_INTERVAL);
        }
    }
}

impl Session {
    /// Starts the session's thread, which starts the evaluator right away and then waits for cells.
    pub fn start(setup: SessionSetup, Channels { iopub, stdin, replies }: Channels) -> Self {
        let (queue, cells) = mpsc::channel();
        let state = Arc::new(SessionState::default());
        let session = Self { queue, state: Arc::clone(&state), stdin: stdin.clone() };
        std::thread::spawn(move || Worker::start(setup, iopub, replies, stdin, state).work(&cells));
        session
    }

    /// Queues a cell.
    pub fn execute(&self, cell: Execute) {
        // The thread ends only with the process.
        let _ = self.queue.send(cell);
    }

    /// The request of the current cell, if there is one.
    fn current(&self) -> Option<JupyterMessage> {
        self.state.current.lock().unwrap().clone()
    }

    /// The cells that have run so far.
    pub fn history(&self) -> Vec<PastCell> {
        let inputs = self.state.log.lock().unwrap().inputs.clone();
        inputs.into_iter().map(|(number, code, result)| PastCell { number, code, result }).collect()
    }

    /// A position in a cell, in bytes, with the definitions of the session around it.
    pub fn snippet(&self, code: &str, position: usize) -> Snippet {
        self.state.log.lock().unwrap().snippet(code, position)
    }

    /// What completes the code at a byte without any analysis.
    pub fn plain_completions(&self, code: &str, position: usize) -> Completions {
        self.state.log.lock().unwrap().plain_completions(code, position)
    }

    /// The crates that cells can name; `None` before the session is ready.
    pub fn crates(&self) -> Option<Crates> {
        self.state.log.lock().unwrap().crates.clone()
    }

    /// Sets the function that looks up documentation.
    pub fn set_documentation(&self, documentation: Documentation) {
        *self.state.documentation.lock().unwrap() = Some(documentation);
    }

    /// Sets the process ID of the analyzer.
    pub fn set_analyzer(&self, id: u32) {
        self.state.analyzer.store(id, Ordering::SeqCst);
    }

    /// Interrupts the current cell. A second interrupt kills its process without waiting for the cell to end by itself.
    pub fn interrupt(&self) {
        let Some(request) = self.current() else { return };
        if self.state.interrupts.fetch_add(1, Ordering::SeqCst) == 0 {
            let (state, stdin) = (Arc::clone(&self.state), self.stdin.clone());
            std::thread::spawn(move || state.end_cell(&request, &stdin));
        }
    }

    /// Whether the kernel is ending.
    pub fn is_ending(&self) -> bool {
        self.state.is_ending.load(Ordering::SeqCst)
    }

    /// Kills the child, the analyzer, and everything that they have started.
    pub fn shut_down(&self) {
        self.state.is_ending.store(true, Ordering::SeqCst);
        processes::end_descendants(std::process::id(), &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_completed_among_the_definitions_and_without_its_commands() {
        let log = Log {
            items: vec!["use a;".into(), "struct B;".into()],
            variables: vec![("x".into(), "B".into())],
            ..Log::default()
        };
        let code = ":clear_cache\n :dep b // note\nxy";
        let snippet = log.snippet(code, code.len());
        assert_eq!(snippet.definitions, "use a;\nstruct B;");
        assert_eq!(snippet.variables, "let x: B = loop {};\n");
        assert_eq!(snippet.code, "            \n               \nxy");
        assert_eq!(snippet.position, code.len());
    }
}
