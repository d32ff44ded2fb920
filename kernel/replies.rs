//! Replies that need nothing but the request.

use crate::message::{self, JupyterMessage, JupyterMessageContent as Content};
use cell::Completeness;
use jupyter_protocol::{CommInfoReply, IsCompleteReply, IsCompleteReplyStatus, ReplyStatus};
use serde_json::{Value, json};
use std::process::Command;

/// The version of the compiler.
pub async fn rust_version() -> String {
    let ask = || {
        let output = Command::new("rustc").arg("--version").output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.split(' ').nth(1)?.to_owned())
    };
    // Without a compiler it is the one that is needed.
    let version = tokio::task::spawn_blocking(ask).await.ok().flatten();
    version.unwrap_or_else(|| env!("CARGO_PKG_RUST_VERSION").into())
}

/// The reply to a request that cannot be understood, so that nobody waits for one in vain.
pub fn malformed(request: &JupyterMessage, why: &str) -> Option<Content> {
    let kind = request.header.msg_type.strip_suffix("_request")?;
    let error = json!({ "status": "error", "ename": "MalformedRequest", "evalue": why, "traceback": [] });
    Some(message::unknown(&format!("{kind}_reply"), error))
}

/// What the debug adapter protocol says to a request that fails.
pub fn no_debugger(request: &Value) -> Value {
    json!({
        "type": "response",
        "seq": 0,
        "request_seq": request["seq"],
        "command": request["command"],
        "success": false,
        "message": "this kernel has no debugger",
    })
}

pub fn kernel_info(rust_version: &str) -> Content {
    let link = |text: &str, url: &str| json!({ "text": text, "url": url });
    let content = json!({
        "status": "ok",
        "protocol_version": message::PROTOCOL,
        "implementation": "taper",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": rust_version,
            "mimetype": "text/rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
            "nbconvert_exporter": "script",
        },
        "banner": format!("taper {}: Rust {rust_version}, warm", env!("CARGO_PKG_VERSION")),
        "help_links": [
            link("The Rust Programming Language", "https://doc.rust-lang.org/book/"),
            link("Standard library", "https://doc.rust-lang.org/std/"),
            link("Candle", "https://docs.rs/candle-core"),
            link("evcxr", "https://github.com/evcxr/evcxr/blob/main/COMMON.md"),
        ],
        // Both say that there is no debugger; newer clients read the list (JEP 92).
        "debugger": false,
        "supported_features": [],
    });
    message::unknown("kernel_info_reply", content)
}

pub fn is_complete(code: &str) -> IsCompleteReply {
    let (status, indent) = match cell::completeness(code) {
        Completeness::Complete => (IsCompleteReplyStatus::Complete, String::new()),
        Completeness::Incomplete(indent) => (IsCompleteReplyStatus::Incomplete, indent),
        Completeness::Invalid => (IsCompleteReplyStatus::Invalid, String::new()),
    };
    IsCompleteReply { status, indent }
}

pub fn comm_info() -> CommInfoReply {
    CommInfoReply { status: ReplyStatus::Ok, comms: Default::default(), error: None }
}
