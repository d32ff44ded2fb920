//! Messages of the Jupyter protocol: as this kernel sends them, and as it reads them, which is more leniently.

use jupyter_protocol::ReplyError;
pub use jupyter_protocol::{JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{RawMessage, RouterRecvConnection, RuntimeError};
use serde_json::{Map, Value, json};
use zeromq::SocketRecv;

/// The version of the messaging protocol, <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.
pub const PROTOCOL: &str = "5.4";

/// A message in answer to `request`, or for nobody in particular.
pub fn message(
    content: impl Into<JupyterMessageContent>,
    request: Option<&JupyterMessage>,
) -> JupyterMessage {
    let mut message = JupyterMessage::new(content, request);
    message.header.version = PROTOCOL.into();
    message.header.username = "taper".into();
    message
}

/// An error as replies and the IOPub channel show it.
pub fn error(name: &str, message: &str, traceback: Vec<String>) -> ReplyError {
    ReplyError { ename: name.into(), evalue: message.into(), traceback }
}

/// Content of a type, or with fields, that the library does not know.
pub fn unknown(msg_type: &str, content: Value) -> JupyterMessageContent {
    JupyterMessageContent::UnknownMessage(jupyter_protocol::UnknownMessage {
        msg_type: msg_type.to_owned(),
        content,
    })
}

/// The content of the reply to a cell that waited while an earlier one failed. It has no number: the cell has not been
/// counted, and JupyterLab would show it.
pub fn aborted() -> JupyterMessageContent {
    unknown("execute_reply", json!({ "status": "aborted" }))
}

/// What came through a socket, signed as it should be.
pub(crate) enum Received {
    Request(JupyterMessage),
    /// Its content is not what its type wants; the sender is told why.
    Malformed(JupyterMessage, String),
}

/// Reads the next message. Fields that have a default in the protocol may be missing.
pub(crate) async fn read(socket: &mut RouterRecvConnection) -> Result<Received, RuntimeError> {
    let raw = RawMessage::from_multipart(socket.socket.recv().await?, &socket.mac)?;
    let header: jupyter_protocol::Header = serde_json::from_slice(&raw.jparts[0])?;
    let content: Value = serde_json::from_slice(&raw.jparts[3])?;
    let parsed = JupyterMessageContent::from_type_and_content(
        &header.msg_type,
        with_defaults(&header.msg_type, content.clone()),
    );
    let request = |content| JupyterMessage {
        zmq_identities: raw.zmq_identities,
        content,
        parent_header: None,
        metadata: json!({}),
        buffers: Vec::new(),
        channel: None,
        header: header.clone(),
    };
    Ok(match parsed {
        Ok(content) => Received::Request(request(content)),
        Err(error) => Received::Malformed(request(unknown(&header.msg_type, content)), error.to_string()),
    })
}

/// Adds what the protocol says of fields that are missing or null.
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
    fn what_is_missing_or_null_is_what_the_protocol_says() {
        let given = json!({ "code": "1", "silent": true, "store_history": null });
        let expected = json!({ "code": "1", "silent": true, "store_history": true });
        assert_eq!(with_defaults("execute_request", given), expected);
        assert_eq!(with_defaults("execute_request", json!("no object")), json!("no object"));
        assert_eq!(with_defaults("inspect_request", json!({ "code": null })), json!({ "code": null }));
    }
}
