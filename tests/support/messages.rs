//! Runs cells, and says in short what they publish.

use super::PATIENCE;
use anyhow::Result;
use jupyter_protocol::{
    CompleteRequest, ErrorOutput, ExecutionState, JupyterMessage, JupyterMessageContent as Content, Media,
    MediaType, ReplyStatus, Stdio,
};
use tokio::time::timeout;
use wire::Client;

/// Runs a cell and returns its messages in short.
pub async fn run(kernel: &mut Client, code: &str) -> Vec<String> {
    let mut messages = Vec::new();
    kernel.run(code, |message| note(&mut messages, message)).await.unwrap();
    messages
}

/// What a request goes on to publish, up to its idle status, which must come.
pub async fn until_idle(kernel: &mut Client, id: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let idle = kernel.until_idle(id, |message| note(&mut messages, message));
    timeout(PATIENCE, idle).await.expect("the request does not end").unwrap();
    messages
}

/// What a cell publishes between its input and its end, in short.
pub async fn outputs(kernel: &mut Client, code: &str) -> Vec<String> {
    let messages = run(kernel, code).await;
    assert!(
        matches!(&messages[..], [busy, input, .., idle]
        if busy == "busy" && input.starts_with("input ") && idle == "idle"),
        "{code}: {messages:?}"
    );
    messages[2..messages.len() - 1].to_vec()
}

/// The only thing that a cell publishes besides its input.
pub async fn output(kernel: &mut Client, code: &str) -> String {
    let mut outputs = outputs(kernel, code).await;
    assert_eq!(outputs.len(), 1, "{code}: {outputs:?}");
    outputs.remove(0)
}

/// Runs cells one after the other, each of which must publish just these messages.
pub async fn assert_outputs(kernel: &mut Client, cells: &[(&str, &[&str])]) {
    for (code, expected) in cells {
        assert_eq!(outputs(kernel, code).await, *expected, "{code}");
    }
}

/// Runs a cell that fails, and whose error must be the same in the message and in the reply.
pub async fn failure(kernel: &mut Client, code: &str) -> ErrorOutput {
    let id = kernel.execute(code).await.unwrap();
    let mut errors = Vec::new();
    let collect = |message: &JupyterMessage| {
        if let Content::ErrorOutput(error) = &message.content {
            errors.push(error.clone());
        }
        Ok(())
    };
    kernel.until_idle(&id, collect).await.unwrap();
    let Content::ExecuteReply(reply) = kernel.reply_to(&id).await.unwrap().content else {
        panic!("no reply")
    };
    assert_eq!((reply.status, errors.len()), (ReplyStatus::Error, 1), "{code}");
    let (in_reply, error) = (reply.error.unwrap(), errors.remove(0));
    assert_eq!(
        (&in_reply.ename, &in_reply.evalue, &in_reply.traceback),
        (&error.ename, &error.evalue, &error.traceback)
    );
    assert!(!error.traceback.is_empty());
    error
}

/// What an error shows, without its colours.
pub fn traceback(error: &ErrorOutput) -> String {
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    colours.replace_all(&error.traceback.join("\n"), "").into_owned()
}

/// The representations of a cell's result, by their MIME types.
pub async fn result(kernel: &mut Client, code: &str) -> Vec<MediaType> {
    let mut media = Vec::new();
    let collect = |message: &JupyterMessage| {
        if let Content::ExecuteResult(result) = &message.content {
            media = result.data.content.clone();
        }
        Ok(())
    };
    assert!(kernel.run(code, collect).await.unwrap(), "{code}");
    media
}

/// The completions at the end of the code.
pub async fn completions(kernel: &mut Client, code: &str) -> Vec<String> {
    let request = CompleteRequest { code: code.into(), cursor_pos: code.chars().count() };
    let request = JupyterMessage::new(request, None);
    let id = request.header.msg_id.clone();
    kernel.shell.send(request).await.unwrap();
    let reply = kernel.reply_to(&id).await.unwrap();
    let Content::CompleteReply(reply) = reply.content else { panic!("{reply:?}") };
    reply.matches
}

/// Adds a message in short; consecutive pieces of one stream are joined. How far a build of crates is, which the first test
/// with a crate shows, is left out.
pub fn note(messages: &mut Vec<String>, message: &JupyterMessage) -> Result<()> {
    if is_of_a_build(message) {
        return Ok(());
    }
    let short = short(message);
    match (messages.last_mut(), short.split_once(": ")) {
        (Some(last), Some((stream @ ("stdout" | "stderr"), text))) if last.starts_with(stream) => {
            last.push_str(text)
        }
        _ => messages.push(short),
    }
    Ok(())
}

fn is_of_a_build(message: &JupyterMessage) -> bool {
    let data = match &message.content {
        Content::DisplayData(display) => &display.data,
        Content::UpdateDisplayData(display) => &display.data,
        _ => return false,
    };
    ["Building ", "Built "].iter().any(|word| plain(data).starts_with(word))
}

fn short(message: &JupyterMessage) -> String {
    match &message.content {
        Content::Status(status) if status.execution_state == ExecutionState::Busy => "busy".into(),
        Content::Status(status) if status.execution_state == ExecutionState::Idle => "idle".into(),
        Content::ExecuteInput(input) => format!("input {}", input.execution_count.value()),
        Content::StreamContent(stream) if matches!(stream.name, Stdio::Stdout) => {
            format!("stdout: {}", stream.text)
        }
        Content::StreamContent(stream) => format!("stderr: {}", stream.text),
        Content::ExecuteResult(result) => {
            format!("result {}: {}", result.execution_count.value(), plain(&result.data))
        }
        Content::DisplayData(display) => format!("display {}", types(&display.data)),
        Content::UpdateDisplayData(display) => format!("update {}", types(&display.data)),
        Content::ClearOutput(clear) => format!("clear wait={}", clear.wait),
        Content::ErrorOutput(error) => format!("error {}: {}", error.ename, error.evalue),
        _ => message.message_type().to_owned(),
    }
}

/// The plain text of some media.
pub fn plain(media: &Media) -> &str {
    let text = media.content.iter().find_map(|content| match content {
        MediaType::Plain(text) => Some(text.as_str()),
        _ => None,
    });
    text.unwrap_or_default()
}

fn types(media: &Media) -> String {
    let mut types: Vec<&str> = media.content.iter().map(MediaType::mime_type).collect();
    types.sort_unstable();
    types.join(" ")
}
