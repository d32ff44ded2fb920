//! Serves the kernel's sockets: requests on shell and control are answered at once or handed to the kernel. Nothing here waits
//! for a cell.

use crate::gate::Gate;
use crate::history;
use crate::iopub::{self, IoPub};
use crate::kernel::{Channels, Execute, Kernel};
use crate::message::{self, JupyterMessage, JupyterMessageContent as Content, Received, message};
use crate::position;
use crate::queue;
use crate::replies;
use crate::stdin::{self, Stdin};
use anyhow::{Context, Result};
use jupyter_protocol::{
    CommClose, ConnectionInfo, DebugReply, ExecutionState, InterruptReply, ReplyStatus, ShutdownReply,
};
use jupyter_zmq_client::{
    KernelHeartbeatConnection, RouterRecvConnection, RouterSendConnection, RuntimeError,
    create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_xpub_connection, create_kernel_shell_connection, create_kernel_stdin_connection,
};
use std::future::{Future, ready};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend};

/// How long clients have to receive the last messages.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves the kernel that `start` creates, until a client asks for shutdown or `ended` completes.
///
/// Clients connect to the addresses of `connection`. The sockets themselves are in `folder`, which only this user must be able
/// to access.
///
/// # Errors
///
/// One of the addresses is in use, or a socket cannot be created.
pub async fn serve<K: Kernel>(
    connection: &ConnectionInfo,
    folder: &Path,
    start: impl FnOnce(Channels) -> K,
    ended: impl Future<Output = ()>,
) -> Result<()> {
    let mut gate = Gate::open(connection, folder).await?;
    let connection = &gate.inner;
    let id = uuid::Uuid::new_v4().to_string();
    let iopub_socket = create_kernel_iopub_xpub_connection(connection, &id).await.context("iopub socket")?;
    let shell = create_kernel_shell_connection(connection, &id).await.context("shell socket")?;
    let control = create_kernel_control_connection(connection, &id).await.context("control socket")?;
    let stdin_socket = create_kernel_stdin_connection(connection, &id).await.context("stdin socket")?;
    let heartbeat = create_kernel_heartbeat_connection(connection).await.context("heartbeat socket")?;
    gate.start_accepting();

    let (iopub, published) = IoPub::new();
    let (stdin, questions) = Stdin::new();
    let (shell_replies, to_shell) = unbounded_channel();
    let (control_replies, to_control) = unbounded_channel();
    let (end, mut asked_to_end) = unbounded_channel();
    let closing = watch::Sender::new(false);
    iopub.publish(iopub::status(ExecutionState::Starting, None));
    let kernel = start(Channels { iopub: iopub.clone(), stdin, replies: shell_replies.clone() });
    let kernel = Arc::new(kernel);

    let ((shell_out, shell_in), (control_out, control_in)) = (shell.split(), control.split());
    let mut senders = JoinSet::new();
    senders.spawn(iopub::write(iopub_socket, published, iopub.budget(), closing.subscribe()));
    senders.spawn(send(shell_out, to_shell, closing.subscribe()));
    senders.spawn(send(control_out, to_control, closing.subscribe()));
    let mut receivers = JoinSet::new();
    receivers.spawn(stdin::serve(stdin_socket, questions));
    receivers.spawn(echo_heartbeats(heartbeat));
    for (socket, replies) in [(shell_in, shell_replies), (control_in, control_replies)] {
        let (kernel, iopub, end) = (Arc::clone(&kernel), iopub.clone(), end.clone());
        let (lookups, to_look_up) = unbounded_channel();
        let handler = Arc::new(RequestHandler { kernel, iopub, replies, end, lookups });
        receivers.spawn(Arc::clone(&handler).look_up(to_look_up));
        receivers.spawn(handler.serve(socket));
    }
    tokio::select! {
        _ = asked_to_end.recv() => {}
        () = ended => {}
    }
    kernel.shut_down();
    receivers.shutdown().await;
    closing.send_replace(true);
    let _ = timeout(CLOSE_TIMEOUT, async { while senders.join_next().await.is_some() {} }).await;
    let _ = timeout(CLOSE_TIMEOUT, gate.close()).await;
    Ok(())
}

/// Echoes every message on the heartbeat socket. An error concerns one client, so the others are still served.
async fn echo_heartbeats(mut heartbeat: KernelHeartbeatConnection) {
    loop {
        if let Ok(beat) = heartbeat.socket.recv().await {
            let _ = heartbeat.socket.send(beat).await;
        }
    }
}

/// Sends replies until the kernel closes and none is left.
async fn send(
    mut socket: RouterSendConnection,
    mut replies: UnboundedReceiver<JupyterMessage>,
    mut closing: watch::Receiver<bool>,
) {
    while let Some(reply) = queue::next(&mut replies, &mut closing).await {
        if let Err(error) = socket.send(reply).await {
            tracing::warn!("cannot send a reply: {error}");
        }
    }
}

/// Answers the requests of one socket.
struct RequestHandler<K> {
    kernel: Arc<K>,
    iopub: IoPub,
    replies: UnboundedSender<JupyterMessage>,
    end: UnboundedSender<()>,
    /// Requests whose answers take time, though they do not wait for cells.
    lookups: UnboundedSender<JupyterMessage>,
}

impl<K: Kernel> RequestHandler<K> {
    async fn serve(self: Arc<Self>, mut socket: RouterRecvConnection) {
        loop {
            match message::read(&mut socket).await {
                Ok(Received::Request(request)) => self.handle(request).await,
                Ok(Received::Malformed(request, why)) => {
                    self.answer(&request, ready(replies::malformed(&request, &why))).await;
                }
                // The sender of a damaged or wrongly signed message is unknown, so there is no one to answer.
                Err(RuntimeError::VerifyError(_)) => {
                    tracing::warn!("ignored a message with a wrong signature")
                }
                Err(error) => tracing::warn!("ignored a damaged message: {error}"),
            }
        }
    }

    async fn handle(&self, request: JupyterMessage) {
        match &request.content {
            // The kernel publishes the states of this request itself.
            Content::ExecuteRequest(content) => {
                self.kernel.execute(Execute { content: content.clone(), request });
            }
            Content::CompleteRequest(_) | Content::InspectRequest(_) => {
                // The receiver lives as long as this task.
                let _ = self.lookups.send(request);
            }
            _ => self.answer(&request, self.reply(&request)).await,
        }
    }

    /// Answers completion and help requests. None waits for an earlier one, which may take longer.
    async fn look_up(self: Arc<Self>, mut requests: UnboundedReceiver<JupyterMessage>) {
        let mut answers = JoinSet::new();
        while let Some(request) = requests.recv().await {
            while answers.try_join_next().is_some() {}
            let handler = Arc::clone(&self);
            answers.spawn(async move { handler.answer(&request, handler.reply(&request)).await });
        }
    }

    /// Sends the reply to a request, if there is one, between `busy` and `idle`.
    async fn answer(&self, request: &JupyterMessage, reply: impl Future<Output = Option<Content>>) {
        self.iopub.status(ExecutionState::Busy, request);
        if let Some(reply) = reply.await {
            // The receiver lives as long as the socket.
            let _ = self.replies.send(message(reply, Some(request)));
        }
        self.iopub.status(ExecutionState::Idle, request);
        if matches!(request.content, Content::ShutdownRequest(_)) {
            let _ = self.end.send(());
        }
    }

    async fn reply(&self, request: &JupyterMessage) -> Option<Content> {
        Some(match &request.content {
            Content::KernelInfoRequest(_) => replies::kernel_info(self.kernel.info().await),
            Content::IsCompleteRequest(content) => self.kernel.is_complete(&content.code).into(),
            Content::HistoryRequest(content) => history::select(&self.kernel.history(), content).into(),
            Content::CompleteRequest(content) => {
                let position = position::to_bytes(&content.code, content.cursor_pos);
                let found = self.kernel.complete(&content.code, position).await;
                replies::complete(&content.code, position, found).into()
            }
            Content::InspectRequest(content) => {
                let position = position::to_bytes(&content.code, content.cursor_pos);
                replies::inspect(self.kernel.inspect(&content.code, position).await).into()
            }
            // Comms are not supported, so there are none to list.
            Content::CommInfoRequest(_) => replies::comm_info().into(),
            Content::CommOpen(comm) => {
                let close = CommClose { comm_id: comm.comm_id.clone(), data: Default::default() };
                self.iopub.publish(message(close, Some(request)));
                return None;
            }
            Content::InterruptRequest(_) => {
                self.kernel.interrupt();
                InterruptReply { status: ReplyStatus::Ok, error: None }.into()
            }
            Content::ShutdownRequest(content) => {
                ShutdownReply { restart: content.restart, status: ReplyStatus::Ok, error: None }.into()
            }
            Content::DebugRequest(content) => {
                DebugReply { content: replies::no_debugger(&content.content) }.into()
            }
            _ => return None,
        })
    }
}
