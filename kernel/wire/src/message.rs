//! Messages of the Jupyter protocol: how the kernel creates them, and how it reads those of lenient clients.

use jupyter_protocol::ReplyError;
pub use jupyter_protocol::{JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{RawMessage, RouterRecvConnection, RuntimeError};
use serde_json::{Map, Value, json};
use zeromq::SocketRecv;

/// The version of the messaging protocol, <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.
pub const PROTOCOL: &str = "5.4";

/// A message whose parent is `request`, or one without a parent.
pub fn message(
    content: impl Into<JupyterMessageContent>,
    request: Option<&JupyterMessage>,
) -> JupyterMessage {
    let mut message = JupyterMessage::new(content, request);
    message.header.version = PROTOCOL.into();
    message.header.username = "taper".into();
    message
}

/// An error, for replies and for the IOPub channel.
pub fn error(name: &str, message: &str, traceback: Vec<String>) -> ReplyError {
    ReplyError { ename: name.into(), evalue: message.into(), traceback }
}

/// Content with a type or fields that `jupyter-protocol` does not know.
pub fn unknown(msg_type: &str, content: Value) -> JupyterMessageContent {
    JupyterMessageContent::UnknownMessage(jupyter_protocol::UnknownMessage {
        msg_type: msg_type.to_owned(),
        content,
    })
}

/// The content of the reply to a cell that was waiting when an earlier one failed. It has no execution count, because the cell
/// was not counted and JupyterLab would show the number.
pub fn aborted() -> JupyterMessageContent {
    unknown("execute_reply", json!({ "status": "aborted" }))
}

/// A message with a valid signature.
pub(crate) enum Received {
    Request(JupyterMessage),
    /// The content does not match the type, for the reason given.
    Malformed(JupyterMessage, String),
}

/// Reads the next message. Fields may be missing if the protocol has a default for them.
pub(crate) async fn read(socket: &mut RouterRecvConnection) -> Result<Received, RuntimeError> {
    let raw = RawMessage::from_multipart(socket.socket.recv().await?, &socket.mac)?;
    let header: jupyter_protocol::Header = serde_json::from_slice(&raw.jparts[0])?;
    let metadata: Value = serde_json::from_slice(&raw.jparts[2]).unwrap_or_default();
    let content: Value = serde_json::from_slice(&raw.jparts[3])?;
    let parsed = JupyterMessageContent::from_type_and_content(
        &header.msg_type,
        with_defaults(&header.msg_type, content.clone()),
    );
    let request = |content| JupyterMessage {
        zmq_identities: raw.zmq_identities,
        content,
        parent_header: None,
        metadata: metadata.clone(),
        buffers: Vec::new(),
        channel: None,
        header: header.clone(),
    };
    Ok(match parsed {
        Ok(content) => Received::Request(request(content)),
        Err(error) => Received::Malformed(request(unknown(&header.msg_type, content)), error.to_string()),
    })
}

/// Adds the protocol's defaults for fields that are missing or null.
fn with_defaults(msg_type: &str, content: Value) -> Value {
    let defaults = match msg_type {
        "execute_request" => json!({ "silent": false, "store_history": true }),
        "history_request" => json!({
            "output": false, "raw": true, "unique": false, "n": i32::MAX, "session": 0, "start": 0, "stop": 0,
        }),
        "comm_open" | "comm_msg" | "comm_close" => json!({ "data": {} }),
        "shutdown_request" => json!({ "restart": false }),
        _ => return content,
    };
    match (defaults, content) {
        (Value::Object(mut all), Value::Object(given)) => {
            all.extend(given.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>());
            all.into()
        }
        (_, content) => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_missing_or_null_have_the_defaults_of_the_protocol() {
        let given = json!({ "code": "1", "silent": true, "store_history": null });
        let expected = json!({ "code": "1", "silent": true, "store_history": true });
        assert_eq!(with_defaults("execute_request", given), expected);
        assert_eq!(with_defaults("execute_request", json!("no object")), json!("no object"));
        assert_eq!(with_defaults("inspect_request", json!({ "code": null })), json!({ "code": null }));
    }
}
