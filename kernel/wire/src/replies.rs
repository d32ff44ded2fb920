//! Builds the contents of replies.

use crate::kernel::{Completions, Info};
use crate::message::{self, JupyterMessage, JupyterMessageContent as Content};
use crate::position;
use jupyter_protocol::{CommInfoReply, CompleteReply, InspectReply, Media, MediaType, ReplyStatus};
use serde_json::{Map, Value, json};

/// The reply to a malformed request, so that the client does not wait in vain. `None` for messages that get no reply.
pub fn malformed(request: &JupyterMessage, why: &str) -> Option<Content> {
    let kind = request.header.msg_type.strip_suffix("_request")?;
    let error = json!({ "status": "error", "ename": "MalformedRequest", "evalue": why, "traceback": [] });
    Some(message::unknown(&format!("{kind}_reply"), error))
}

/// The response of the debug adapter protocol to a request that fails.
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

/// The reply to `kernel_info_request`.
pub fn kernel_info(info: Info) -> Content {
    let link = |(text, url): &(String, String)| json!({ "text": text, "url": url });
    let content = json!({
        "status": "ok",
        "protocol_version": message::PROTOCOL,
        "implementation": info.implementation,
        "implementation_version": info.version,
        "language_info": info.language,
        "banner": info.banner,
        "help_links": info.help_links.iter().map(link).collect::<Vec<_>>(),
        // Both fields say that there is no debugger. Newer clients read the list (JEP 92).
        "debugger": false,
        "supported_features": [],
    });
    message::unknown("kernel_info_reply", content)
}

/// The reply to `comm_info_request`. Comms are not supported yet.
pub fn comm_info() -> CommInfoReply {
    CommInfoReply { status: ReplyStatus::Ok, comms: Default::default(), error: None }
}

/// The reply to `complete_request`, with the completions at byte `position` of the code.
pub fn complete(code: &str, position: usize, Completions { range, items }: Completions) -> CompleteReply {
    let (range, items) = match code.get(range.clone()) {
        Some(_) => (range, items),
        None => (position..position, Vec::new()),
    };
    let (start, end) = (position::to_chars(code, range.start), position::to_chars(code, range.end));
    // JupyterLab takes kinds and signatures from this field, <https://jupyterlab.readthedocs.io/en/latest/user/completer.html>.
    let types: Vec<_> = items
        .iter()
        .map(|item| {
            json!({ "text": item.text, "type": item.kind, "signature": item.signature, "start": start, "end": end })
        })
        .collect();
    let metadata = Map::from_iter([("_jupyter_types_experimental".to_owned(), types.into())]);
    let matches = items.into_iter().map(|item| item.text).collect();
    CompleteReply { matches, cursor_start: start, cursor_end: end, metadata, ..CompleteReply::default() }
}

/// The reply to `inspect_request`.
pub fn inspect(content: Vec<MediaType>) -> InspectReply {
    InspectReply { found: !content.is_empty(), data: Media { content }, ..InspectReply::default() }
}
