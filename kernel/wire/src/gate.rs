//! A proxy between clients and the kernel's sockets that refuses messages that are too large.
//!
//! The ZeroMQ library allocates a message as soon as its length is announced, and the process aborts if there is not enough
//! memory. Any program on this machine can announce a length, because the signature is checked only once the message is
//! complete, and the user's variables would be lost. So the gate listens at the kernel's ports, and the sockets of the library
//! are Unix sockets in a folder that only the user can access. The framing of messages: <https://rfc.zeromq.org/spec/23/>.

use anyhow::{Context, Result};
use jupyter_protocol::{ConnectionInfo, Transport};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream, UnixStream, tcp::OwnedWriteHalf, unix::OwnedReadHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The largest message that a client may send, in bytes.
const LARGEST: u64 = 256 << 20;
/// The length of the greeting that a connection starts with, in bytes.
const GREETING: u64 = 64;
/// How long to wait when a connection cannot be accepted, for example because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// The flags in the first byte of each frame.
/// Another frame of the same message follows.
const MORE: u8 = 1;
/// The length has eight bytes rather than one.
const LONG: u8 = 2;

/// Listens at the addresses of a connection file.
pub struct Gate {
    /// The addresses at which the sockets of the kernel must be bound.
    pub inner: ConnectionInfo,
    /// The listeners, each with the path of the kernel's socket that it passes connections on to.
    listeners: Vec<(TcpListener, PathBuf)>,
    accepting: JoinSet<()>,
    /// Tells the connections to end. Each holds a receiver until it has ended.
    closing: watch::Sender<bool>,
    /// Keeps the file descriptor open that the paths of the sockets contain.
    _folder: File,
}

impl Gate {
    /// Listens at the addresses of `connection`. The kernel's sockets will be in `folder`.
    pub async fn open(connection: &ConnectionInfo, folder: &Path) -> Result<Self> {
        let opened = File::open(folder)?;
        let mut inner = connection.clone();
        let mut listeners = Vec::new();
        // Over IPC, the sockets are files, and the permissions of their folder protect them.
        if connection.transport == Transport::TCP {
            inner.transport = Transport::IPC;
            // The names are unique: a socket removes its file some time after it was closed, and by then the number of the
            // file descriptor may lead to the folder of another kernel.
            let name = &Uuid::new_v4().simple().to_string()[..8];
            inner.ip = short_path(folder, &opened).join(name).display().to_string();
            let ports = [
                &mut inner.shell_port,
                &mut inner.iopub_port,
                &mut inner.stdin_port,
                &mut inner.control_port,
                &mut inner.hb_port,
            ];
            for (number, port) in (1..).zip(ports) {
                let (ip, port) = (connection.ip.as_str(), std::mem::replace(port, number));
                let listener = TcpListener::bind((ip, port)).await;
                let listener = listener.with_context(|| format!("cannot listen on {ip}:{port}"))?;
                listeners.push((listener, format!("{}-{number}", inner.ip).into()));
            }
        }
        let (accepting, closing) = (JoinSet::new(), watch::Sender::new(false));
        Ok(Self { inner, listeners, accepting, closing, _folder: opened })
    }

    /// Starts to accept clients, once the kernel's sockets are bound. Until then, they wait in the queues of the listeners.
    pub fn start_accepting(&mut self) {
        for (listener, socket) in self.listeners.drain(..) {
            self.accepting.spawn(accept(listener, socket, self.closing.subscribe()));
        }
    }

    /// Ends the connections after everything that the kernel has sent was passed on.
    pub async fn close(mut self) {
        self.accepting.shutdown().await;
        self.closing.send_replace(true);
        self.closing.closed().await;
    }
}

/// A short path of the folder, because the path of a Unix socket can have only about a hundred bytes.
fn short_path(folder: &Path, opened: &File) -> PathBuf {
    match cfg!(target_os = "linux") {
        true => format!("/proc/self/fd/{}", opened.as_raw_fd()).into(),
        false => folder.to_owned(),
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, closing: watch::Receiver<bool>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let (socket, closing) = (socket.clone(), closing.clone());
                // An error ends only the connection of this client.
                tokio::spawn(async move { connect(client, &socket, closing).await.ok() });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Passes messages on in both directions until the client or the kernel ends the connection.
async fn connect(client: TcpStream, socket: &Path, closing: watch::Receiver<bool>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_kernel, to_kernel) = UnixStream::connect(socket).await?.into_split();
    tokio::select! {
        ended = check_and_pass_on(from_client, to_kernel) => ended,
        ended = pass_on(from_kernel, to_client, closing) => ended,
    }
}

/// Passes on what the kernel sends, until it ends, or until nothing is left when the gate closes.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read?,
            // The runtime may not yet have noticed bytes that have just arrived.
            _ = closing.wait_for(|closing| *closing) => rustix::io::read(from.as_ref(), &mut buffer).unwrap_or(0),
        };
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Passes on a client's messages. Fails when one is too large.
async fn check_and_pass_on(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut from = BufReader::new(from);
    copy(&mut (&mut from).take(GREETING), &mut to).await?;
    let mut message = 0;
    loop {
        let mut header = [0; 9];
        from.read_exact(&mut header[..1]).await?;
        let end = if header[0] & LONG == 0 { 2 } else { 9 };
        from.read_exact(&mut header[1..end]).await?;
        let length = header[1..end].iter().fold(0, |length, byte| (length << 8) | u64::from(*byte));
        message += length.min(LARGEST + 1);
        if message > LARGEST {
            return Err(io::Error::other("the message is too large"));
        }
        to.write_all(&header[..end]).await?;
        if copy(&mut (&mut from).take(length), &mut to).await? < length {
            return Ok(());
        }
        if header[0] & MORE == 0 {
            message = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these frames are passed on after the greeting. Only the header of the last frame needs to be there.
    async fn passes(frames: &[u8]) -> bool {
        let sent = [&[0; GREETING as usize], frames].concat();
        let mut passed = Vec::new();
        check_and_pass_on(&sent[..], &mut passed).await.is_ok() && passed == sent
    }

    #[tokio::test]
    async fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
        let long = |more: u8, length: u64| [&[LONG | more][..], &length.to_be_bytes()].concat();
        assert!(passes(&long(0, LARGEST)).await);
        assert!(!passes(&long(0, LARGEST + 1)).await);
        assert!(!passes(&long(0, u64::MAX)).await);
        // All frames of a message count together, but not those of another message.
        let [part, last] = [[MORE, 2, 7, 7], [0, 2, 7, 7]];
        assert!(passes(&[&part[..], &long(0, LARGEST - 2)].concat()).await);
        assert!(!passes(&[&part[..], &long(0, LARGEST - 1)].concat()).await);
        assert!(passes(&[&part[..], &last, &long(0, LARGEST)].concat()).await);
        assert!(!passes(&[&long(MORE, u64::MAX - 1)[..], &long(0, u64::MAX - 1)].concat()).await);
    }
}
