//! Messages as they are on the wire, with what the library's types do not hold.

use crate::client::Client;
use jupyter_protocol::{JupyterMessage, UnknownMessage};
use jupyter_zmq_client::{Connection, RawMessage};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend};

/// A message that has come.
#[derive(Debug)]
pub struct Message {
    /// The topic on IOPub.
    pub topic: String,
    pub header: Value,
    pub parent: Value,
    pub metadata: Value,
    pub content: Value,
}

impl Message {
    pub fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap()
    }

    pub fn is_idle(&self) -> bool {
        self.content["execution_state"] == "idle"
    }
}

/// The next message of a socket, whose signature is right.
pub async fn read<S: SocketRecv + zeromq::Socket>(connection: &mut Connection<S>) -> Message {
    let received =
        timeout(Duration::from_secs(60), connection.socket.recv()).await.expect("no message comes");
    let raw = RawMessage::from_multipart(received.unwrap(), &connection.mac).unwrap();
    let part = |index: usize| serde_json::from_slice(&raw.jparts[index]).unwrap();
    let topic = raw.zmq_identities.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    Message { topic, header: part(0), parent: part(1), metadata: part(2), content: part(3) }
}

/// Sends a message, of whatever type and content; returns its header.
pub async fn send<S: SocketSend + zeromq::Socket>(
    connection: &mut Connection<S>,
    kind: &str,
    content: Value,
) -> Value {
    let message = JupyterMessage::new(UnknownMessage { msg_type: kind.to_owned(), content }, None)
        .with_session(&connection.session_id);
    let header = serde_json::to_value(&message.header).unwrap();
    connection.send(message).await.unwrap();
    header
}

/// Sends a request through the shell socket; returns its reply and what is published on its behalf.
pub async fn exchange(kernel: &mut Client, kind: &str, content: Value) -> (Message, Vec<Message>) {
    let header = send(&mut kernel.shell, kind, content).await;
    let published = published(kernel, &header).await;
    let reply = read(&mut kernel.shell).await;
    assert_eq!(reply.parent, header);
    (reply, published)
}

/// The content of the reply to a request through the shell socket.
pub async fn ask(kernel: &mut Client, kind: &str, content: Value) -> Value {
    exchange(kernel, kind, content).await.0.content
}

/// What is published on behalf of a request, from busy to idle.
pub async fn published(kernel: &mut Client, request: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let message = read(&mut kernel.iopub).await;
        if message.parent == *request {
            let idle = message.is_idle();
            messages.push(message);
            if idle {
                return messages;
            }
        }
    }
}

/// The types of messages, or the states that they tell.
pub fn kinds(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.content["execution_state"].as_str().unwrap_or(message.kind()))
        .collect()
}
