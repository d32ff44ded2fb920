//! The kernel's sockets: requests come in on shell and control, and are answered at once or handed to the
//! session. Nothing here waits for a cell.

use crate::analyzer::Analyzer;
use crate::cell::{self, Completeness};
use crate::evaluator::Setting;
use crate::history;
use crate::iopub::{self, IoPub};
use crate::message::{self, JupyterMessage, JupyterMessageContent as Content, message};
use crate::session::{Execute, Session};
use crate::stdin::{self, Stdin};
use anyhow::{Context, Result};
use jupyter_protocol::{
    CodeMirrorMode, CommClose, CommInfoReply, ConnectionInfo, ExecutionState, HelpLink, InterruptReply,
    IsCompleteReply, IsCompleteReplyStatus, KernelInfoReply, LanguageInfo, ReplyStatus, ShutdownReply,
};
use jupyter_zmq_client::{
    KernelHeartbeatConnection, RouterRecvConnection, RouterSendConnection, RuntimeError,
    create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_xpub_connection, create_kernel_shell_connection, create_kernel_stdin_connection,
};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How often to look whether the process that started the kernel is still there.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// Serves until a client asks for shutdown, a signal comes, or the parent process is gone.
pub async fn serve(connection: &ConnectionInfo, setting: Setting) -> Result<()> {
    let id = uuid::Uuid::new_v4().to_string();
    let iopub_socket = create_kernel_iopub_xpub_connection(connection, &id).await.context("iopub socket")?;
    let shell = create_kernel_shell_connection(connection, &id).await.context("shell socket")?;
    let control = create_kernel_control_connection(connection, &id).await.context("control socket")?;
    let stdin_socket = create_kernel_stdin_connection(connection, &id).await.context("stdin socket")?;
    let heartbeat = create_kernel_heartbeat_connection(connection).await.context("heartbeat socket")?;

    let (iopub, published) = IoPub::new();
    let (stdin, questions) = Stdin::new();
    let (shell_replies, to_shell) = unbounded_channel();
    let (control_replies, to_control) = unbounded_channel();
    let (end, mut ended) = unbounded_channel();
    iopub.publish(iopub::status(ExecutionState::Starting, None));

    let (folder, own_variables) = (setting.folder.join("analyzer"), setting.own_variables.clone());
    let session = Session::start(setting, iopub.clone(), shell_replies.clone(), stdin);
    let analyzer =
        Analyzer::new(folder, own_variables, session.clone(), iopub.clone(), shell_replies.clone());
    let desk = |replies| {
        let (session, analyzer, iopub) = (session.clone(), analyzer.clone(), iopub.clone());
        Desk { session, analyzer, iopub, replies, end: end.clone() }
    };
    let ((shell_out, shell_in), (control_out, control_in)) = (shell.split(), control.split());
    tokio::spawn(iopub::write(iopub_socket, published, iopub.budget()));
    tokio::spawn(stdin::serve(stdin_socket, questions));
    tokio::spawn(beat(heartbeat));
    tokio::spawn(send(shell_out, to_shell));
    let control_sent = tokio::spawn(send(control_out, to_control));
    let on_shell = tokio::spawn(desk(shell_replies).serve(shell_in));
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
    on_shell.abort();
    on_control.abort();
    // The last replies are on their way while these tasks have something to send.
    let _ = on_control.await;
    let _ = tokio::time::timeout(Duration::from_secs(1), control_sent).await;
    Ok(())
}

async fn parent_is_gone() {
    let parent = std::os::unix::process::parent_id();
    let mut interval = tokio::time::interval(PARENT_CHECK);
    while std::os::unix::process::parent_id() == parent {
        interval.tick().await;
    }
}

async fn beat(mut heartbeat: KernelHeartbeatConnection) {
    while heartbeat.single_heartbeat().await.is_ok() {}
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
}

impl Desk {
    async fn serve(self, mut socket: RouterRecvConnection) {
        loop {
            match socket.read().await {
                Ok(request) => self.handle(request).await,
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
            _ => self.answer(request).await,
        }
    }

    async fn answer(&self, request: JupyterMessage) {
        self.iopub.publish(iopub::status(ExecutionState::Busy, Some(&request)));
        let mut last = false;
        let reply: Option<Content> = match &request.content {
            Content::KernelInfoRequest(_) => Some(kernel_info().into()),
            Content::IsCompleteRequest(content) => Some(is_complete(&content.code).into()),
            Content::HistoryRequest(content) => Some(history::select(&self.session.log(), content).into()),
            // There are no comms, so there is nothing to tell of them.
            Content::CommInfoRequest(_) => Some(comm_info().into()),
            Content::CommOpen(comm) => {
                let close = CommClose { comm_id: comm.comm_id.clone(), data: Default::default() };
                self.iopub.publish(message(close, Some(&request)));
                None
            }
            Content::InterruptRequest(_) => {
                self.session.interrupt();
                Some(InterruptReply { status: ReplyStatus::Ok, error: None }.into())
            }
            Content::ShutdownRequest(content) => {
                last = true;
                Some(ShutdownReply { restart: content.restart, status: ReplyStatus::Ok, error: None }.into())
            }
            _ => None,
        };
        if let Some(reply) = reply {
            // The receiver lives as long as the socket.
            let _ = self.replies.send(message(reply, Some(&request)));
        }
        self.iopub.publish(iopub::status(ExecutionState::Idle, Some(&request)));
        if let Some(cell) = self.session.current() {
            // Clients that go by the latest status must not take the kernel for idle.
            self.iopub.publish(iopub::status(ExecutionState::Busy, Some(&cell)));
        }
        if last {
            let _ = self.end.send(());
        }
    }
}

fn kernel_info() -> KernelInfoReply {
    let link = |text: &str, url: &str| HelpLink { text: text.into(), url: url.into() };
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: message::PROTOCOL.into(),
        implementation: "taper".into(),
        implementation_version: env!("CARGO_PKG_VERSION").into(),
        language_info: LanguageInfo {
            name: "rust".into(),
            version: env!("CARGO_PKG_RUST_VERSION").into(),
            mimetype: Some("text/rust".into()),
            file_extension: Some(".rs".into()),
            pygments_lexer: Some("rust".into()),
            codemirror_mode: Some(CodeMirrorMode::Simple("rust".into())),
            nbconvert_exporter: Some("script".into()),
        },
        banner: format!("taper {}: Rust, warm", env!("CARGO_PKG_VERSION")),
        help_links: vec![
            link("The Rust Programming Language", "https://doc.rust-lang.org/book/"),
            link("Standard library", "https://doc.rust-lang.org/std/"),
            link("Candle", "https://docs.rs/candle-core"),
            link("evcxr", "https://github.com/evcxr/evcxr/blob/main/COMMON.md"),
        ],
        debugger: false,
        error: None,
    }
}

fn is_complete(code: &str) -> IsCompleteReply {
    let (status, indent) = match cell::completeness(code) {
        Completeness::Complete => (IsCompleteReplyStatus::Complete, String::new()),
        Completeness::Incomplete(indent) => (IsCompleteReplyStatus::Incomplete, indent),
        Completeness::Invalid => (IsCompleteReplyStatus::Invalid, String::new()),
    };
    IsCompleteReply { status, indent }
}

fn comm_info() -> CommInfoReply {
    CommInfoReply { status: ReplyStatus::Ok, comms: Default::default(), error: None }
}
