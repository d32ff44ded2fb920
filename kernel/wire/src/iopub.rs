//! The only writer of the IOPub socket, fed by a channel: whoever publishes first is first on the wire.

use crate::message::{JupyterMessage, JupyterMessageContent, message};
use crate::server::next;
use jupyter_protocol::{
    ClearOutput, DisplayData, ErrorOutput, ExecuteInput, ExecuteResult, ExecutionCount, ExecutionState,
    IoPubWelcome, Media, MediaType, ReplyError, Status, Stdio, StreamContent, Transient, UpdateDisplayData,
};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use serde_json::{Map, Value};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::{mpsc, watch};

/// How many bytes of a cell's output may wait for the socket before the cell has to wait too. Clients that read slowly
/// make it wait; what is not output never does.
const BUDGET: usize = 32 << 20;

/// Publishes messages, from any thread.
#[derive(Clone)]
pub struct IoPub {
    queue: mpsc::UnboundedSender<Queued>,
    budget: Arc<Budget>,
    cell: Arc<Mutex<Cell>>,
    /// The request of the cell that is busy.
    in_progress: Arc<Mutex<Option<JupyterMessage>>>,
}

/// A message, and the bytes of the budget that it takes up.
pub struct Queued {
    message: JupyterMessage,
    bytes: usize,
}

/// The bytes of output that wait for the socket.
#[derive(Default)]
pub(crate) struct Budget {
    waiting: Mutex<usize>,
    sent: Condvar,
}

impl Budget {
    /// Waits until there is room. What is larger than the whole budget waits until nothing else does.
    fn take(&self, bytes: usize) {
        let full = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > BUDGET;
        *self.sent.wait_while(self.waiting.lock().unwrap(), full).unwrap() += bytes;
    }

    fn give_back(&self, bytes: usize) {
        *self.waiting.lock().unwrap() -= bytes;
        self.sent.notify_all();
    }
}

/// Whose the child's output is.
#[derive(Default)]
struct Cell {
    request: Option<JupyterMessage>,
    /// Nobody is to see it.
    silent: bool,
}

/// What a cell shows.
#[derive(Debug)]
pub enum Output {
    /// Text, whole lines or not.
    Stream(Stdio, String),
    /// A picture, a table or the like.
    Display {
        /// Its representations by MIME type.
        data: Map<String, Value>,
        /// What else there is to say of them, by MIME type.
        metadata: Map<String, Value>,
        /// The name by which it can be replaced.
        display_id: Option<String>,
        /// Whether it replaces what was shown under that name.
        update: bool,
    },
    /// Removes what the cell has shown so far.
    Clear {
        /// Only when the next output comes.
        wait: bool,
    },
}

impl Output {
    /// In bytes, roughly.
    fn size(&self) -> usize {
        match self {
            Self::Stream(_, text) => text.len(),
            Self::Display { data, .. } => data.values().map(|value| value.as_str().map_or(0, str::len)).sum(),
            Self::Clear { .. } => 0,
        }
    }
}

impl IoPub {
    /// Also returns what is published, in order.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Queued>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { queue, budget: Arc::default(), cell: Arc::default(), in_progress: Arc::default() }, receiver)
    }

    /// What [`write`] gives back to when it has sent something.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// From now on output belongs to the cell of this request, and is not published if that is silent.
    pub fn begin_cell(&self, request: &JupyterMessage, silent: bool) {
        *self.cell.lock().unwrap() = Cell { request: Some(request.clone()), silent };
    }

    /// Publishes what a cell shows. Blocks while too much of that waits for the socket.
    pub fn output(&self, output: Output) {
        let cell = self.cell.lock().unwrap();
        if cell.silent {
            return;
        }
        let request = cell.request.clone();
        drop(cell);
        let bytes = output.size();
        self.budget.take(bytes);
        let content: JupyterMessageContent = match output {
            Output::Stream(name, text) => StreamContent { name, text }.into(),
            Output::Clear { wait } => ClearOutput { wait }.into(),
            Output::Display { data, metadata, display_id, update } => {
                let data = media(data);
                match (display_id, update) {
                    (Some(id), true) => {
                        UpdateDisplayData { data, metadata, transient: Transient { display_id: Some(id) } }
                            .into()
                    }
                    (id, _) => {
                        let transient = id.map(|id| Transient { display_id: Some(id) });
                        DisplayData { data, metadata, transient }.into()
                    }
                }
            }
        };
        // The receiver is gone only when the kernel ends.
        let _ = self.queue.send(Queued { message: message(content, request.as_ref()), bytes });
    }

    /// Publishes that a request is worked on, or is done with: `Busy` once, then `Idle` once.
    ///
    /// Clients that go by the latest status must not take the kernel for idle while a cell runs, which is why the cell's
    /// `busy` is said again after the `idle` of another request.
    pub fn status(&self, state: ExecutionState, request: &JupyterMessage) {
        // Held until all is in the queue, or a cell could become idle before it is said again that it is busy.
        let mut in_progress = self.in_progress.lock().unwrap();
        self.publish(status(state.clone(), Some(request)));
        let is_cell = matches!(request.content, JupyterMessageContent::ExecuteRequest(_));
        match (state, &*in_progress) {
            (ExecutionState::Busy, _) if is_cell => *in_progress = Some(request.clone()),
            (ExecutionState::Idle, Some(cell)) if cell.header.msg_id == request.header.msg_id => {
                *in_progress = None
            }
            (ExecutionState::Idle, Some(cell)) => {
                self.publish(status(ExecutionState::Busy, Some(cell)));
            }
            _ => {}
        }
    }

    /// Publishes the code of a cell that is run, with its number.
    pub fn input(&self, code: &str, count: usize, request: &JupyterMessage) {
        let content = ExecuteInput { code: code.to_owned(), execution_count: ExecutionCount(count) };
        self.publish(message(content, Some(request)));
    }

    /// Publishes the result of a cell, by MIME type.
    pub fn result(&self, data: Map<String, Value>, count: usize, request: &JupyterMessage) {
        let (data, metadata) = (media(data), Map::new());
        // Without a value this field would be null, which is not what it may be.
        let transient = Some(Transient::default());
        let content = ExecuteResult { execution_count: ExecutionCount(count), data, metadata, transient };
        self.publish(message(content, Some(request)));
    }

    /// Publishes why a cell has failed.
    pub fn error(&self, error: &ReplyError, request: &JupyterMessage) {
        let ReplyError { ename, evalue, traceback } = error.clone();
        self.publish(message(ErrorOutput { ename, evalue, traceback }, Some(request)));
    }

    /// Publishes anything else. Never blocks.
    pub fn publish(&self, message: JupyterMessage) {
        let _ = self.queue.send(Queued { message, bytes: 0 });
    }
}

/// A status message.
pub(crate) fn status(execution_state: ExecutionState, request: Option<&JupyterMessage>) -> JupyterMessage {
    message(Status { execution_state }, request)
}

/// Whatever a representation holds is sent as it is: what one client cannot show may be all that another one wants.
fn media(data: Map<String, Value>) -> Media {
    Media { content: data.into_iter().map(MediaType::Other).collect() }
}

/// Writes the queue to the socket until nothing is left when the kernel closes, and welcomes subscribers (JEP 65).
pub(crate) async fn write(
    mut socket: KernelIoPubXPubConnection,
    mut queue: mpsc::UnboundedReceiver<Queued>,
    budget: Arc<Budget>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            biased;
            event = socket.recv_subscription() => {
                if let Ok(SubscriptionEvent::Subscribe(subscription)) = event {
                    // Under this topic it reaches those who have subscribed to it.
                    let topic = subscription.clone().into();
                    let mut welcome = message(IoPubWelcome { subscription }, None);
                    welcome.zmq_identities = vec![topic];
                    let _ = socket.send(welcome).await;
                }
            }
            next = next(&mut queue, &mut closing) => {
                let Some(Queued { message: mut next, bytes }) = next else { return };
                next.zmq_identities = vec![next.header.msg_type.clone().into()];
                if let Err(error) = socket.send(next).await {
                    tracing::warn!("a message could not be published: {error}");
                }
                budget.give_back(bytes);
            }
        }
    }
}
