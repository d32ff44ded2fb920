//! A cell that failed says so, and says why.

use crate::support::{kernel, run};
use jupyter_protocol::{ErrorOutput, JupyterMessageContent as Content, ReplyStatus};

/// Runs a cell that fails; its error must be the same in the message and in the reply.
async fn failure(kernel: &mut crate::client::Client, code: &str) -> ErrorOutput {
    let id = kernel.execute(code).await.unwrap();
    let mut errors = Vec::new();
    let collect = |message: &jupyter_protocol::JupyterMessage| {
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

#[tokio::test]
async fn a_compile_error_shows_the_line() {
    let mut kernel = kernel().await;
    let error = failure(&mut kernel, "let a = 1;\nlet b: i32 = \"two\";").await;
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("CompileError", "mismatched types"));
    let text = error.traceback.join("\n");
    assert!(text.contains("let b: i32 =") && text.contains("E0308"), "{text}");
    // Nothing of the cell has happened.
    assert_eq!(failure(&mut kernel, "a").await.evalue, "cannot find value `a` in this scope");
    let error = failure(&mut kernel, "let ü = \"ä\"; ü.foo()").await;
    assert!(error.evalue.contains("no method named `foo`"), "{}", error.evalue);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_error_and_keeps_the_variables() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = vec![1, 2, 3];").await;
    let error = failure(&mut kernel, "let index = 7; kept[index]").await;
    assert_eq!(error.ename, "panic");
    assert_eq!(error.evalue.lines().next(), Some("index out of bounds: the len is 3 but the index is 7"));
    assert_eq!(run(&mut kernel, "kept.len()").await[2], "result 3: 3");
    // One that is caught is no failure of the cell.
    let messages =
        run(&mut kernel, "let caught = std::panic::catch_unwind(|| panic!(\"inside\")).is_err(); caught")
            .await;
    assert_eq!(messages, ["busy", "input 4", "stderr: panic: inside\n", "result 4: true", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_question_mark_that_meets_an_error_is_an_error() {
    let mut kernel = kernel().await;
    let error =
        failure(&mut kernel, "let number: i32 = \"twelve\".parse()?;\nprintln!(\"not reached\");").await;
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("Error", "invalid digit found in string"));
    // The user's own lines on the standard error stay what they are.
    let messages = run(&mut kernel, "let error = 5; eprintln!(\"{}\", error); eprintln!(\"{error}\");").await;
    assert_eq!(messages, ["busy", "input 2", "stderr: 5\n5\n", "idle"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_process_is_an_error_and_the_next_cell_works() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let lost = 1;").await;
    // With the analyzer there: a process that outlives the child must not keep its pipes open.
    let request = jupyter_protocol::CompleteRequest { code: "std::pro".into(), cursor_pos: 8 };
    let request = jupyter_protocol::JupyterMessage::new(request, None);
    let id = request.header.msg_id.clone();
    kernel.shell.send(request).await.unwrap();
    kernel.reply_to(&id).await.unwrap();
    for code in [
        "println!(\"last words\"); std::process::abort()",
        "std::process::exit(0)",
        "unsafe { *(8 as *mut u8) = 1 }",
    ] {
        let error = failure(&mut kernel, code).await;
        assert_eq!(error.ename, "ProcessEnded", "{code}");
        assert!(error.evalue.contains("all variables are gone"), "{}", error.evalue);
        assert!(run(&mut kernel, "1 + 1").await[2].ends_with(": 2"), "{code}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_variable_that_cannot_be_kept_says_what_to_do() {
    let mut kernel = kernel().await;
    let error = failure(&mut kernel, "let double = |x: i32| 2 * x;").await;
    assert_eq!(error.ename, "TypeError");
    assert!(
        error.evalue.contains("`double` holds a closure") && error.evalue.contains("Box<dyn Fn"),
        "{}",
        error.evalue
    );
    let error = failure(&mut kernel, "let even = vec![1, 2].into_iter().filter(|x| x % 2 == 0);").await;
    assert!(error.evalue.contains("`even`"), "{}", error.evalue);
    // Types that rust-analyzer could not name are no problem.
    let code = "use lab::{candle_core::{DType, Device}, candle_nn::{VarBuilder, VarMap}};
let map = VarMap::new();
let weights = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
let (mut pair, Some(third)) = ((1u8, 2.5), Some([0u16; 3])) else { panic!() };";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 3", "idle"]);
    assert_eq!(run(&mut kernel, "pair.0 += 1; (pair, third)").await[2], "result 4: ((2, 2.5), [0, 0, 0])");
    assert_eq!(run(&mut kernel, "weights.get((2, 2), \"w\")?.dims().to_vec()").await[2], "result 5: [2, 2]");
    kernel.shut_down().await.unwrap();
}
