//! Completion and help: a process of its own with the whole of rust-analyzer, started at the first request.
//!
//! It is separate because the session's process must stay small and be ready at once, and because it can answer
//! while a cell runs. Each request brings along what the session has defined so far; rust-analyzer sees the change.

use crate::iopub::IoPub;
use crate::message::{JupyterMessage, JupyterMessageContent as Content, message};
use crate::session::{Log, Session};
use crate::this_program;
use crate::toolchain::OwnVariables;
use anyhow::{Context, Result};
use cell::Commands;
use cell::cursor::{byte_position, char_position, path_at};
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
    queue: mpsc::Sender<Request>,
}

/// What is queued.
enum Request {
    Message(Box<JupyterMessage>),
    /// For the documentation of what code ends in, in plain text and in HTML.
    Documentation(String, mpsc::Sender<Option<(String, String)>>),
}

/// Queues requests of the session, which waits for the answers.
#[derive(Clone)]
pub struct Documentation(mpsc::Sender<Request>);

impl Documentation {
    /// The documentation of what some code ends in, in plain text and in HTML, if there is any.
    pub fn of(&self, code: String) -> Option<(String, String)> {
        let (answer, answered) = mpsc::channel();
        self.0.send(Request::Documentation(code, answer)).ok()?;
        answered.recv().ok()?
    }
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
        let (queue, requests) = mpsc::channel();
        session.set_documentation(Documentation(queue.clone()));
        std::thread::spawn(move || {
            let mut analysis = Analysis { process: None, session, folder, own_variables, cuda };
            for request in requests {
                let request = match request {
                    Request::Message(request) => *request,
                    Request::Documentation(code, answer) => {
                        let _ = answer.send(analysis.documentation(&code, code.len()));
                        continue;
                    }
                };
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
        let _ = self.queue.send(Request::Message(Box::new(request)));
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
        let (code, offset) = with_definitions(&self.session.log(), &request.code, position);
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
        let found = self.documentation(&request.code, byte_position(&request.code, request.cursor_pos));
        let content = found.map(|(text, html)| vec![MediaType::Plain(text), MediaType::Html(html)]);
        let (found, data) = (content.is_some(), Media { content: content.unwrap_or_default() });
        InspectReply { found, data, metadata: Map::new(), status: ReplyStatus::Ok, error: None }
    }

    /// The documentation of what is at a byte of some code, in plain text and in HTML.
    fn documentation(&mut self, code: &str, position: usize) -> Option<(String, String)> {
        let range = path_at(code, position);
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
                let (before, _) = with_definitions(&self.session.log(), before, range.start);
                let position = before.len() + asked;
                answer = self.ask(&Question::Inspect { code: before + name + rest, position });
                if let Answer::Help { .. } = answer {
                    break;
                }
            }
        }
        match answer {
            Answer::Help { text, html } => Some((text, html)),
            _ => None,
        }
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

/// The code after everything that the session has defined, and where it starts. `position` is the byte that is asked about.
fn with_definitions(log: &Log, code: &str, position: usize) -> (String, usize) {
    let Commands { commands, code_start } = cell::commands(code);
    // What a command may be called has nothing to do with what is defined.
    if commands.iter().any(|command| (command.range.start..=command.range.end).contains(&position)) {
        return (code.to_owned(), 0);
    }
    let mut definitions = String::new();
    for command in &log.dependencies {
        definitions.push_str(command);
        definitions.push('\n');
    }
    // Commands must stay in front of everything that is Rust.
    definitions.push_str(&with_crates_alone(&code[..code_start], &commands));
    // evcxr passes over comments as long as it looks for commands, and documentation is one to it.
    definitions.push_str(";\n");
    for item in &log.items {
        definitions.push_str(item);
        definitions.push('\n');
    }
    for (name, type_name) in &log.variables {
        definitions.push_str(&format!("let {name}: {type_name} = loop {{}};\n"));
    }
    let offset = definitions.len() - code_start;
    (definitions + &code[code_start..], offset)
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
        let (shown, offset) = with_definitions(&log, code, code.len() - 1);
        assert_eq!(shown, format!(":dep a = \"1\"\n{commands};\nuse a;\nxy"));
        assert_eq!(&shown[offset + code.len() - 1..], "y");
        let in_command = code.find(":ti").unwrap() + 3;
        assert_eq!(with_definitions(&log, code, in_command), (code.to_owned(), 0));
    }
}
