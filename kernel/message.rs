//! Messages of the Jupyter protocol as this kernel sends them.

use jupyter_protocol::ReplyError;
pub use jupyter_protocol::{JupyterMessage, JupyterMessageContent};

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
