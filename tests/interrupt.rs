//! The stop button: what ends, what stays, and what the user is told.

use crate::support::{PATIENCE, completions, kernel, note, run, until_idle, wait_until};
use environment::processes::descendants;
use jupyter_protocol::{ErrorOutput, InterruptRequest, JupyterMessage, JupyterMessageContent as Content};
use std::process::Command;
use tokio::time::timeout;
use wire::Client;

async fn interrupt(kernel: &mut Client) {
    kernel.control.send(JupyterMessage::new(InterruptRequest {}, None)).await.unwrap();
}

/// Runs a cell, interrupts it as soon as it has printed something, and once more if `twice`; returns its error.
pub async fn interrupted(kernel: &mut Client, code: &str, twice: bool) -> ErrorOutput {
    let id = kernel.execute(code).await.unwrap();
    let mut messages = Vec::new();
    let until_printed = async {
        loop {
            let message = kernel.iopub.read().await.unwrap();
            match &message.content {
                Content::StreamContent(_) => break,
                Content::ErrorOutput(error) => panic!("the cell failed before it printed: {error:?}"),
                _ => note(&mut messages, &message).unwrap(),
            }
        }
    };
    let printed = timeout(PATIENCE, until_printed).await;
    printed.unwrap_or_else(|_| panic!("the cell prints nothing: {messages:?}"));
    interrupt(kernel).await;
    if twice {
        interrupt(kernel).await;
    }
    let mut error = None;
    let until_idle = kernel.until_idle(&id, |message| {
        if let Content::ErrorOutput(output) = &message.content {
            error = Some(output.clone());
        }
        Ok(())
    });
    timeout(PATIENCE, until_idle).await.expect("the cell goes on").unwrap();
    error.expect("the cell did not fail")
}

pub const KEPT: &str = "the cell was interrupted and has ended; the variables of earlier cells are kept";

#[tokio::test]
async fn work_that_looks_for_interrupts_ends_and_all_variables_stay() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = vec![1, 2, 3]; let mut steps = 0u64; let process = std::process::id();")
        .await;
    // A loop that the user wrote.
    let code = "steps += 1; println!(\"running\"); loop { lab::check_interrupt()?; steps += 1; }";
    let error = interrupted(&mut kernel, code, false).await;
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("Interrupted", KEPT));
    let state = "(kept.len(), steps > 0, std::process::id() == process)";
    assert_eq!(run(&mut kernel, state).await[2], "result 3: (3, true, true)");
    // Drawing digits, and batches of them.
    let code = "println!(\"running\"); lab::data::drawn_sized(0, 3_000_000, 0)?.name";
    assert_eq!(interrupted(&mut kernel, code, false).await.evalue, KEPT);
    let cell = "let digits = lab::data::drawn_sized(0, 1_000, 0)?;";
    assert_eq!(run(&mut kernel, cell).await, ["busy", "input 5", "idle"]);
    let code = "use lab::candle_core::Device;
println!(\"running\");
loop {
    for batch in digits.train.batches(10, 0, &Device::Cpu) {
        batch?;
    }
}";
    assert_eq!(interrupted(&mut kernel, code, false).await.evalue, KEPT);
    // The interrupt of one cell does not reach the next.
    let code = "lab::check_interrupt()?; (digits.train.len(), std::process::id() == process)";
    assert_eq!(run(&mut kernel, code).await[2], "result 7: (1000, true)");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_interrupt_of_one_cell_does_not_end_the_compiler_of_the_next() {
    let mut kernel = kernel().await;
    let endless = "println!(\"running\"); loop { lab::check_interrupt()?; }";
    for round in 1..=20 {
        assert_eq!(interrupted(&mut kernel, endless, false).await.evalue, KEPT);
        let sum = run(&mut kernel, &format!("{round} + 1")).await;
        assert_eq!(sum[2], format!("result {}: {}", 2 * round, round + 1));
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn training_notices_an_interrupt_between_two_steps() {
    let mut kernel = kernel().await;
    let code = "use lab::{candle_core::{DType, Device, Module}, candle_nn::{self, Optimizer}, ops};
let digits = lab::data::drawn_sized(0, 2_000, 0)?;
let map = candle_nn::VarMap::new();
let weights = candle_nn::VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
let layer = candle_nn::linear(14 * 14, 10, weights)?;
let mut adam = candle_nn::AdamW::new(map.all_vars(), Default::default())?;
let mut losses: Vec<f32> = Vec::new();";
    assert_eq!(run(&mut kernel, code).await, ["busy", "input 1", "idle"]);
    let code = "for epoch in 0.. {
    for batch in digits.train.batches(100, epoch, &Device::Cpu) {
        let (images, labels) = batch?;
        let logits = layer.forward(&ops::max_pool2d(&images, 2)?.flatten_from(1)?)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        adam.backward_step(&loss)?;
        losses.push(loss.to_scalar::<f32>()?);
        if losses.len() == 3 {
            println!(\"running\");
        }
    }
}";
    assert_eq!(interrupted(&mut kernel, code, false).await.evalue, KEPT);
    // What was learnt so far is kept, and training can continue.
    let code = "(losses.len() >= 3, losses.iter().all(|loss| loss.is_finite()), map.all_vars().len())";
    assert_eq!(run(&mut kernel, code).await[2], "result 3: (true, true, 2)");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn code_that_does_not_look_is_ended_and_the_lost_variables_are_named() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let number = 1; let words = vec![\"a\"]; fn one() -> i32 { 1 }").await;
    for (twice, lost) in
        [(false, "These variables are gone: `number`, `words`."), (true, "The variable `again` is gone;")]
    {
        let error = interrupted(&mut kernel, "println!(\"running\"); loop {}", twice).await;
        assert_eq!(error.ename, "Interrupted");
        let start = format!("the cell did not stop by itself, so its process was ended.\n{lost}");
        assert!(error.evalue.starts_with(&start), "{}", error.evalue);
        assert!(run(&mut kernel, "let again = one();").await.len() == 3, "functions are still there");
    }
    kernel.shut_down().await.unwrap();
}

/// Whether a cell of this very kernel is being compiled.
fn is_compiling(kernel: u32) -> bool {
    let started = descendants(kernel, &[]).iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let commands = Command::new("ps").args(["-o", "args=", "-p", &started]).output().unwrap();
    String::from_utf8_lossy(&commands.stdout).contains("--crate-name ctx")
}

#[tokio::test]
async fn while_a_cell_is_compiled_the_compiler_is_ended_and_the_session_stays_as_it_was() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7; let process = std::process::id();").await;
    assert_eq!(completions(&mut kernel, "std::process::ExitC").await, ["ExitCode"]);
    // Constant evaluation keeps the compiler busy for as long as it takes.
    let code = "#[allow(long_running_const_eval)] const LONG: u64 = { let mut i = 0u64; while i < 1 << 40 { i += 1; } i };\nlet new = LONG;\nprintln!(\"{LONG}\");";
    let id = kernel.execute(code).await.unwrap();
    let mut messages = Vec::new();
    while messages.last().is_none_or(|message| message != "input 2") {
        note(&mut messages, &kernel.iopub.read().await.unwrap()).unwrap();
    }
    let process = kernel.process().id();
    wait_until("no compiler has started", || is_compiling(process)).await;
    interrupt(&mut kernel).await;
    let mut messages = until_idle(&mut kernel, &id).await;
    let expected = "error Interrupted: the cell was interrupted before it ran; everything is as it was";
    // The kernel says that it is busy once more after the idle status of the interrupt, and after that of the completion if
    // it comes as late as that.
    messages.dedup();
    assert_eq!(messages, ["busy", expected, "idle"]);
    // Completion goes on too.
    assert_eq!(completions(&mut kernel, "std::process::ExitC").await, ["ExitCode"]);
    assert_eq!(run(&mut kernel, "(kept, std::process::id() == process)").await[2], "result 3: (7, true)");
    assert_eq!(run(&mut kernel, "new").await[2], "error CompileError: cannot find value `new` in this scope");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_cell_that_waits_for_the_user_can_be_interrupted() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    let code = "let mut line = String::new();
if std::io::stdin().read_line(&mut line)? == 0 { lab::check_interrupt()?; }";
    let id = kernel.ask_and_execute(code).await.unwrap();
    let question = timeout(PATIENCE, kernel.stdin.read()).await.expect("no question").unwrap();
    assert!(matches!(question.content, Content::InputRequest(_)));
    interrupt(&mut kernel).await;
    let messages = until_idle(&mut kernel, &id).await;
    assert!(messages.contains(&format!("error Interrupted: {KEPT}")), "{messages:?}");
    assert_eq!(run(&mut kernel, "kept").await[2], "result 3: 7");
    kernel.shut_down().await.unwrap();
}
