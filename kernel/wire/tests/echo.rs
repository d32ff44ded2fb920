//! A kernel without a compiler, whose cells are scripts of a few commands.

use jupyter_protocol::{
    ConnectionInfo, ExecuteReply, ExecutionCount, ExecutionState, IsCompleteReply, IsCompleteReplyStatus,
    MediaType, ReplyError, ReplyStatus, Stdio,
};
use serde_json::{Map, json};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::message::{self, message};
use wire::{
    Channels, Client, Completion, Completions, Execute, Info, Kernel, Output, PastCell, Stdin, client, serve,
};

/// How often to try to start the kernel when another test takes one of its ports.
const ATTEMPTS: usize = 5;

/// Each line of a cell is a command: `print` and `show` a text, `fail` with one, `ask` the user, `wait` for an interrupt or
/// [`Running::go_on`]. Any other line is the cell's result.
pub struct Echo {
    cells: mpsc::Sender<Execute>,
    control: Arc<Control>,
    stdin: Stdin,
}

/// The state of the kernel, which tests watch and change.
#[derive(Default)]
struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: bool,
    interrupted: bool,
    may_go_on: bool,
    shut_down: bool,
    history: Vec<PastCell>,
}

impl Control {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Echo {
    fn start(channels: Channels, control: Arc<Control>) -> Self {
        let (cells, queue) = mpsc::channel();
        let stdin = channels.stdin.clone();
        let for_thread = Arc::clone(&control);
        thread::spawn(move || Worker { channels, control: for_thread, count: 0 }.work(&queue));
        Self { cells, control, stdin }
    }
}

impl Kernel for Echo {
    async fn info(&self) -> Info {
        Info {
            implementation: "echo".into(),
            version: "1.2.3".into(),
            language: json!({ "name": "echo", "version": "4", "mimetype": "text/plain", "file_extension": ".txt" }),
            banner: "hello".into(),
            help_links: vec![("A link".into(), "https://example.org/".into())],
        }
    }

    fn execute(&self, cell: Execute) {
        self.cells.send(cell).unwrap();
    }

    fn interrupt(&self) {
        self.control.change(|state| state.interrupted = state.running);
        self.stdin.cancel();
    }

    fn shut_down(&self) {
        self.control.change(|state| state.shut_down = true);
    }

    /// Code that ends with a space is incomplete.
    fn is_complete(&self, code: &str) -> IsCompleteReply {
        let (status, indent) = match code.ends_with(' ') {
            false => (IsCompleteReplyStatus::Complete, ""),
            true => (IsCompleteReplyStatus::Incomplete, "  "),
        };
        IsCompleteReply { status, indent: indent.into() }
    }

    fn history(&self) -> Vec<PastCell> {
        self.control.state.lock().unwrap().history.clone()
    }

    /// The word before the position, repeated. For the word `?`, the range is outside of the code.
    async fn complete(&self, code: &str, position: usize) -> Completions {
        let start = code[..position].rfind(' ').map_or(0, |space| space + 1);
        let word = &code[start..position];
        let range = if word == "?" { start..code.len() + 1 } else { start..position };
        let item =
            Completion { text: word.repeat(2), kind: "word".into(), signature: format!("{word} {word}") };
        Completions { range, items: vec![item] }
    }

    /// The rest of the code.
    async fn inspect(&self, code: &str, position: usize) -> Vec<MediaType> {
        let rest = &code[position..];
        if rest.is_empty() { Vec::new() } else { vec![MediaType::Plain(rest.into())] }
    }
}

/// The thread that runs the cells.
struct Worker {
    channels: Channels,
    control: Arc<Control>,
    count: usize,
}

impl Worker {
    fn work(&mut self, queue: &mpsc::Receiver<Execute>) {
        while let Ok(cell) = queue.recv() {
            self.control.change(|state| (state.running, state.interrupted) = (true, false));
            let outcome = self.run(&cell);
            self.control.change(|state| state.running = false);
            let stop = outcome.is_err() && cell.content.stop_on_error;
            let waiting: Vec<Execute> = if stop { queue.try_iter().collect() } else { Vec::new() };
            self.reply(&cell, outcome);
            for Execute { request, .. } in waiting {
                self.channels.iopub.status(ExecutionState::Busy, &request);
                self.channels.replies.send(message(message::aborted(), Some(&request))).unwrap();
                self.channels.iopub.status(ExecutionState::Idle, &request);
            }
        }
    }

    fn run(&mut self, Execute { request, content }: &Execute) -> Result<(), ReplyError> {
        let iopub = &self.channels.iopub;
        iopub.status(ExecutionState::Busy, request);
        iopub.begin_cell(request, content.silent);
        self.count += 1;
        iopub.input(&content.code, self.count, request);
        let mut result = None;
        for line in content.code.lines() {
            let (command, text) = line.split_once(' ').unwrap_or((line, ""));
            match command {
                "print" => iopub.output(Output::Stream(Stdio::Stdout, format!("{text}\n"))),
                "show" => {
                    let data = Map::from_iter([("text/plain".to_owned(), text.into())]);
                    let (metadata, display_id) = (Map::new(), None);
                    iopub.output(Output::Display { data, metadata, display_id, update: false });
                }
                "ask" => {
                    let answer = self.channels.stdin.ask(request, text.into(), false);
                    let said = answer.map_or("withdrawn\n".into(), |answer| format!("<{answer}>\n"));
                    iopub.output(Output::Stream(Stdio::Stdout, said));
                }
                "wait" => {
                    let waits =
                        |state: &mut State| !state.interrupted && !state.may_go_on && !state.shut_down;
                    let state = self.control.state.lock().unwrap();
                    let mut state = self.control.changed.wait_while(state, waits).unwrap();
                    state.may_go_on = false;
                    if state.interrupted {
                        return Err(message::error("Interrupted", "while it waited", Vec::new()));
                    }
                }
                "fail" => return Err(message::error("Failed", text, vec![format!("Failed: {text}")])),
                _ => result = Some(line.to_owned()),
            }
        }
        if let Some(text) = &result {
            let data = Map::from_iter([("text/plain".to_owned(), text.as_str().into())]);
            iopub.result(data, self.count, request);
        }
        let cell = PastCell { number: self.count, code: content.code.clone(), result };
        self.control.change(|state| state.history.push(cell));
        Ok(())
    }

    fn reply(&self, Execute { request, .. }: &Execute, outcome: Result<(), ReplyError>) {
        let error = outcome.err();
        if let Some(error) = &error {
            self.channels.iopub.error(error, request);
        }
        let reply = ExecuteReply {
            status: if error.is_some() { ReplyStatus::Error } else { ReplyStatus::Ok },
            execution_count: ExecutionCount(self.count),
            payload: Vec::new(),
            user_expressions: None,
            error: error.map(Box::new),
        };
        let _ = self.channels.replies.send(message(reply, Some(request)));
        self.channels.iopub.status(ExecutionState::Idle, request);
    }
}

/// A running echo kernel, as tests control it.
pub struct Running {
    control: Arc<Control>,
    served: JoinHandle<anyhow::Result<()>>,
    /// Ends the kernel when it is dropped or sent to.
    pub end: Option<oneshot::Sender<()>>,
}

impl Running {
    /// Lets a waiting cell go on.
    pub fn go_on(&self) {
        self.control.change(|state| state.may_go_on = true);
    }

    /// Waits until the kernel has ended. Returns whether it was told to shut down.
    pub async fn ended(self) -> bool {
        self.served.await.unwrap().unwrap();
        self.control.state.lock().unwrap().shut_down
    }
}

/// Starts an echo kernel and connects to it.
pub async fn start() -> (Client, Running) {
    for _ in 0..ATTEMPTS {
        let connection = client::free_connection().await.unwrap();
        if let Some(running) = serve_echo(connection.clone()).await {
            return (Client::connect(connection).await.unwrap(), running);
        }
    }
    panic!("no free ports");
}

/// Serves an echo kernel at these addresses. `None` if one of them is in use.
async fn serve_echo(connection: ConnectionInfo) -> Option<Running> {
    let control = Arc::new(Control::default());
    let (begun, begins) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let for_kernel = Arc::clone(&control);
    let start = move |channels| {
        begun.send(()).unwrap();
        Echo::start(channels, for_kernel)
    };
    let served = tokio::spawn(async move {
        let folder = tempfile::tempdir()?;
        let ended = async { drop(ended.await) };
        serve(&connection, folder.path(), start, ended).await
    });
    begins.await.ok()?;
    Some(Running { control, served, end: Some(end) })
}
