//! Completion and help: a process of its own with the whole of rust-analyzer, started at the first request.
//!
//! It is separate because the session's process must stay small and be ready at once, and because it can answer
//! while a cell runs. Each request brings along what the session has defined so far; rust-analyzer sees the change.

use crate::iopub::IoPub;
use crate::message::{JupyterMessage, JupyterMessageContent as Content, message};
use crate::session::{Log, Session};
use crate::this_program;
use anyhow::{Context, Result};
use cell::cursor::{byte_position, char_position, path_at};
use environment::OwnVariables;
use jupyter_protocol::{
    CompleteReply, CompleteRequest, ExecutionState, InspectReply, InspectRequest, Media, MediaType,
    ReplyStatus,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use tokio::sync::mpsc::UnboundedSender;

/// What the process is asked. `code` starts with what the session has defined; the position is in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Question {
    Complete { code: String, position: usize },
    Inspect { code: String, position: usize },
}

/// What it answers. Ranges are in bytes of the code.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    Completions { start: usize, end: usize, items: Vec<Item> },
    Help { text: String, html: String },
    Nothing,
}

/// One completion.
#[derive(Debug, Serialize, Deserialize)]
pub struct Item {
    pub text: String,
    pub kind: String,
    /// The text with its signature.
    pub label: String,
}

/// Queues requests for the process.
#[derive(Clone)]
pub struct Analyzer {
    queue: mpsc::Sender<JupyterMessage>,
}

impl Analyzer {
    /// The process works in `folder` and must not inherit `own_variables`; `cuda` is as in the session's setting.
    pub fn new(
        folder: PathBuf,
        own_variables: OwnVariables,
        cuda: bool,
        session: Session,
        iopub: IoPub,
        replies: UnboundedSender<JupyterMessage>,
    ) -> Self {
        let (queue, requests) = mpsc::channel::<JupyterMessage>();
        std::thread::spawn(move || {
            let mut analysis = Analysis { process: None, session, folder, own_variables, cuda };
            for request in requests {
                iopub.status(ExecutionState::Busy, &request);
                let reply: Content = match &request.content {
                    Content::CompleteRequest(content) => analysis.complete(content).into(),
                    Content::InspectRequest(content) => analysis.inspect(content).into(),
                    _ => continue,
                };
                let _ = replies.send(message(reply, Some(&request)));
                iopub.status(ExecutionState::Idle, &request);
                if let Some(cell) = analysis.session.current() {
                    iopub.status(ExecutionState::Busy, &cell);
                }
            }
        });
        Self { queue }
    }

    /// Queues a request for completion or inspection.
    pub fn ask(&self, request: JupyterMessage) {
        let _ = self.queue.send(request);
    }
}

/// The process, once it is needed, and what it is asked.
struct Analysis {
    process: Option<Process>,
    session: Session,
    folder: PathBuf,
    own_variables: OwnVariables,
    cuda: bool,
}

impl Analysis {
    fn complete(&mut self, request: &CompleteRequest) -> CompleteReply {
        let position = byte_position(&request.code, request.cursor_pos);
        let (code, offset) = with_definitions(&self.session.log(), &request.code);
        let answer = self.ask(&Question::Complete { code, position: offset + position });
        let (start, end, items) = match answer {
            Answer::Completions { start, end, items }
                if start >= offset && end <= offset + request.code.len() =>
            {
                (start - offset, end - offset, items)
            }
            _ => (position, position, Vec::new()),
        };
        let (start, end) = (char_position(&request.code, start), char_position(&request.code, end));
        // JupyterLab shows kinds and signatures from this, <https://jupyterlab.readthedocs.io/en/latest/user/completer.html>.
        let types: Vec<_> = items
            .iter()
            .map(|item| json!({ "text": item.text, "type": item.kind, "signature": item.label, "start": start, "end": end }))
            .collect();
        let metadata = Map::from_iter([("_jupyter_types_experimental".to_owned(), types.into())]);
        let matches = items.into_iter().map(|item| item.text).collect();
        CompleteReply {
            matches,
            cursor_start: start,
            cursor_end: end,
            metadata,
            status: ReplyStatus::Ok,
            error: None,
        }
    }

    fn inspect(&mut self, request: &InspectRequest) -> InspectReply {
        let code = &request.code;
        let range = path_at(code, byte_position(code, request.cursor_pos));
        let name = &code[range.clone()];
        // Without its arguments a macro is none, and a method may be taken for a field. evcxr looks at what is before the
        // position, and at a parenthesis there.
        let (asked, rest) = match name.strip_suffix('!') {
            Some(macro_name) => (macro_name.len(), "()"),
            None if code[range.end..].starts_with('(') => (name.len() + 1, "()"),
            None => (name.len(), ""),
        };
        let mut answer = Answer::Nothing;
        if !name.is_empty() {
            // Variables of the cell itself are in what precedes the name, as far as that can be understood.
            for before in [&code[..range.start], ""] {
                let (before, _) = with_definitions(&self.session.log(), before);
                let position = before.len() + asked;
                answer = self.ask(&Question::Inspect { code: before + name + rest, position });
                if let Answer::Help { .. } = answer {
                    break;
                }
            }
        }
        let content = match answer {
            Answer::Help { text, html } => vec![MediaType::Plain(text), MediaType::Html(html)],
            _ => Vec::new(),
        };
        let (found, data) = (!content.is_empty(), Media { content });
        InspectReply { found, data, metadata: Map::new(), status: ReplyStatus::Ok, error: None }
    }

    fn ask(&mut self, question: &Question) -> Answer {
        self.try_to_ask(question).unwrap_or_else(|error| {
            eprintln!("taper: no completion: {error:#}");
            // The next request starts another one.
            self.process = None;
            Answer::Nothing
        })
    }

    fn try_to_ask(&mut self, question: &Question) -> Result<Answer> {
        if self.process.is_none() {
            let process = Process::start(&self.folder, &self.own_variables, self.cuda)?;
            self.session.set_analyzer(process.child.id());
            self.process = Some(process);
        }
        self.process.as_mut().context("there is no process")?.ask(question)
    }
}

/// The code behind everything the session has defined, and where it starts.
fn with_definitions(log: &Log, code: &str) -> (String, usize) {
    let mut definitions = String::new();
    for command in &log.dependencies {
        definitions.push_str(command);
        definitions.push('\n');
    }
    // Commands of the code itself must stay in front of everything that is Rust.
    let (commands, rust) = code.split_at(cell::parse(code).code_start);
    definitions.push_str(commands);
    for item in &log.items {
        definitions.push_str(item);
        definitions.push('\n');
    }
    for (name, type_name) in &log.variables {
        definitions.push_str(&format!("let {name}: {type_name} = loop {{}};\n"));
    }
    let offset = definitions.len() - commands.len();
    (definitions + rust, offset)
}

/// The process, and the pipes to it.
struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(folder: &Path, own_variables: &OwnVariables, cuda: bool) -> Result<Self> {
        let mut command = Command::new(this_program()?);
        own_variables.restore(&mut command);
        // Of several heaps each keeps what rust-analyzer needs but once.
        command.env("MALLOC_ARENA_MAX", "1");
        command.arg("analyzer").arg(folder).args(cuda.then_some("--cuda"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().context("no pipe to the analyzer")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe from the analyzer")?);
        Ok(Self { child, questions, answers })
    }

    fn ask(&mut self, question: &Question) -> Result<Answer> {
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
