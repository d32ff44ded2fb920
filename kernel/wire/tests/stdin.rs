//! Questions to the user.

use crate::echo;
use serde_json::json;
use wire::raw::{Message, ask, published, read, send, send_answer};

fn printed(messages: &[Message]) -> String {
    messages.iter().filter_map(|message| message.content["text"].as_str()).collect()
}

#[tokio::test]
async fn a_question_gets_its_answer_and_an_empty_one_is_an_answer_too() {
    let (mut kernel, _running) = echo::start().await;
    for answer in ["Ada", "", "größe"] {
        let cell = json!({ "code": "ask name?", "allow_stdin": true });
        let cell = send(&mut kernel.shell, "execute_request", cell).await;
        let question = read(&mut kernel.stdin).await;
        assert_eq!((question.kind(), &question.parent), ("input_request", &cell));
        assert_eq!(question.content, json!({ "prompt": "name?", "password": false }));
        // Other messages are no answers.
        send(&mut kernel.stdin, "kernel_info_request", json!({})).await;
        send(&mut kernel.stdin, "input_reply", json!({ "value": answer, "status": "ok" })).await;
        assert_eq!(printed(&published(&mut kernel, &cell).await), format!("<{answer}>\n"));
        assert_eq!(read(&mut kernel.shell).await.content["status"], "ok");
    }
}

#[tokio::test]
async fn who_asks_learns_that_the_question_was_withdrawn() {
    let (mut kernel, _running) = echo::start().await;
    let cell = json!({ "code": "ask one?\nask two?", "allow_stdin": true });
    let cell = send(&mut kernel.shell, "execute_request", cell).await;
    let withdrawn = read(&mut kernel.stdin).await;
    send(&mut kernel.control, "interrupt_request", json!({})).await;
    let next = read(&mut kernel.stdin).await;
    assert_eq!(next.content["prompt"], "two?");
    // A late answer to the first question does not answer the second.
    for (question, value) in [(&withdrawn, "late"), (&next, "in time")] {
        let reply = json!({ "value": value, "status": "ok" });
        send_answer(&mut kernel.stdin, question, "input_reply", reply).await;
    }
    assert_eq!(printed(&published(&mut kernel, &cell).await), "withdrawn\n<in time>\n");
    assert_eq!(read(&mut kernel.shell).await.content["status"], "ok");
    // An answer without a waiting question is dropped.
    send(&mut kernel.stdin, "input_reply", json!({ "value": "unasked" })).await;
    assert_eq!(ask(&mut kernel, "execute_request", json!({ "code": "1" })).await["status"], "ok");
}
