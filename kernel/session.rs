//! A session as the rest of the kernel sees it: a queue of cells, and the requests that can be answered while a cell runs.
//! The thread that processes the queue is in `worker.rs`.

use crate::worker::Worker;
use cell::Commands;
use engine::{Documentation, Evaluator, Runner, SessionSetup};
use environment::processes;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use wire::message::JupyterMessage;
use wire::{Channels, Execute, PastCell, Stdin};

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
    /// The dependencies that cells have added, as `:dep` commands, each once.
    pub dependencies: Vec<String>,
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
        self.dependencies = evaluator.dependencies();
    }

    /// The definitions of the session followed by `code`, and the offset at which `code` starts. `position` is the byte in `code`
    /// that the request is about.
    fn with_definitions(&self, code: &str, position: usize) -> (String, usize) {
        let Commands { commands, code_start } = cell::commands(code);
        // The completion of a command does not depend on definitions.
        if commands.iter().any(|command| (command.range.start..=command.range.end).contains(&position)) {
            return (code.to_owned(), 0);
        }
        let mut definitions = String::new();
        for command in &self.dependencies {
            definitions.push_str(command);
            definitions.push('\n');
        }
        // evcxr recognizes commands only before any Rust code.
        definitions.push_str(&with_crates_alone(&code[..code_start], &commands));
        // A statement, because evcxr drops comments before the first one, and with them the documentation of the first item.
        definitions.push_str(";\n");
        for item in &self.items {
            definitions.push_str(item);
            definitions.push('\n');
        }
        for (name, type_name) in &self.variables {
            definitions.push_str(&format!("let {name}: {type_name} = loop {{}};\n"));
        }
        let offset = definitions.len() - code_start;
        (definitions + &code[code_start..], offset)
    }
}

/// The commands at the start of the code, with all commands blanked that do not add crates. evcxr carries out commands even to
/// answer a completion request, which must not, for example, clear a cache.
fn with_crates_alone(text: &str, commands: &[cell::Command]) -> String {
    let mut shown = String::new();
    for command in commands {
        let added = command.dependency().and_then(Result::ok);
        if added.is_none_or(|dependency| dependency.name.as_deref() == Some("lab")) {
            shown.push_str(&text[shown.len()..command.range.start]);
            shown.push_str(&cell::blank(&text[command.range.clone()]));
        }
    }
    shown.push_str(&text[shown.len()..]);
    shown
}

impl SessionState {
    fn is_current(&self, request: &JupyterMessage) -> bool {
        let current = self.current.lock().unwrap();
        current.as_ref().is_some_and(|current| current.header.msg_id == request.header.msg_id)
    }

    /// Ends the cell. While it is being compiled, kills the compiler. While it runs, asks it to end, and if it has not done so
    /// after a while, kills its process, which loses all variables.
    fn end_cell(&self, request: &JupyterMessage, stdin: &Stdin) {
        let mut asked: Option<Instant> = None;
        // A loop, because the cell may be between two runs of the compiler, or just about to run.
        while self.is_current(request) {
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

    /// The definitions of the session, as code, followed by `code`, and the offset at which `code` starts. `position` is the byte
    /// in `code` that the request is about.
    pub fn with_definitions(&self, code: &str, position: usize) -> (String, usize) {
        self.state.log.lock().unwrap().with_definitions(code, position)
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

    /// Kills the child, the analyzer, and everything that they have started.
    pub fn shut_down(&self) {
        processes::end_descendants(std::process::id(), &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_carries_out_only_the_commands_that_add_crates() {
        let log = Log {
            dependencies: vec![":dep a = \"1\"".into()],
            items: vec!["use a;".into()],
            ..Log::default()
        };
        let code = ":clear_cache\n :dep b // note\n:dep lab\n!rm x\n:ti\nxy";
        let commands = "            \n :dep b // note\n        \n     \n   \n";
        let (shown, offset) = log.with_definitions(code, code.len() - 1);
        assert_eq!(shown, format!(":dep a = \"1\"\n{commands};\nuse a;\nxy"));
        assert_eq!(&shown[offset + code.len() - 1..], "y");
        let in_command = code.find(":ti").unwrap() + 3;
        assert_eq!(log.with_definitions(code, in_command), (code.to_owned(), 0));
    }
}
