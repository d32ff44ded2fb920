//! Publishes messages on IOPub. The socket has one writer, which reads from a channel, so messages keep their order.

use crate::message::{JupyterMessage, JupyterMessageContent, message};
use crate::queue::next;
use jupyter_protocol::{
    ClearOutput, DisplayData, ErrorOutput, ExecuteInput, ExecuteResult, ExecutionCount, ExecutionState,
    IoPubWelcome, Media, MediaType, ReplyError, Status, Stdio, StreamContent, Transient, UpdateDisplayData,
};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use serde_json::{Map, Value};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::{mpsc, watch};

/// How many bytes of output may wait for the socket. Beyond that, a cell that prints has to wait for slow clients. Messages
/// other than output never wait.
const BUDGET: usize = 32 << 20;

/// Publishes messages, from any thread.
#[derive(Clone)]
pub struct IoPub {
    queue: mpsc::UnboundedSender<Queued>,
    budget: Arc<Budget>,
    owner: Arc<Mutex<OutputOwner>>,
    /// The request of the cell that is running.
    in_progress: Arc<Mutex<Option<JupyterMessage>>>,
}

/// A message in the queue, with the bytes of the budget that it takes up.
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
    /// Waits until there is room. An output that is larger than the whole budget waits until no other output does.
    fn take(&self, bytes: usize) {
        let full = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > BUDGET;
        *self.sent.wait_while(self.waiting.lock().unwrap(), full).unwrap() += bytes;
    }

    fn give_back(&self, bytes: usize) {
        *self.waiting.lock().unwrap() -= bytes;
        self.sent.notify_all();
    }
}

/// The cell that output belongs to.
#[derive(Default)]
struct OutputOwner {
    request: Option<JupyterMessage>,
    /// Whether the output is discarded.
    silent: bool,
}

/// One output of a cell.
#[derive(Debug)]
pub enum Output {
    /// Text, not necessarily in whole lines.
    Stream(Stdio, String),
    /// A picture, a table or the like.
    Display {
        /// Its representations by MIME type.
        data: Map<String, Value>,
        /// Metadata of the representations, by MIME type.
        metadata: Map<String, Value>,
        /// The id by which it can be replaced.
        display_id: Option<String>,
        /// Whether it replaces what was displayed under that id.
        update: bool,
    },
    /// Removes what the cell has shown so far.
    Clear {
        /// Whether to wait until the next output.
        wait: bool,
    },
}

impl Output {
    /// The approximate size, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Stream(_, text) => text.len(),
            Self::Display { data, .. } => data.values().map(|value| value.as_str().map_or(0, str::len)).sum(),
            Self::Clear { .. } => 0,
        }
    }
}

impl IoPub {
    /// Creates the publisher, and the queue of its messages for [`write`].
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Queued>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { queue, budget: Arc::default(), owner: Arc::default(), in_progress: Arc::default() }, receiver)
    }

    /// The budget, to which [`write`] gives back the bytes that it has sent.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// Makes output belong to the cell of this request from now on. The output of a silent cell is not published.
    pub fn begin_cell(&self, request: &JupyterMessage, silent: bool) {
        *self.owner.lock().unwrap() = OutputOwner { request: Some(request.clone()), silent };
    }

    /// Publishes an output of the current cell. Blocks while too much output waits for the socket.
    pub fn output(&self, output: Output) {
        let owner = self.owner.lock().unwrap();
        if owner.silent {
            return;
        }
        let request = owner.request.clone();
        drop(owner);
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

    /// Publishes that the kernel works on a request, or has finished it. Each request is `Busy` once, then `Idle` once.
    ///
    /// Some clients only look at the latest status, and must not take the kernel for idle while a cell runs. So the `busy` of
    /// the cell is repeated after the `idle` of another request.
    pub fn status(&self, state: ExecutionState, request: &JupyterMessage) {
        // The lock is held until both messages are in the queue. Otherwise the cell could become idle in between, and the
        // repeated `busy` would be its last status.
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

    /// Publishes the code of a cell that starts to run, with its execution count.
    pub fn input(&self, code: &str, count: usize, request: &JupyterMessage) {
        let content = ExecuteInput { code: code.to_owned(), execution_count: ExecutionCount(count) };
        self.publish(message(content, Some(request)));
    }

    /// Publishes the result of a cell, by MIME type.
    pub fn result(&self, data: Map<String, Value>, count: usize, request: &JupyterMessage) {
        let (data, metadata) = (media(data), Map::new());
        // Without a value this field would be null, which the protocol does not allow.
        let transient = Some(Transient::default());
        let content = ExecuteResult { execution_count: ExecutionCount(count), data, metadata, transient };
        self.publish(message(content, Some(request)));
    }

    /// Publishes why a cell has failed.
    pub fn error(&self, error: &ReplyError, request: &JupyterMessage) {
        let ReplyError { ename, evalue, traceback } = error.clone();
        self.publish(message(ErrorOutput { ename, evalue, traceback }, Some(request)));
    }

    /// Publishes any other message. Never blocks.
    pub fn publish(&self, message: JupyterMessage) {
        let _ = self.queue.send(Queued { message, bytes: 0 });
    }
}

/// A status message.
pub(crate) fn status(execution_state: ExecutionState, request: Option<&JupyterMessage>) -> JupyterMessage {
    message(Status { execution_state }, request)
}

/// Representations, which are sent unchanged: each client chooses the one that it can show.
fn media(data: Map<String, Value>) -> Media {
    Media { content: data.into_iter().map(MediaType::Other).collect() }
}

/// Sends the queued messages until the kernel closes and none is left, and welcomes subscribers (JEP 65).
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
                    // Sent under the topic that was subscribed to, it reaches the new subscriber.
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
                    tracing::warn!("cannot publish a message: {error}");
                }
                budget.give_back(bytes);
            }
        }
    }
}
