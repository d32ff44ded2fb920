//! A session as the rest of the kernel sees it: a queue of cells, and what can be done and told while one of them runs.
//! The thread that works it off is in `worker.rs`.

use crate::worker::Worker;
use cell::Commands;
use engine::{Documentation, Evaluator, Runner, Setting};
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
    pub interrupts: Arc<AtomicUsize>,
    /// The request of the cell in progress.
    pub current: Mutex<Option<JupyterMessage>>,
    /// Where the session asks for documentation, once there is somebody to ask.
    pub documentation: Mutex<Option<Documentation>>,
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

    /// Takes note of all that is defined now.
    pub fn know(&mut self, evaluator: &Evaluator) {
        self.items = evaluator.items();
        self.variables = evaluator.variables();
        self.dependencies = evaluator.dependencies();
    }

    /// The code after everything that the session has defined, and where it starts. `position` is the byte that is asked about.
    fn with_definitions(&self, code: &str, position: usize) -> (String, usize) {
        let Commands { commands, code_start } = cell::commands(code);
        // What a command may be called has nothing to do with what is defined.
        if commands.iter().any(|command| (command.range.start..=command.range.end).contains(&position)) {
            return (code.to_owned(), 0);
        }
        let mut definitions = String::new();
        for command in &self.dependencies {
            definitions.push_str(command);
            definitions.push('\n');
        }
        // Commands must stay in front of everything that is Rust.
        definitions.push_str(&with_crates_alone(&code[..code_start], &commands));
        // evcxr passes over comments as long as it looks for commands, and documentation is one to it.
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

/// The commands that code starts with, with blanks for all but those that add crates: evcxr carries them out, and nobody who
/// asks about a cell with `:clear_cache` wants anything to be cleared.
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

    /// What has been defined so far, as code, with `code` after it; and where that starts. `position` is the byte of it that
    /// is asked about.
    pub fn with_definitions(&self, code: &str, position: usize) -> (String, usize) {
        self.shared.log.lock().unwrap().with_definitions(code, position)
    }

    /// Says where to ask for documentation.
    pub fn set_documentation(&self, documentation: Documentation) {
        *self.shared.documentation.lock().unwrap() = Some(documentation);
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
    fn of_a_cells_commands_only_those_that_add_crates_are_carried_out_for_completion() {
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
