//! The kernel's sockets: requests come in on shell and control, and are answered at once or handed to the
//! session. Nothing here waits for a cell.

use crate::analyzer::Analyzer;
use crate::evaluator::Setting;
use crate::gate::Gate;
use crate::history;
use crate::iopub::{self, IoPub};
use crate::message::{self, JupyterMessage, JupyterMessageContent as Content, Received, message};
use crate::replies;
use crate::session::{Execute, Session};
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
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend};

/// How often to look whether the process that started the kernel is still there.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// How long clients have for the last replies.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves until a client asks for shutdown, a signal comes, or the parent process is gone.
pub async fn serve(connection: &ConnectionInfo, setting: Setting) -> Result<()> {
    let mut gate = Gate::open(connection, &setting.folder).await?;
    let connection = &gate.behind;
    let id = uuid::Uuid::new_v4().to_string();
    let iopub_socket = create_kernel_iopub_xpub_connection(connection, &id).await.context("iopub socket")?;
    let shell = create_kernel_shell_connection(connection, &id).await.context("shell socket")?;
    let control = create_kernel_control_connection(connection, &id).await.context("control socket")?;
    let stdin_socket = create_kernel_stdin_connection(connection, &id).await.context("stdin socket")?;
    let heartbeat = create_kernel_heartbeat_connection(connection).await.context("heartbeat socket")?;
    gate.let_in();

    let (iopub, published) = IoPub::new();
    let (stdin, questions) = Stdin::new();
    let (shell_replies, to_shell) = unbounded_channel();
    let (control_replies, to_control) = unbounded_channel();
    let (end, mut ended) = unbounded_channel();
    iopub.publish(iopub::status(ExecutionState::Starting, None));

    let (folder, own_variables) = (setting.folder.join("analyzer"), setting.own_variables.clone());
    let cuda = setting.cuda;
    let session = Session::start(setting, iopub.clone(), shell_replies.clone(), stdin);
    let analyzer =
        Analyzer::new(folder, own_variables, cuda, session.clone(), iopub.clone(), shell_replies.clone());
    let rust = Arc::new(OnceCell::new());
    let desk = |replies| {
        let (session, analyzer, iopub) = (session.clone(), analyzer.clone(), iopub.clone());
        Desk { session, analyzer, iopub, replies, end: end.clone(), rust: Arc::clone(&rust) }
    };
    let ((shell_out, shell_in), (control_out, control_in)) = (shell.split(), control.split());
    let mut others = JoinSet::new();
    others.spawn(iopub::write(iopub_socket, published, iopub.budget()));
    others.spawn(stdin::serve(stdin_socket, questions));
    others.spawn(beat(heartbeat));
    others.spawn(send(shell_out, to_shell));
    others.spawn(desk(shell_replies).serve(shell_in));
    let control_sent = tokio::spawn(send(control_out, to_control));
    let on_control = tokio::spawn(desk(control_replies).serve(control_in));

    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    // Interrupts come as messages; the signal is meant for the program in the same terminal.
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move { while interrupt.recv().await.is_some() {} });
    tokio::select! {
        _ = ended.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
        () = parent_is_gone() => {}
    }
    session.shut_down();
    on_control.abort();
    // The last replies are on their way while these tasks have something to send.
    let _ = on_control.await;
    let _ = timeout(LAST_WORDS, control_sent).await;
    others.shutdown().await;
    let _ = timeout(LAST_WORDS, gate.close()).await;
    Ok(())
}

async fn parent_is_gone() {
    let parent = std::os::unix::process::parent_id();
    let mut interval = tokio::time::interval(PARENT_CHECK);
    while std::os::unix::process::parent_id() == parent {
        interval.tick().await;
    }
}

/// Sends back whatever comes. A client that sends nonsense, or is gone, is no reason not to do so for the others.
async fn beat(mut heartbeat: KernelHeartbeatConnection) {
    loop {
        if let Ok(beat) = heartbeat.socket.recv().await {
            let _ = heartbeat.socket.send(beat).await;
        }
    }
}

async fn send(mut socket: RouterSendConnection, mut replies: UnboundedReceiver<JupyterMessage>) {
    while let Some(reply) = replies.recv().await {
        if let Err(error) = socket.send(reply).await {
            eprintln!("taper: a reply could not be sent: {error}");
        }
    }
}

/// Answers the requests of one socket.
struct Desk {
    session: Session,
    analyzer: Analyzer,
    iopub: IoPub,
    replies: UnboundedSender<JupyterMessage>,
    end: UnboundedSender<()>,
    rust: Arc<OnceCell<String>>,
}

impl Desk {
    async fn serve(self, mut socket: RouterRecvConnection) {
        loop {
            match message::read(&mut socket).await {
                Ok(Received::Request(request)) => self.handle(request).await,
                Ok(Received::Malformed(request, why)) => {
                    self.answer(&request, ready(replies::malformed(&request, &why))).await;
                }
                // A message that is damaged or wrongly signed is nobody's: there is no one to answer.
                Err(RuntimeError::VerifyError(_)) => {
                    eprintln!("taper: a message with a wrong signature was ignored")
                }
                Err(error) => eprintln!("taper: a damaged message was ignored: {error}"),
            }
        }
    }

    /// Requests that take time go to threads of their own, which report busy and idle themselves.
    async fn handle(&self, request: JupyterMessage) {
        match &request.content {
            Content::ExecuteRequest(content) => {
                self.session.execute(Execute { content: content.clone(), request });
            }
            Content::CompleteRequest(_) | Content::InspectRequest(_) => self.analyzer.ask(request),
            _ => self.answer(&request, self.reply(&request)).await,
        }
    }

    /// Sends a reply, if there is one to that request, between busy and idle.
    async fn answer(&self, request: &JupyterMessage, reply: impl Future<Output = Option<Content>>) {
        self.iopub.publish(iopub::status(ExecutionState::Busy, Some(request)));
        if let Some(reply) = reply.await {
            // The receiver lives as long as the socket.
            let _ = self.replies.send(message(reply, Some(request)));
        }
        self.iopub.publish(iopub::status(ExecutionState::Idle, Some(request)));
        if let Some(cell) = self.session.current() {
            // Clients that go by the latest status must not take the kernel for idle.
            self.iopub.publish(iopub::status(ExecutionState::Busy, Some(&cell)));
        }
        if matches!(request.content, Content::ShutdownRequest(_)) {
            let _ = self.end.send(());
        }
    }

    async fn reply(&self, request: &JupyterMessage) -> Option<Content> {
        Some(match &request.content {
            Content::KernelInfoRequest(_) => {
                replies::kernel_info(self.rust.get_or_init(replies::rust_version).await)
            }
            Content::IsCompleteRequest(content) => replies::is_complete(&content.code).into(),
            Content::HistoryRequest(content) => history::select(&self.session.log(), content).into(),
            // There are no comms, so there is nothing to tell of them.
            Content::CommInfoRequest(_) => replies::comm_info().into(),
            Content::CommOpen(comm) => {
                let close = CommClose { comm_id: comm.comm_id.clone(), data: Default::default() };
                self.iopub.publish(message(close, Some(request)));
                return None;
            }
            Content::InterruptRequest(_) => {
                self.session.interrupt();
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
