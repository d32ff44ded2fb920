//! Messages as they are on the wire, with the fields that the types of `jupyter-protocol` leave out. This is for tests of
//! kernels: functions panic when a message does not arrive or is invalid.

use crate::client::Client;
use jupyter_protocol::{Header, JupyterMessage, UnknownMessage};
use jupyter_zmq_client::{Connection, RawMessage};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend};

/// A received message.
#[derive(Debug)]
pub struct Message {
    /// The topic on IOPub.
    pub topic: String,
    /// The header: id, session, type and so on.
    pub header: Value,
    /// The header of the request, or an empty object.
    pub parent: Value,
    /// The metadata, which is usually an empty object.
    pub metadata: Value,
    /// The content, which depends on the type.
    pub content: Value,
}

impl Message {
    /// Its type.
    pub fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap()
    }

    /// Whether it is the `idle` status of its request.
    pub fn is_idle(&self) -> bool {
        self.content["execution_state"] == "idle"
    }
}

/// Reads the next message of a socket, and checks its signature.
pub async fn read<S: SocketRecv + zeromq::Socket>(connection: &mut Connection<S>) -> Message {
    let received =
        timeout(Duration::from_secs(60), connection.socket.recv()).await.expect("a message arrives");
    let raw = RawMessage::from_multipart(received.unwrap(), &connection.mac).unwrap();
    let part = |index: usize| serde_json::from_slice(&raw.jparts[index]).unwrap();
    let topic = raw.zmq_identities.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    Message { topic, header: part(0), parent: part(1), metadata: part(2), content: part(3) }
}

/// Sends a message with any type and content. Returns its header.
pub async fn send<S: SocketSend + zeromq::Socket>(
    connection: &mut Connection<S>,
    kind: &str,
    content: Value,
) -> Value {
    send_message(connection, kind, content, None).await
}

/// As [`send`], with `question` as the parent.
pub async fn send_answer<S: SocketSend + zeromq::Socket>(
    connection: &mut Connection<S>,
    question: &Message,
    kind: &str,
    content: Value,
) -> Value {
    let parent = serde_json::from_value(question.header.clone()).unwrap();
    send_message(connection, kind, content, Some(parent)).await
}

async fn send_message<S: SocketSend + zeromq::Socket>(
    connection: &mut Connection<S>,
    kind: &str,
    content: Value,
    parent_header: Option<Header>,
) -> Value {
    let message = JupyterMessage::new(UnknownMessage { msg_type: kind.to_owned(), content }, None);
    let message = JupyterMessage { parent_header, ..message }.with_session(&connection.session_id);
    let header = serde_json::to_value(&message.header).unwrap();
    connection.send(message).await.unwrap();
    header
}

/// Sends a request on the shell socket. Returns the reply, and the IOPub messages of the request.
pub async fn exchange(kernel: &mut Client, kind: &str, content: Value) -> (Message, Vec<Message>) {
    let header = send(&mut kernel.shell, kind, content).await;
    let published = published(kernel, &header).await;
    let reply = read(&mut kernel.shell).await;
    assert_eq!(reply.parent, header);
    (reply, published)
}

/// Sends a request on the shell socket. Returns the content of the reply.
pub async fn ask(kernel: &mut Client, kind: &str, content: Value) -> Value {
    exchange(kernel, kind, content).await.0.content
}

/// The IOPub messages of a request, from `busy` to `idle`.
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

/// The types of messages; of status messages the states.
pub fn kinds(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.content["execution_state"].as_str().unwrap_or(message.kind()))
        .collect()
}
