//! Completion and help, answered by the analyzer, a separate process with a full rust-analyzer. It starts at the first request.
//!
//! It is a separate process so that the session's process stays small and starts quickly, and so that requests can be answered
//! while a cell runs. Each request contains all definitions of the session, of which rust-analyzer processes the changes.

use crate::session::Session;
use anyhow::{Context, Result};
use cell::cursor::path_at;
use engine::Documentation;
use engine::analysis::{Item, Query, Response};
use environment::OwnVariables;
use environment::program::this_program;
use jupyter_protocol::MediaType;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;
use wire::{Completion, Completions};

/// A request about a position in code, in bytes, with the channel for the answer.
enum Request {
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
}

impl Analyzer {
    /// Starts the thread. The process will work in `folder`, and will not inherit `own_variables`; `cuda` says whether to use the
    /// environment for GPUs.
    pub fn new(folder: PathBuf, own_variables: OwnVariables, cuda: bool, session: Session) -> Self {
        let (queue, requests) = mpsc::channel();
        session.set_documentation(documentation(queue.clone()));
        std::thread::spawn(move || {
            let mut analysis = Analysis { process: None, session, folder, own_variables, cuda };
            for request in requests {
                // The receiver is dropped only when the kernel ends.
                match request {
                    Request::Complete(code, position, answer) => {
                        let _ = answer.send(analysis.complete(&code, position));
                    }
                    Request::Inspect(code, position, answer) => {
                        let _ = answer.send(analysis.inspect(&code, position));
                    }
                }
            }
        });
        Self { queue }
    }

    /// Completions at `position`, in bytes.
    pub async fn complete(&self, code: String, position: usize) -> Completions {
        self.answer(|answer| Request::Complete(code, position, answer)).await
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

/// The state of the analyzer's thread. The process is started when it is needed.
struct Analysis {
    process: Option<Process>,
    session: Session,
    folder: PathBuf,
    own_variables: OwnVariables,
    cuda: bool,
}

impl Analysis {
    fn complete(&mut self, code: &str, position: usize) -> Completions {
        let (all, offset) = self.session.with_definitions(code, position);
        match self.ask(&Query::Complete { code: all, position: offset + position }) {
            Response::Completions { start, end, items } if (offset..=end).contains(&start) => {
                let items = items.into_iter().map(|Item { text, kind, label }| Completion {
                    text,
                    kind,
                    signature: label,
                });
                Completions { range: start - offset..end - offset, items: items.collect() }
            }
            _ => Completions { range: position..position, items: Vec::new() },
        }
    }

    fn inspect(&mut self, code: &str, position: usize) -> Vec<MediaType> {
        let range = path_at(code, position);
        let name = &code[range.clone()];
        // rust-analyzer does not recognize a macro without arguments, and may take a method for a field. evcxr handles code that
        // ends in an opening parenthesis.
        let (asked, rest) = match name.strip_suffix('!') {
            Some(macro_name) => (macro_name.len(), "()"),
            None if code[range.end..].starts_with('(') => (name.len() + 1, "()"),
            None => (name.len(), ""),
        };
        let mut answer = Response::Nothing;
        if !name.is_empty() {
            // First with the code before the name, which may define the cell's own variables, then without it, in case that code
            // does not parse.
            for before in [&code[..range.start], ""] {
                let (before, _) = self.session.with_definitions(before, range.start);
                let position = before.len() + asked;
                answer = self.ask(&Query::Inspect { code: before + name + rest, position });
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

    fn ask(&mut self, question: &Query) -> Response {
        self.try_to_ask(question).unwrap_or_else(|error| {
            tracing::warn!("no completion: {error:#}");
            // The next request starts another process.
            self.process = None;
            Response::Nothing
        })
    }

    fn try_to_ask(&mut self, question: &Query) -> Result<Response> {
        if self.process.is_none() {
            let process = Process::start(&self.folder, &self.own_variables, self.cuda)?;
            self.session.set_analyzer(process.child.id());
            self.process = Some(process);
        }
        self.process.as_mut().context("there is no process")?.ask(question)
    }
}

/// The process, with the pipes to it.
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(folder: &Path, own_variables: &OwnVariables, cuda: bool) -> Result<Self> {
        let mut command = Command::new(this_program()?);
        own_variables.restore(&mut command);
        // With several malloc arenas, each would keep memory that rust-analyzer needs only briefly.
        command.env("MALLOC_ARENA_MAX", "1");
        command.arg("analyzer").arg(folder).args(cuda.then_some("--cuda"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().context("no pipe to the analyzer")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe from the analyzer")?);
        Ok(Self { child, questions, answers })
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
