//! A client of the protocol: starts a kernel and talks to it, for `taper run` and for tests.

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
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a kernel may take to start answering, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look whether the kernel's process has started to listen, or has ended.
const POLL: Duration = Duration::from_millis(5);
/// How often to look whether the kernel's process is alive while waiting for a message.
const LIVENESS_CHECK: Duration = Duration::from_millis(200);
/// How often to try to start a kernel when another program takes one of its ports.
const ATTEMPTS: usize = 3;

/// The sockets to a kernel, and its process.
pub struct Client {
    /// The kernel, if it was started by this client.
    process: Option<Child>,
    /// The addresses that it listens on.
    pub connection: ConnectionInfo,
    /// Requests and their replies.
    pub shell: ClientShellConnection,
    /// What the kernel publishes to all clients.
    pub iopub: ClientIoPubConnection,
    /// Requests that must not wait behind others, such as interrupts, and their replies.
    pub control: ClientControlConnection,
    /// Questions to the user and their answers.
    pub stdin: ClientStdinConnection,
}

impl Client {
    /// Starts `command`, a kernel that takes the path of its connection file as its last argument, and waits until it
    /// answers.
    ///
    /// # Errors
    ///
    /// The kernel cannot be started, ends at once, or does not answer within a minute.
    pub async fn start(command: &mut Command) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a folder for the connection file")?;
        let file = folder.path().join("connection.json");
        command.arg(&file).stdin(Stdio::null());
        let mut attempts = 0;
        loop {
            let connection = free_connection().await?;
            write_connection(&file, &connection)?;
            let started = Self::start_once(command, connection.clone()).await;
            attempts += 1;
            // Another program may take a port before the kernel does.
            if started.is_ok() || attempts == ATTEMPTS || ports_are_free(&connection) {
                return started;
            }
        }
    }

    async fn start_once(command: &mut Command, connection: ConnectionInfo) -> Result<Self> {
        let mut process = command.spawn().context("cannot start the kernel")?;
        match Self::connect_to_process(&mut process, connection).await {
            Ok(client) => Ok(Self { process: Some(process), ..client }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error)
            }
        }
    }

    /// Connects to a kernel as soon as it listens, and waits until it answers.
    async fn connect_to_process(process: &mut Child, connection: ConnectionInfo) -> Result<Self> {
        let opened = async {
            // The kernel binds its sockets one after the other; the last one is the heartbeat.
            while TcpStream::connect((connection.ip.as_str(), connection.hb_port)).await.is_err() {
                still_runs(process)?;
                tokio::time::sleep(POLL).await;
            }
            Self::open(connection).await
        };
        let mut client =
            timeout(PATIENCE, opened).await.context("the kernel does not listen on its ports")??;
        client.wait_until_ready(Some(process)).await?;
        Ok(client)
    }

    /// Opens the sockets to a kernel.
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

    /// Connects to a kernel that already listens, and waits until it answers.
    ///
    /// # Errors
    ///
    /// No kernel answers within a minute.
    pub async fn connect(connection: ConnectionInfo) -> Result<Self> {
        let mut client = Self::open(connection).await?;
        client.wait_until_ready(None).await?;
        Ok(client)
    }

    /// Waits until the kernel answers requests and their status messages arrive. IOPub messages are lost until the kernel
    /// knows of the subscription, and not every kernel says so by an `iopub_welcome`.
    async fn wait_until_ready(&mut self, mut process: Option<&mut Child>) -> Result<()> {
        let ready = async {
            loop {
                let id = self.send(KernelInfoRequest {}).await?;
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
    /// If this client has [connected](Self::connect) to a running kernel rather than started one.
    pub fn process(&mut self) -> &mut Child {
        self.process.as_mut().expect("this client started the kernel")
    }

    /// Asks the kernel to run code. Returns the id of the request.
    pub async fn execute(&mut self, code: &str) -> Result<String> {
        self.send(ExecuteRequest::new(code.to_owned())).await
    }

    /// Asks the kernel to run code that may ask the user for input. Returns the id of the request.
    pub async fn ask_and_execute(&mut self, code: &str) -> Result<String> {
        self.send(ExecuteRequest { allow_stdin: true, ..ExecuteRequest::new(code.to_owned()) }).await
    }

    /// Sends a request on the shell socket. Returns its id.
    async fn send(&mut self, request: impl Into<Content>) -> Result<String> {
        let request = JupyterMessage::new(request, None);
        let id = request.header.msg_id.clone();
        self.shell.send(request).await?;
        Ok(id)
    }

    /// Calls `handle` for each IOPub message that belongs to the request, up to and including its idle status.
    ///
    /// # Errors
    ///
    /// The kernel has died, or `handle` fails.
    pub async fn until_idle(
        &mut self,
        id: &str,
        mut handle: impl FnMut(&JupyterMessage) -> Result<()>,
    ) -> Result<()> {
        loop {
            let message = while_alive(&mut self.process, self.iopub.read()).await?;
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

    /// Waits for the reply to a request on the shell socket.
    ///
    /// # Errors
    ///
    /// The kernel has died.
    pub async fn reply_to(&mut self, id: &str) -> Result<JupyterMessage> {
        loop {
            let reply = while_alive(&mut self.process, self.shell.read()).await?;
            if reply.parent_header.as_ref().is_some_and(|parent| parent.msg_id == id) {
                return Ok(reply);
            }
        }
    }

    /// Runs code, and calls `handle` for each IOPub message that belongs to it. Returns whether the code succeeded.
    ///
    /// # Errors
    ///
    /// The kernel has died, or `handle` fails.
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

    /// Asks the kernel to end, and waits until its process has ended.
    ///
    /// # Errors
    ///
    /// The kernel has not ended within a minute, and was killed.
    pub async fn shut_down(mut self) -> Result<()> {
        self.control.send(JupyterMessage::new(ShutdownRequest { restart: false }, None)).await?;
        // The process ends a moment after the reply, or without one.
        let _ = timeout(PATIENCE, while_alive(&mut self.process, self.control.read())).await;
        let Some(mut process) = self.process else { return Ok(()) };
        let ended = timeout(PATIENCE, async {
            while process.try_wait()?.is_none() {
                tokio::time::sleep(POLL).await;
            }
            anyhow::Ok(())
        });
        match ended.await {
            Ok(ended) => ended,
            Err(_) => {
                process.kill()?;
                process.wait()?;
                bail!("the kernel did not end when it was asked to, so it was killed")
            }
        }
    }
}

/// Waits for a message as long as the kernel's process is alive. The sockets do not tell when it has died.
async fn while_alive<E>(
    process: &mut Option<Child>,
    message: impl Future<Output = Result<JupyterMessage, E>>,
) -> Result<JupyterMessage>
where
    anyhow::Error: From<E>,
{
    let mut message = pin!(message);
    let mut ended = None;
    loop {
        if let Ok(message) = timeout(LIVENESS_CHECK, message.as_mut()).await {
            return Ok(message?);
        }
        // What the kernel sent before it died may still arrive, so it is waited for once more.
        if let Some(status) = ended {
            bail!("the kernel has died ({status})");
        }
        if let Some(process) = process {
            ended = process.try_wait()?;
        }
    }
}

/// Free ports on this machine, and a new key.
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
    // The file contains the key, so only its owner may read it.
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
        Some(status) => bail!("the kernel ended during its start ({status})"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_zmq_client::{
        create_kernel_control_connection, create_kernel_iopub_xpub_connection,
        create_kernel_shell_connection, create_kernel_stdin_connection,
    };
    use std::future::poll_fn;
    use std::task::Poll;

    fn ended_process() -> Child {
        let mut process = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        process.wait().unwrap();
        process
    }

    #[tokio::test]
    async fn waiting_for_a_kernel_that_has_died_is_an_error() {
        let connection = free_connection().await.unwrap();
        // The sockets of a kernel, which nobody answers.
        let _iopub = create_kernel_iopub_xpub_connection(&connection, "kernel").await.unwrap();
        let _shell = create_kernel_shell_connection(&connection, "kernel").await.unwrap();
        let _control = create_kernel_control_connection(&connection, "kernel").await.unwrap();
        let _stdin = create_kernel_stdin_connection(&connection, "kernel").await.unwrap();
        let mut client = Client::open(connection).await.unwrap();
        client.process = Some(ended_process());
        let died = "the kernel has died (exit status: 3)";
        assert_eq!(client.reply_to("request").await.unwrap_err().to_string(), died);
        assert_eq!(client.until_idle("request", |_| Ok(())).await.unwrap_err().to_string(), died);
        client.shut_down().await.unwrap();
    }

    #[tokio::test]
    async fn a_message_that_arrives_after_the_kernel_has_died_is_received() {
        // Waiting polls twice, at its start and at its end, before it finds that the process has ended.
        let mut polls = 0;
        let message = poll_fn(|_| {
            polls += 1;
            match polls > 2 {
                true => Poll::Ready(anyhow::Ok(JupyterMessage::new(KernelInfoRequest {}, None))),
                false => Poll::Pending,
            }
        });
        assert!(while_alive(&mut Some(ended_process()), message).await.is_ok());
    }
}
