//! A session as the rest of the kernel sees it: a queue of cells, and what can be done and told while one of them runs.
//! The thread that works it off is in `worker.rs`.

use crate::dependencies;
use crate::evaluator::Setting;
use crate::runner::Runner;
use crate::worker::Worker;
use environment::processes;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use wire::message::JupyterMessage;
use wire::{Channels, Execute, PastCell, Stdin};

/// How long a cell may take to end by itself when it is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// How often an interrupt looks whether it has had effect.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(20);

/// What the rest of the kernel keeps of a session.
#[derive(Clone)]
pub struct Session {
    queue: mpsc::Sender<Execute>,
    shared: Arc<Shared>,
    stdin: Stdin,
}

/// What the session's thread shows of itself while it is busy.
#[derive(Default)]
pub struct Shared {
    /// The process that runs the cells, once it has been started.
    pub runner: Mutex<Option<Runner>>,
    /// The process that completes, or 0 where there is none yet. An interrupt leaves it alone.
    pub analyzer: AtomicU32,
    /// How often the user has interrupted the cell in progress.
    pub interrupts: AtomicUsize,
    /// The request of the cell in progress.
    pub current: Mutex<Option<JupyterMessage>>,
    /// Code, number, items and variables of the cells that have run.
    pub log: Mutex<Log>,
}

/// What the session has run so far, for history and completion.
#[derive(Default)]
pub struct Log {
    /// The cells with their numbers and results.
    pub inputs: Vec<(usize, String, Option<String>)>,
    /// The items and `use` declarations, each once.
    pub items: Vec<String>,
    /// The variables with their types.
    pub variables: Vec<(String, String)>,
    /// The dependencies that cells have added, as commands, each once.
    pub dependencies: Vec<String>,
}

impl Log {
    /// Forgets what cells have defined, but not that they have run.
    pub fn forget(&mut self) {
        *self = Self { inputs: std::mem::take(&mut self.inputs), ..Self::default() };
    }

    /// Adds what a cell has defined; `variables` are all there are.
    pub fn define(&mut self, cell: &str, variables: Vec<(String, String)>) {
        let parsed = cell::parse(cell);
        let code = dependencies::resolve(cell, parsed.code_start).code;
        let commands = code.lines().filter(|line| line.trim_start().starts_with(":dep"));
        commands.for_each(|command| keep_latest(&mut self.dependencies, command));
        let items = parsed.pieces.into_iter().filter(|piece| piece.is_item());
        items.for_each(|piece| keep_latest(&mut self.items, &cell[piece.range]));
        self.variables = variables;
    }

    /// All definitions, as code, with `code` after them; and where that starts.
    fn with_definitions(&self, code: &str) -> (String, usize) {
        let mut definitions = String::new();
        for command in &self.dependencies {
            definitions.push_str(command);
            definitions.push('\n');
        }
        // Commands of the code itself must stay in front of everything that is Rust.
        let (commands, rust) = code.split_at(cell::parse(code).code_start);
        definitions.push_str(commands);
        for item in &self.items {
            definitions.push_str(item);
            definitions.push('\n');
        }
        for (name, type_name) in &self.variables {
            definitions.push_str(&format!("let {name}: {type_name} = loop {{}};\n"));
        }
        let offset = definitions.len() - commands.len();
        (definitions + rust, offset)
    }
}

/// Adds a definition. A cell that is run again defines the same once more, and it is kept where it was defined last: of two
/// versions of a function the later one counts.
fn keep_latest(definitions: &mut Vec<String>, new: &str) {
    definitions.retain(|known| known != new);
    definitions.push(new.to_owned());
}

impl Shared {
    fn is_current(&self, request: &JupyterMessage) -> bool {
        let current = self.current.lock().unwrap();
        current.as_ref().is_some_and(|current| current.header.msg_id == request.header.msg_id)
    }

    /// Ends the cell: first it is asked to, and gets some time to do so; then its process is ended, and with it all
    /// variables. As long as it is being compiled, the compiler is ended.
    fn end_cell(&self, request: &JupyterMessage, stdin: &Stdin) {
        let mut asked: Option<Instant> = None;
        // A cell may be between two compilers, or just about to run.
        while self.is_current(request) {
            // Nobody is going to answer what it may just have asked.
            stdin.cancel();
            match &*self.runner.lock().unwrap() {
                Some(runner) if runner.is_running() => match asked {
                    None => {
                        asked = Some(Instant::now());
                        runner.interrupt();
                    }
                    Some(asked) if asked.elapsed() >= GRACE || self.interrupts.load(Ordering::SeqCst) > 1 => {
                        // Once, for what comes after it is the process of the next cells.
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
    /// Starts the session's thread, which gets ready while it waits for its first cell.
    pub fn start(setting: Setting, Channels { iopub, stdin, replies }: Channels) -> Self {
        let (queue, cells) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let session = Self { queue, shared: Arc::clone(&shared), stdin: stdin.clone() };
        std::thread::spawn(move || Worker::start(setting, iopub, replies, stdin, shared).work(&cells));
        session
    }

    /// Queues a cell.
    pub fn execute(&self, cell: Execute) {
        // The thread is gone only when the process ends.
        let _ = self.queue.send(cell);
    }

    /// The request of the cell in progress, if any.
    fn current(&self) -> Option<JupyterMessage> {
        self.shared.current.lock().unwrap().clone()
    }

    /// The cells that have run so far.
    pub fn history(&self) -> Vec<PastCell> {
        let inputs = self.shared.log.lock().unwrap().inputs.clone();
        inputs.into_iter().map(|(number, code, result)| PastCell { number, code, result }).collect()
    }

    /// What has been defined so far, as code, with `code` after it; and where that starts.
    pub fn with_definitions(&self, code: &str) -> (String, usize) {
        self.shared.log.lock().unwrap().with_definitions(code)
    }

    /// Says which process completes.
    pub fn set_analyzer(&self, id: u32) {
        self.shared.analyzer.store(id, Ordering::SeqCst);
    }

    /// Has the cell in progress end. A second interrupt does not wait until it does so by itself.
    pub fn interrupt(&self) {
        let Some(request) = self.current() else { return };
        if self.shared.interrupts.fetch_add(1, Ordering::SeqCst) == 0 {
            let (shared, stdin) = (Arc::clone(&self.shared), self.stdin.clone());
            std::thread::spawn(move || shared.end_cell(&request, &stdin));
        }
    }

    /// Ends the child, for good.
    pub fn shut_down(&self) {
        processes::end_descendants(std::process::id(), &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_defines_again_is_kept_once_where_it_came_last() {
        let mut log = Log::default();
        let variables = || vec![("x".to_owned(), "i32".to_owned())];
        let cell = ":dep half = \"2\"\nuse std::fmt;\nfn f() -> i32 { 1 }\nlet x = f();";
        let other = "fn f() -> i32 { 2 }";
        for cell in [cell, cell, other, cell, cell] {
            log.define(cell, variables());
        }
        assert_eq!(log.items, [other, "use std::fmt;", "fn f() -> i32 { 1 }"]);
        assert_eq!(log.dependencies, [":dep half = \"2\""]);
        let (code, start) = log.with_definitions("x.");
        let expected = ":dep half = \"2\"\nfn f() -> i32 { 2 }\nuse std::fmt;\nfn f() -> i32 { 1 }\nlet x: i32 = loop {};\n";
        assert_eq!((&code[..start], &code[start..]), (expected, "x."));
    }

    #[test]
    fn commands_of_the_code_itself_stay_in_front_of_all_definitions() {
        let mut log = Log::default();
        log.define("struct S;", Vec::new());
        let (code, start) = log.with_definitions(":dep half = \"2\"\nS");
        assert_eq!(code, ":dep half = \"2\"\nstruct S;\nS");
        // Positions in the code are counted from its own start, commands included.
        assert_eq!(start, "struct S;\n".len());
    }
}
