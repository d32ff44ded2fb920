//! One evcxr context and the thread that owns it: cells come in through a queue and are run one after the other.

use crate::evaluator::{Evaluator, Failed, Runner, Setting};
use crate::iopub::{IoPub, Output};
use crate::message::{JupyterMessage, message};
use crate::stdin::Stdin;
use crate::{cell, dependencies, errors, processes};
use anyhow::{Result, anyhow};
use evcxr::{Error, EvalCallbacks, EvalOutputs};
use jupyter_protocol::{
    ExecuteReply, ExecuteRequest, ExecutionCount, ExecutionState, ReplyError, ReplyStatus,
};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How long an interrupt waits to see whether it has had effect.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// A cell to run.
pub struct Execute {
    pub request: JupyterMessage,
    pub content: ExecuteRequest,
}

/// What the rest of the kernel keeps of a session.
#[derive(Clone)]
pub struct Session {
    queue: mpsc::Sender<Execute>,
    shared: Arc<Shared>,
}

/// What the session's thread shows of itself while it is busy.
#[derive(Default)]
struct Shared {
    /// The process that runs the cells, once it has been started.
    runner: Mutex<Option<Runner>>,
    interrupted: AtomicBool,
    /// The request of the cell in progress.
    current: Mutex<Option<JupyterMessage>>,
    /// Code, number, items and variables of the cells that have run.
    log: Mutex<Log>,
}

/// What the session has run so far, for history and completion.
#[derive(Default, Clone)]
pub struct Log {
    /// The cells with their numbers and results.
    pub inputs: Vec<(usize, String, Option<String>)>,
    /// The items and `use` declarations, as cells.
    pub items: Vec<String>,
    /// The variables with their types.
    pub variables: Vec<(String, String)>,
    /// The dependencies that cells have added, as commands.
    pub dependencies: Vec<String>,
}

impl Log {
    /// Adds what a cell has defined; `variables` are all there are.
    fn define(&mut self, cell: &str, variables: Vec<(String, String)>) {
        let parsed = cell::parse(cell);
        let code = dependencies::resolve(cell, parsed.code_start).code;
        let commands = code.lines().filter(|line| line.trim_start().starts_with(":dep"));
        self.dependencies.extend(commands.map(str::to_owned));
        self.items.extend(parsed.items.into_iter().map(|range| cell[range].to_owned()));
        self.variables = variables;
    }
}

impl Shared {
    fn is_current(&self, request: &JupyterMessage) -> bool {
        let current = self.current.lock().unwrap();
        current.as_ref().is_some_and(|current| current.header.msg_id == request.header.msg_id)
    }

    fn end_cell(&self) {
        match &*self.runner.lock().unwrap() {
            Some(runner) if runner.is_running() => runner.kill(),
            runner => processes::end_descendants(std::process::id(), runner.as_ref().map(Runner::id)),
        }
    }
}

impl Session {
    /// Starts the session's thread, which gets ready while it waits for its first cell.
    pub fn start(
        setting: Setting,
        iopub: IoPub,
        replies: UnboundedSender<JupyterMessage>,
        stdin: Stdin,
    ) -> Self {
        let (queue, cells) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let session = Self { queue, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            let evaluator = Err(anyhow!("not started"));
            let mut worker = Worker { setting, iopub, replies, stdin, shared, evaluator, count: 0 };
            worker.start_evaluator();
            while let Ok(cell) = cells.recv() {
                worker.run(cell, &cells);
            }
        });
        session
    }

    /// Queues a cell.
    pub fn execute(&self, cell: Execute) {
        // The thread is gone only when the process ends.
        let _ = self.queue.send(cell);
    }

    /// The request of the cell in progress, if any.
    pub fn current(&self) -> Option<JupyterMessage> {
        self.shared.current.lock().unwrap().clone()
    }

    /// What has been run so far.
    pub fn log(&self) -> Log {
        self.shared.log.lock().unwrap().clone()
    }

    /// Ends the cell in progress: the compiler if it is being compiled, or else the process that runs it, and
    /// with that process all variables.
    pub fn interrupt(&self) {
        let Some(request) = self.current() else { return };
        self.shared.interrupted.store(true, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            // A cell may be between two compilers, or just about to run.
            while shared.is_current(&request) {
                shared.end_cell();
                std::thread::sleep(INTERRUPT_INTERVAL);
            }
        });
    }

    /// Ends the child, for good.
    pub fn shut_down(&self) {
        processes::end_descendants(std::process::id(), None);
    }
}

/// The session's thread.
struct Worker {
    setting: Setting,
    iopub: IoPub,
    replies: UnboundedSender<JupyterMessage>,
    stdin: Stdin,
    shared: Arc<Shared>,
    evaluator: Result<Evaluator>,
    count: usize,
}

impl Worker {
    fn start_evaluator(&mut self) {
        self.evaluator = Evaluator::start(&self.setting, &self.iopub);
        *self.shared.runner.lock().unwrap() =
            self.evaluator.as_ref().ok().map(|evaluator| evaluator.runner.clone());
    }

    /// Runs a cell, from busy to idle. If it fails, the cells that wait behind it are not run.
    fn run(&mut self, Execute { request, content }: Execute, behind: &mpsc::Receiver<Execute>) {
        *self.shared.current.lock().unwrap() = Some(request.clone());
        self.shared.interrupted.store(false, Ordering::SeqCst);
        self.iopub.status(ExecutionState::Busy, &request);
        self.iopub.begin_cell(&request);
        let keep = content.store_history && !content.silent;
        self.count += usize::from(keep);
        if !content.silent {
            self.iopub.input(&content.code, self.count, &request);
        }
        let outcome = self.evaluate(&request, &content);
        if keep {
            let result = outcome.as_ref().ok().and_then(|text| text.clone());
            self.shared.log.lock().unwrap().inputs.push((self.count, content.code.clone(), result));
        }
        if let (Err(error), false) = (&outcome, content.silent) {
            self.iopub.error(error, &request);
        }
        // Whatever a client sends after it has seen the failure is not meant to be aborted.
        let stop = outcome.is_err() && content.stop_on_error;
        let aborted: Vec<Execute> = if stop { behind.try_iter().collect() } else { Vec::new() };
        *self.shared.current.lock().unwrap() = None;
        let status = if outcome.is_ok() { ReplyStatus::Ok } else { ReplyStatus::Error };
        self.reply(status, outcome.err(), &request);
        self.iopub.status(ExecutionState::Idle, &request);
        aborted.into_iter().for_each(|cell| self.abort(cell));
    }

    fn reply(&self, status: ReplyStatus, error: Option<ReplyError>, request: &JupyterMessage) {
        let reply = ExecuteReply {
            status,
            execution_count: ExecutionCount(self.count),
            payload: Vec::new(),
            user_expressions: Some(Default::default()),
            error: error.map(Box::new),
        };
        let _ = self.replies.send(message(reply, Some(request)));
    }

    /// Answers a cell that waited behind one that failed.
    fn abort(&self, Execute { request, .. }: Execute) {
        self.iopub.status(ExecutionState::Busy, &request);
        self.reply(ReplyStatus::Aborted, None, &request);
        self.iopub.status(ExecutionState::Idle, &request);
    }

    /// Runs the code and publishes its result; returns the result's text.
    fn evaluate(
        &mut self,
        request: &JupyterMessage,
        content: &ExecuteRequest,
    ) -> Result<Option<String>, ReplyError> {
        if self.evaluator.is_err() {
            // Perhaps the user has done by now what the message asked for.
            self.start_evaluator();
        }
        let evaluator = match &mut self.evaluator {
            Ok(evaluator) => evaluator,
            Err(error) => return Err(errors::plain("KernelError", &format!("{error:#}"))),
        };
        evaluator.runner.begin();
        let mut callbacks = EvalCallbacks {
            input_reader: &|input| {
                self.stdin.ask(request, input.prompt, input.is_password).unwrap_or_default()
            },
        };
        let evaluated = evaluator.run(&content.code, &mut callbacks);

        let interrupted = self.shared.interrupted.load(Ordering::SeqCst);
        // A cell that panicked has defined its items all the same.
        if evaluated.is_ok() {
            self.shared.log.lock().unwrap().define(&content.code, evaluator.variables());
        }
        let (failure, printed) = evaluator.runner.outcome();
        let outputs = match (evaluated, failure) {
            (Err(error), _) if interrupted => return Err(interruption(&error)),
            (Err(error), _) => return Err(error.into_reply(&content.code)),
            (Ok(_), Some(failure)) => return Err(errors::from_failure(&failure)),
            (Ok(outputs), None) => outputs,
        };
        let parsed = cell::parse(&content.code);
        let results = [Some(of_commands(outputs)), printed];
        let mut text = None;
        for data in results.into_iter().flatten().filter(|data| !data.is_empty() && !is_unit(data)) {
            text = data.get("text/plain").and_then(Value::as_str).map(str::to_owned);
            if content.silent {
                continue;
            }
            if parsed.has_result || parsed.code_start == content.code.len() {
                self.iopub.result(data, self.count, request);
            } else {
                let metadata = Map::new();
                self.iopub.output(Output::Display { data, metadata, display_id: None, update: false });
            }
        }
        Ok(text)
    }
}

fn interruption(error: &Failed) -> ReplyError {
    let lost = matches!(error, Failed::Evcxr(Error::SubprocessTerminated(_), _));
    let text = if lost { "the cell was stopped; all variables are gone" } else { "the cell was not started" };
    errors::plain("Interrupted", text)
}

/// What commands such as `:vars` return.
fn of_commands(outputs: EvalOutputs) -> Map<String, Value> {
    outputs.content_by_mime_type.into_iter().map(|(mime, content)| (mime, content.into())).collect()
}

/// `()` says that there is no result.
fn is_unit(data: &Map<String, Value>) -> bool {
    data.len() == 1 && data.get("text/plain").is_some_and(|text| text == "()")
}
