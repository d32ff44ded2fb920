//! Cells that ask the user something.

use crate::support::{PATIENCE, kernel, run, until_idle};
use jupyter_protocol::{InputReply, JupyterMessage, JupyterMessageContent as Content, ReplyStatus};
use tokio::time::timeout;
use wire::Client;

/// Runs a cell and answers its questions; returns the questions, and what the cell showed.
async fn answer(kernel: &mut Client, code: &str, answers: &[&str]) -> (Vec<String>, Vec<String>) {
    let id = kernel.ask_and_execute(code).await.unwrap();
    let mut questions = Vec::new();
    for answer in answers {
        let question = timeout(PATIENCE, kernel.stdin.read()).await.expect("no question").unwrap();
        let Content::InputRequest(request) = &question.content else { panic!("{question:?}") };
        questions.push(format!("{}{}", request.prompt, if request.password { " (secret)" } else { "" }));
        let reply = InputReply { value: (*answer).into(), status: ReplyStatus::Ok, error: None };
        kernel.stdin.send(JupyterMessage::new(reply, Some(&question))).await.unwrap();
    }
    (questions, until_idle(kernel, &id).await)
}

#[tokio::test]
async fn a_line_is_read_from_standard_input() {
    let mut kernel = kernel().await;
    // The prompt is shown although it has no newline.
    let code = "let mut sum = 0;
for _ in 0..3 {
    print!(\"number? \");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    sum += line.trim().parse::<i32>()?;
}
sum";
    let (questions, messages) = answer(&mut kernel, code, &["1", "20", "300"]).await;
    assert_eq!(questions, ["", "", ""]);
    assert_eq!(messages, ["busy", "input 1", "stdout: number? number? number? ", "result 1: 321", "idle"]);
    // Questions of the crate `evcxr_input` come with their prompt, and are asked once.
    let code = "println!(\"EVCXR_INPUT_REQUEST_PASSWORD:secret?\");
let mut line = String::new();
std::io::stdin().read_line(&mut line)?;
line.trim().to_uppercase()";
    let (questions, messages) = answer(&mut kernel, code, &["größe"]).await;
    assert_eq!(questions, ["secret? (secret)"]);
    assert_eq!(messages, ["busy", "input 2", "result 2: \"GRÖSSE\"", "idle"]);
    kernel.shut_down().await.unwrap();
}

/// As in "press Enter to stop", where what is to be stopped is done before.
#[tokio::test]
async fn a_cell_may_end_without_its_answer() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let code = format!(
        "std::thread::spawn(|| std::io::stdin().read_line(&mut String::new()));
while !std::path::Path::new({done:?}).exists() {{ std::thread::yield_now(); }}"
    );
    let id = kernel.ask_and_execute(&code).await.unwrap();
    let question = timeout(PATIENCE, kernel.stdin.read()).await.expect("no question").unwrap();
    std::fs::write(done, "").unwrap();
    assert_eq!(until_idle(&mut kernel, &id).await, ["busy", "input 2", "idle"]);
    let late = InputReply { value: "late".into(), status: ReplyStatus::Ok, error: None };
    kernel.stdin.send(JupyterMessage::new(late, Some(&question))).await.unwrap();
    assert_eq!(run(&mut kernel, "kept").await[2], "result 3: 7");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_cell_fails() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 1;").await;
    let ended = "let mut line = String::new(); let read = std::io::stdin().read_line(&mut line)?; println!(\"{read}\");";
    let messages = run(&mut kernel, ended).await;
    assert_eq!(messages[2], "stdout: 0\n");
    assert!(
        messages[3].starts_with("error StdinNotImplementedError: the cell asked for input"),
        "{messages:?}"
    );
    assert_eq!(run(&mut kernel, "kept").await[2], "result 3: 1");
    // One that would ask for ever is ended.
    let endless = "loop { std::io::stdin().read_line(&mut String::new())?; }";
    let messages = timeout(PATIENCE, run(&mut kernel, endless)).await.expect("it goes on");
    assert!(messages[2].starts_with("error StdinNotImplementedError: "), "{messages:?}");
    assert_eq!(run(&mut kernel, "1 + 1").await[2], "result 5: 2");
    kernel.shut_down().await.unwrap();
}
