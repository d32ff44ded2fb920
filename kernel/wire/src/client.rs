//! The other side of the protocol: starts a kernel and talks to it, for the notebook runner and the tests.

use anyhow::{Context, Result, bail};
use jupyter_protocol::{
    ConnectionInfo, ExecuteRequest, JupyterMessage, JupyterMessageContent as Content, KernelInfoRequest,
    ReplyStatus, ShutdownRequest, Transport,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, ClientShellConnection, ClientStdinConnection,
    create_client_control_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, create_client_stdin_connection_with_identity,
    peek_ports_with_listeners, peer_identity_for_session,
};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a kernel may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a kernel is started when its ports are taken.
const TRIES: usize = 3;

/// The sockets to a kernel, and its process.
pub struct Client {
    /// The kernel, if it was started by this client.
    process: Option<Child>,
    /// Where it listens.
    pub connection: ConnectionInfo,
    /// Requests and their replies.
    pub shell: ClientShellConnection,
    /// What the kernel tells all clients.
    pub iopub: ClientIoPubConnection,
    /// As `shell`, for what must not wait behind other requests.
    pub control: ClientControlConnection,
    /// Questions to the user and their answers.
    pub stdin: ClientStdinConnection,
}

impl Client {
    /// Starts `command`, a kernel that wants the path of its connection file as last argument, and waits until it
    /// answers.
    pub async fn start(command: &mut Command) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the connection file")?;
        let file = folder.path().join("connection.json");
        command.arg(&file).stdin(Stdio::null());
        let mut tries = 0;
        loop {
            let connection = free_connection().await?;
            write_connection(&file, &connection)?;
            let started = Self::start_once(command, connection.clone()).await;
            tries += 1;
            // Another program may take a port before the kernel does.
            if started.is_ok() || tries == TRIES || ports_are_free(&connection) {
                return started;
            }
        }
    }

    async fn start_once(command: &mut Command, connection: ConnectionInfo) -> Result<Self> {
        let mut process = command.spawn().context("cannot start the kernel")?;
        match Self::meet(&mut process, connection).await {
            Ok(client) => Ok(Self { process: Some(process), ..client }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error)
            }
        }
    }

    /// Connects to a kernel as soon as it listens, and waits until it answers.
    async fn meet(process: &mut Child, connection: ConnectionInfo) -> Result<Self> {
        let met = async {
            // The kernel binds its sockets one after the other; the last one is the heartbeat.
            while TcpStream::connect((connection.ip.as_str(), connection.hb_port)).await.is_err() {
                still_runs(process)?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Self::open(connection).await
        };
        let mut client = timeout(PATIENCE, met).await.context("the kernel does not listen")??;
        client.wait_until_ready(Some(process)).await?;
        Ok(client)
    }

    async fn open(connection: ConnectionInfo) -> Result<Self> {
        let session = uuid::Uuid::new_v4().to_string();
        let identity = peer_identity_for_session(&session)?;
        let shell = create_client_shell_connection_with_identity(&connection, &session, identity.clone());
        let shell = shell.await?;
        let iopub = create_client_iopub_connection(&connection, "", &session).await?;
        let control = create_client_control_connection(&connection, &session).await?;
        let stdin = create_client_stdin_connection_with_identity(&connection, &session, identity).await?;
        Ok(Self { process: None, connection, shell, iopub, control, stdin })
    }

    /// Talks to a kernel that listens already, and waits until it answers.
    pub async fn connect(connection: ConnectionInfo) -> Result<Self> {
        let mut client = Self::open(connection).await?;
        client.wait_until_ready(None).await?;
        Ok(client)
    }

    /// Waits until requests are answered and their status messages arrive: not every kernel welcomes subscribers, and
    /// until the subscription is known there, messages are lost.
    async fn wait_until_ready(&mut self, mut process: Option<&mut Child>) -> Result<()> {
        let ready = async {
            loop {
                let request = JupyterMessage::new(KernelInfoRequest {}, None);
                let id = request.header.msg_id.clone();
                self.shell.send(request).await?;
                while let Err(_late) = timeout(Duration::from_secs(1), self.reply_to(&id)).await {
                    process.as_deref_mut().map_or(Ok(()), still_runs)?;
                }
                let idle = self.until_idle(&id, |_| Ok(()));
                if let Ok(heard) = timeout(Duration::from_millis(100), idle).await {
                    return heard;
                }
            }
        };
        timeout(PATIENCE, ready).await.context("the kernel does not answer")?
    }

    /// The kernel's process.
    ///
    /// # Panics
    ///
    /// If this client has only [connected](Self::connect) to the kernel.
    pub fn process(&mut self) -> &mut Child {
        self.process.as_mut().expect("this client has started the kernel")
    }

    /// Sends code to be run and returns the id of the request.
    pub async fn execute(&mut self, code: &str) -> Result<String> {
        let request = JupyterMessage::new(ExecuteRequest::new(code.to_owned()), None);
        let id = request.header.msg_id.clone();
        self.shell.send(request).await?;
        Ok(id)
    }

    /// As [`execute`](Self::execute), for code that may ask the user.
    pub async fn ask_and_execute(&mut self, code: &str) -> Result<String> {
        let request = ExecuteRequest { allow_stdin: true, ..ExecuteRequest::new(code.to_owned()) };
        let request = JupyterMessage::new(request, None);
        let id = request.header.msg_id.clone();
        self.shell.send(request).await?;
        Ok(id)
    }

    /// Hands the messages that the request leads to, up to its idle status, to `handle`.
    pub async fn until_idle(
        &mut self,
        id: &str,
        mut handle: impl FnMut(&JupyterMessage) -> Result<()>,
    ) -> Result<()> {
        loop {
            let message = self.next_message().await?;
            if message.parent_header.as_ref().is_none_or(|parent| parent.msg_id != id) {
                continue;
            }
            handle(&message)?;
            let is_idle = |status: &jupyter_protocol::Status| {
                status.execution_state == jupyter_protocol::ExecutionState::Idle
            };
            if matches!(&message.content, Content::Status(status) if is_idle(status)) {
                return Ok(());
            }
        }
    }

    /// The next message on IOPub. A kernel that has died sends none.
    async fn next_message(&mut self) -> Result<JupyterMessage> {
        loop {
            if let Ok(message) = timeout(Duration::from_secs(1), self.iopub.read()).await {
                return Ok(message?);
            }
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                bail!("the kernel has died ({status})");
            }
        }
    }

    /// The reply to a request on the shell socket.
    pub async fn reply_to(&mut self, id: &str) -> Result<JupyterMessage> {
        loop {
            let reply = self.shell.read().await?;
            if reply.parent_header.as_ref().is_some_and(|parent| parent.msg_id == id) {
                return Ok(reply);
            }
        }
    }

    /// Runs code; returns whether it succeeded.
    pub async fn run(
        &mut self,
        code: &str,
        handle: impl FnMut(&JupyterMessage) -> Result<()>,
    ) -> Result<bool> {
        let id = self.execute(code).await?;
        self.until_idle(&id, handle).await?;
        let reply = self.reply_to(&id).await?;
        Ok(matches!(reply.content, Content::ExecuteReply(reply) if reply.status == ReplyStatus::Ok))
    }

    /// Asks the kernel to end, and sees to it.
    pub async fn shut_down(mut self) -> Result<()> {
        self.control.send(JupyterMessage::new(ShutdownRequest { restart: false }, None)).await?;
        // Its reply says that it goes; the process is gone a moment later.
        let _ = timeout(PATIENCE, self.control.read()).await;
        if let Some(mut process) = self.process {
            tokio::task::spawn_blocking(move || process.wait()).await??;
        }
        Ok(())
    }
}

/// Free ports of this machine, and a key.
pub async fn free_connection() -> Result<ConnectionInfo> {
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (ports, _listeners) = peek_ports_with_listeners(host, 5).await?;
    Ok(ConnectionInfo {
        ip: host.to_string(),
        transport: Transport::TCP,
        shell_port: ports[0],
        iopub_port: ports[1],
        stdin_port: ports[2],
        control_port: ports[3],
        hb_port: ports[4],
        key: uuid::Uuid::new_v4().to_string(),
        signature_scheme: "hmac-sha256".into(),
        kernel_name: None,
    })
}

fn write_connection(file: &Path, connection: &ConnectionInfo) -> Result<()> {
    // The key in it is a secret, and so is the folder.
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    opened.write_all(serde_json::to_string(connection)?.as_bytes())?;
    Ok(())
}

fn ports_are_free(connection: &ConnectionInfo) -> bool {
    let ConnectionInfo { ip, shell_port, iopub_port, stdin_port, control_port, hb_port, .. } = connection;
    [shell_port, iopub_port, stdin_port, control_port, hb_port]
        .iter()
        .all(|port| TcpListener::bind((ip.as_str(), **port)).is_ok())
}

fn still_runs(process: &mut Child) -> Result<()> {
    match process.try_wait()? {
        Some(status) => bail!("the kernel ended as soon as it was started ({status})"),
        None => Ok(()),
    }
}
