//! Between clients and the kernel's sockets: lets everything through but messages that are too large.
//!
//! The ZeroMQ library makes room for a message as soon as its length is announced, and ends the process when there is no
//! such room. Any program of this machine may announce a length, for signatures come with the message; the user's variables
//! would be lost. So it is here that the kernel listens, and the sockets behind it are in a folder that is the user's alone.
//! How messages are framed: <https://rfc.zeromq.org/spec/23/>.

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

/// How many bytes a message of a client may have.
const LARGEST: u64 = 256 << 20;
/// What a connection begins with.
const GREETING: u64 = 64;
/// How long to wait when a connection cannot be accepted, as when there are too many.
const PAUSE: Duration = Duration::from_millis(100);

/// The bits of the byte before each frame.
const MORE: u8 = 1;
const LONG: u8 = 2;

/// Listens where a connection file says.
pub struct Gate {
    /// Where the sockets are to be that answer.
    pub behind: ConnectionInfo,
    /// With the socket behind each.
    listeners: Vec<(TcpListener, PathBuf)>,
    accepting: JoinSet<()>,
    /// Whether the connections are to end; they listen to it as long as they are there.
    closing: watch::Sender<bool>,
    _folder: File,
}

impl Gate {
    /// Listens where `connection` says. The sockets behind it are to be in `folder`.
    pub async fn open(connection: &ConnectionInfo, folder: &Path) -> Result<Self> {
        let opened = File::open(folder)?;
        let mut behind = connection.clone();
        let mut listeners = Vec::new();
        // Sockets that are files are guarded by the permissions of their folder.
        if connection.transport == Transport::TCP {
            behind.transport = Transport::IPC;
            // Never the same name: a socket removes its file some time after it has been closed, and the number of its folder
            // may be that of another kernel's folder by then.
            let name = &Uuid::new_v4().simple().to_string()[..8];
            behind.ip = short(folder, &opened).join(name).display().to_string();
            let ports = [
                &mut behind.shell_port,
                &mut behind.iopub_port,
                &mut behind.stdin_port,
                &mut behind.control_port,
                &mut behind.hb_port,
            ];
            for (number, port) in (1..).zip(ports) {
                let (ip, port) = (connection.ip.as_str(), std::mem::replace(port, number));
                let listener = TcpListener::bind((ip, port)).await;
                let listener = listener.with_context(|| format!("cannot listen at {ip}:{port}"))?;
                listeners.push((listener, format!("{}-{number}", behind.ip).into()));
            }
        }
        let (accepting, closing) = (JoinSet::new(), watch::Sender::new(false));
        Ok(Self { behind, listeners, accepting, closing, _folder: opened })
    }

    /// Lets clients in, who have had to wait until now: there must be the sockets.
    pub fn let_in(&mut self) {
        for (listener, socket) in self.listeners.drain(..) {
            self.accepting.spawn(accept(listener, socket, self.closing.subscribe()));
        }
    }

    /// Ends the connections, when all that the kernel has sent has gone on.
    pub async fn close(mut self) {
        self.accepting.shutdown().await;
        self.closing.send_replace(true);
        self.closing.closed().await;
    }
}

/// A name of the folder for the name of a socket in it, which can hold a hundred bytes or so.
fn short(folder: &Path, opened: &File) -> PathBuf {
    match cfg!(target_os = "linux") {
        true => format!("/proc/self/fd/{}", opened.as_raw_fd()).into(),
        false => folder.to_owned(),
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, closes: watch::Receiver<bool>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let (socket, closes) = (socket.clone(), closes.clone());
                // However it ends, it concerns this client alone.
                tokio::spawn(async move { connect(client, &socket, closes).await.ok() });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Passes on what a client and the kernel have to say, until one of them ends.
async fn connect(client: TcpStream, socket: &Path, closes: watch::Receiver<bool>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_kernel, to_kernel) = UnixStream::connect(socket).await?.into_split();
    tokio::select! {
        ended = check(from_client, to_kernel) => ended,
        ended = pass_on(from_kernel, to_client, closes) => ended,
    }
}

/// Passes on what the kernel says, until it ends, or nothing is left when the gate closes.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut closes: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read?,
            // The runtime may not have noticed yet what has just come.
            _ = closes.wait_for(|closes| *closes) => rustix::io::read(from.as_ref(), &mut buffer).unwrap_or(0),
        };
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Passes on a client's messages; fails when one is too large.
async fn check(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
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

    /// Whether what is sent after the greeting passes, up to a frame of which no more than its length has come.
    async fn passes(frames: &[u8]) -> bool {
        let sent = [&[0; GREETING as usize], frames].concat();
        let mut passed = Vec::new();
        check(&sent[..], &mut passed).await.is_ok() && passed == sent
    }

    #[tokio::test]
    async fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
        let long = |more: u8, length: u64| [&[LONG | more][..], &length.to_be_bytes()].concat();
        assert!(passes(&long(0, LARGEST)).await);
        assert!(!passes(&long(0, LARGEST + 1)).await);
        assert!(!passes(&long(0, u64::MAX)).await);
        // All parts of a message count, those of another one do not.
        let [part, last] = [[MORE, 2, 7, 7], [0, 2, 7, 7]];
        assert!(passes(&[&part[..], &long(0, LARGEST - 2)].concat()).await);
        assert!(!passes(&[&part[..], &long(0, LARGEST - 1)].concat()).await);
        assert!(passes(&[&part[..], &last, &long(0, LARGEST)].concat()).await);
        assert!(!passes(&[&long(MORE, u64::MAX - 1)[..], &long(0, u64::MAX - 1)].concat()).await);
    }
}
