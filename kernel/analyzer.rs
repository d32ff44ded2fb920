//! Completion and help, answered by the analyzer, a separate process with a full rust-analyzer. It starts when somebody types: at
//! the first request, or when a cell is run again that has been edited. Until it is ready, completion answers from the text of
//! the session.
//!
//! It is a separate process so that the session's process stays small and starts quickly, and so that requests can be answered
//! while a cell runs. Each request contains all definitions of the session, of which rust-analyzer processes the changes.

use crate::session::Session;
use anyhow::{Context, Result};
use cell::cursor::path_at;
use engine::Documentation;
use engine::analysis::{Item, Query, Response};
use engine::shown_crates::Crates;
use environment::OwnVariables;
use environment::program::this_program;
use jupyter_protocol::MediaType;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use wire::{Completion, Completions};

/// How long completion waits for the analyzer if there is another answer. JupyterLab shows nothing that comes after a second.
const PATIENCE: Duration = Duration::from_millis(700);
/// The same, as long as the analyzer has answered nothing yet, so that it may still be loading.
const PATIENCE_AT_FIRST: Duration = Duration::from_millis(150);

/// A request about a position in code, in bytes, with the channel for the answer.
enum Request {
    Start,
    Complete(String, usize, oneshot::Sender<Completions>),
    Inspect(String, usize, oneshot::Sender<Vec<MediaType>>),
}

/// A function that queues a request for documentation and waits for the answer.
fn documentation(queue: mpsc::Sender<Request>) -> Documentation {
    Arc::new(move |code: String| {
        let (answer, answered) = oneshot::channel();
        let position = code.len();
        // The thread ends only with the process.
        let _ = queue.send(Request::Inspect(code, position, answer));
        answered.blocking_recv().unwrap_or_default()
    })
}

/// Sends requests to the analyzer's thread.
pub struct Analyzer {
    queue: mpsc::Sender<Request>,
    session: Session,
    /// Whether the process has answered a question.
    is_ready: Arc<AtomicBool>,
    /// How many completions have been asked for. Who still waits for an earlier one no longer needs it.
    asked: watch::Sender<u64>,
}

impl Analyzer {
    /// Starts the thread. The process will not inherit `own_variables`.
    pub fn new(own_variables: OwnVariables, session: Session) -> Self {
        let (queue, requests) = mpsc::channel();
        session.set_documentation(documentation(queue.clone()));
        let is_ready = Arc::new(AtomicBool::new(false));
        let mut analysis = Analysis {
            process: None,
            session: session.clone(),
            own_variables,
            is_ready: Arc::clone(&is_ready),
        };
        std::thread::spawn(move || requests.into_iter().for_each(|request| analysis.answer(request)));
        Self { queue, session, is_ready, asked: watch::Sender::new(0) }
    }

    /// Starts the process, if it is not running.
    pub fn start(&self) {
        // The thread ends only with the process.
        let _ = self.queue.send(Request::Start);
    }

    /// Completions at `position`, in bytes.
    pub async fn complete(&self, code: String, position: usize) -> Completions {
        let plain = self.session.plain_completions(&code, position);
        if cell::completion::is_plain(&code, position) {
            return plain;
        }
        self.asked.send_modify(|asked| *asked += 1);
        let mut asked = self.asked.subscribe();
        // An empty answer is no better for coming early.
        let patience = match plain.items.is_empty() {
            true => Duration::MAX,
            false if self.is_ready.load(Ordering::SeqCst) => PATIENCE,
            false => PATIENCE_AT_FIRST,
        };
        let answer = self.answer(|answer| Request::Complete(code, position, answer));
        let answer = tokio::select! {
            answer = timeout(patience, answer) => answer.unwrap_or_default(),
            _ = asked.changed() => Completions::default(),
        };
        if answer.items.is_empty() { plain } else { answer }
    }

    /// Help on the name at `position`, in bytes.
    pub async fn inspect(&self, code: String, position: usize) -> Vec<MediaType> {
        self.answer(|answer| Request::Inspect(code, position, answer)).await
    }

    async fn answer<T: Default>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (answer, answered) = oneshot::channel();
        // The thread ends only with the process.
        let _ = self.queue.send(request(answer));
        answered.await.unwrap_or_default()
    }
}

/// The state of the analyzer's thread.
struct Analysis {
    process: Option<Process>,
    session: Session,
    own_variables: OwnVariables,
    is_ready: Arc<AtomicBool>,
}

impl Analysis {
    fn answer(&mut self, request: Request) {
        match request {
            Request::Start => self.start_early(),
            // Nobody waits for it any more, and the next one need not wait for it either.
            Request::Complete(.., answer) if answer.is_closed() && self.is_ready.load(Ordering::SeqCst) => {}
            // The receiver is dropped when it has waited for long enough, or the kernel ends.
            Request::Complete(code, position, answer) => _ = answer.send(self.complete(&code, position)),
            Request::Inspect(code, position, answer) => _ = answer.send(self.inspect(&code, position)),
        }
    }

    fn complete(&mut self, code: &str, position: usize) -> Completions {
        let snippet = self.session.snippet(code, position);
        match self.ask(&Query::Complete(snippet)) {
            Response::Completions { start, end, items } => {
                let items = items.into_iter().map(|Item { text, kind, label }| Completion {
                    text,
                    kind,
                    signature: label,
                });
                Completions { range: start..end, items: items.collect() }
            }
            _ => Completions::default(),
        }
    }

    fn inspect(&mut self, code: &str, position: usize) -> Vec<MediaType> {
        let range = path_at(code, position);
        let name = &code[range.clone()];
        // rust-analyzer does not recognize a macro without arguments, and may take a method for a field.
        let (length, rest) = match name.strip_suffix('!') {
            Some(macro_name) => (macro_name.len(), "()"),
            None if code[range.end..].starts_with('(') => (name.len(), "()"),
            None => (name.len(), ""),
        };
        let mut answer = Response::Nothing;
        if !name.is_empty() {
            // First with the code before the name, which may define the cell's own variables, then without it, in case that code
            // does not parse.
            for before in [&code[..range.start], ""] {
                let snippet = self.session.snippet(&format!("{before}{name}{rest}"), before.len() + length);
                answer = self.ask(&Query::Inspect(snippet));
                if let Response::Help { .. } = answer {
                    break;
                }
            }
        }
        match answer {
            Response::Help { text, html } => vec![MediaType::Plain(text), MediaType::Html(html)],
            _ => Vec::new(),
        }
    }

    fn start_early(&mut self) {
        if let Err(error) = self.ready() {
            self.give_up(&error);
        }
    }

    fn ask(&mut self, question: &Query) -> Response {
        match self.ready().and_then(|process| process.ask(question)) {
            Ok(answer) => {
                self.is_ready.store(true, Ordering::SeqCst);
                answer
            }
            Err(error) => {
                self.give_up(&error);
                Response::Nothing
            }
        }
    }

    fn give_up(&mut self, error: &anyhow::Error) {
        if !self.session.is_ending() {
            tracing::warn!("no completion: {error:#}");
        }
        // The next request starts another process.
        self.process = None;
        self.is_ready.store(false, Ordering::SeqCst);
    }

    /// The process, which sees the crates that cells can name now.
    fn ready(&mut self) -> Result<&mut Process> {
        if self.process.is_none() {
            let process = Process::start(&self.own_variables)?;
            self.session.set_analyzer(process.child.id());
            self.process = Some(process);
        }
        let process = self.process.as_mut().context("there is no process")?;
        if let Some(crates) = self.session.crates().filter(|crates| process.crates.as_ref() != Some(crates)) {
            process.ask(&Query::Show(crates.clone()))?;
            process.crates = Some(crates);
        }
        Ok(process)
    }
}

/// The process, with the pipes to it.
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it shows; `None` for the standard library alone.
    crates: Option<Crates>,
}

impl Process {
    fn start(own_variables: &OwnVariables) -> Result<Self> {
        let mut command = Command::new(this_program()?);
        own_variables.restore(&mut command);
        // With several malloc arenas, each would keep memory that rust-analyzer needs only briefly.
        command.env("MALLOC_ARENA_MAX", "1");
        let mut child = command.arg("analyzer").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().context("no pipe to the analyzer")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe from the analyzer")?);
        Ok(Self { child, questions, answers, crates: None })
    }

    fn ask(&mut self, question: &Query) -> Result<Response> {
        writeln!(self.questions, "{}", serde_json::to_string(question)?)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).context("the analyzer has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
