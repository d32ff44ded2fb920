//! The session's thread: runs the cells of the queue one after the other, and reports each from busy to idle.

use crate::session::SessionState;
use anyhow::{Result, anyhow};
use engine::{Data, Evaluator, Failed, InputReply, InputRequest, Ran, SessionSetup, errors};
use jupyter_protocol::{
    ExecuteReply, ExecuteRequest, ExecutionCount, ExecutionState, ExpressionResult, ReplyError, ReplyStatus,
    Stdio,
};
use serde_json::{Map, Value, json};
use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use wire::message::{self, JupyterMessage, message};
use wire::{Execute, IoPub, Output, Stdin};

/// How long the session stays ready for a cell that does not come.
const REST_AFTER: Duration = Duration::from_secs(120);

/// The state of the session's thread.
pub struct Worker {
    setup: SessionSetup,
    iopub: IoPub,
    replies: UnboundedSender<JupyterMessage>,
    stdin: Stdin,
    state: Arc<SessionState>,
    evaluator: Result<Evaluator>,
    count: usize,
}

impl Worker {
    /// Starts the evaluator, so that it is ready for the first cell.
    pub fn start(
        setup: SessionSetup,
        iopub: IoPub,
        replies: UnboundedSender<JupyterMessage>,
        stdin: Stdin,
        state: Arc<SessionState>,
    ) -> Self {
        let evaluator = Err(anyhow!("not started"));
        let mut worker = Self { setup, iopub, replies, stdin, state, evaluator, count: 0 };
        worker.start_evaluator();
        worker
    }

    /// Runs cells until the queue is closed.
    pub fn work(&mut self, cells: &mpsc::Receiver<Execute>) {
        loop {
            self.evaluator.iter_mut().for_each(Evaluator::expect_cell);
            let next = cells.recv_timeout(REST_AFTER).or_else(|_| {
                self.evaluator.iter_mut().for_each(Evaluator::rest);
                cells.recv()
            });
            match next {
                Ok(cell) => self.run(cell, cells),
                Err(mpsc::RecvError) => break,
            }
        }
    }

    fn start_evaluator(&mut self) {
        self.evaluator = Evaluator::start(&self.setup, &self.iopub, &self.stdin, &self.state.interrupts);
        if let Ok(evaluator) = &self.evaluator {
            self.state.log.lock().unwrap().know(evaluator);
        }
        *self.state.runner.lock().unwrap() =
            self.evaluator.as_ref().ok().map(|evaluator| evaluator.runner.clone());
    }

    /// Runs a cell. If it fails, the cells that are queued after it are aborted.
    fn run(&mut self, Execute { request, content }: Execute, behind: &mpsc::Receiver<Execute>) {
        self.state.interrupts.store(0, Ordering::SeqCst);
        *self.state.current.lock().unwrap() = Some(request.clone());
        self.iopub.status(ExecutionState::Busy, &request);
        self.iopub.begin_cell(&request, content.silent);
        let keep = content.store_history && !content.silent;
        self.count += usize::from(keep);
        if !content.silent {
            self.iopub.input(&content.code, self.count, &request);
        }
        let (start, was_timing) = (Instant::now(), self.is_timing());
        let outcome = self.evaluate(&request, &content).map(|results| self.show(results, &request, &content));
        let has_code = cell::commands(&content.code).code_start < content.code.len();
        if self.is_timing() && (was_timing || has_code) {
            let text = format!("took {:.2} s\n", start.elapsed().as_secs_f64());
            self.iopub.output(Output::Stream(Stdio::Stdout, text));
        }
        if keep {
            let result = outcome.as_ref().ok().and_then(|text| text.clone());
            self.state.log.lock().unwrap().inputs.push((self.count, content.code.clone(), result));
        }
        let answers = match &outcome {
            Ok(_) => self.expressions(&request, &content),
            Err(error) => {
                if !content.silent {
                    self.iopub.error(error, &request);
                }
                HashMap::new()
            }
        };
        // Take these cells before the client sees the failure: what it sends afterwards must not be aborted.
        let stop = outcome.is_err() && content.stop_on_error;
        let aborted: Vec<Execute> = if stop { behind.try_iter().collect() } else { Vec::new() };
        *self.state.current.lock().unwrap() = None;
        let status = if outcome.is_ok() { ReplyStatus::Ok } else { ReplyStatus::Error };
        self.reply(status, outcome.err(), answers, &request);
        self.iopub.status(ExecutionState::Idle, &request);
        aborted.into_iter().for_each(|cell| self.abort(cell));
    }

    fn is_timing(&self) -> bool {
        self.evaluator.as_ref().is_ok_and(Evaluator::is_timing)
    }

    fn reply(
        &self,
        status: ReplyStatus,
        error: Option<ReplyError>,
        answers: HashMap<String, ExpressionResult>,
        request: &JupyterMessage,
    ) {
        let reply = ExecuteReply {
            status,
            execution_count: ExecutionCount(self.count),
            payload: Vec::new(),
            user_expressions: Some(answers),
            error: error.map(Box::new),
        };
        let _ = self.replies.send(message(reply, Some(request)));
    }

    /// Answers a cell that was queued after one that failed.
    fn abort(&self, Execute { request, .. }: Execute) {
        self.iopub.status(ExecutionState::Busy, &request);
        // Without an execution count: the cell was not counted, and JupyterLab would show the number.
        let content = message::unknown("execute_reply", json!({ "status": "aborted" }));
        let _ = self.replies.send(message(content, Some(&request)));
        self.iopub.status(ExecutionState::Idle, &request);
    }

    /// Runs the code and returns its results.
    fn evaluate(
        &mut self,
        request: &JupyterMessage,
        content: &ExecuteRequest,
    ) -> Result<Vec<Data>, ReplyError> {
        if self.evaluator.is_err() {
            // Try again: the user may have followed the advice in the error by now.
            self.start_evaluator();
        }
        let evaluator = match &mut self.evaluator {
            Ok(evaluator) => evaluator,
            Err(error) => return Err(errors::plain("KernelError", &format!("{error:#}"))),
        };
        evaluator.documentation.clone_from(&self.state.documentation.lock().unwrap());
        evaluator.runner.begin();
        let runner = evaluator.runner.clone();
        let refused = Cell::new(false);
        let withdrawn = Cell::new(false);
        let ask = |InputRequest { prompt, is_password }: InputRequest| {
            let answer = match content.allow_stdin {
                true => self.stdin.ask(request, prompt, is_password),
                // A cell that asks again after a refusal might do so forever.
                false if refused.replace(true) => {
                    runner.kill();
                    None
                }
                false => None,
            };
            runner.answered();
            let is_interrupted = self.state.interrupts.load(Ordering::SeqCst) > 0;
            withdrawn.set(withdrawn.get() || is_interrupted);
            match answer {
                Some(line) => InputReply::Line(line),
                None if is_interrupted => InputReply::Interrupted,
                None => InputReply::End,
            }
        };
        let name = format!("[{}]", self.count);
        let evaluated = panic::catch_unwind(AssertUnwindSafe(|| evaluator.run(&name, &content.code, &ask)));
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(payload) => return Err(self.start_over(&*payload)),
        };

        let interrupted = self.state.interrupts.load(Ordering::SeqCst) > 0;
        let lost = match &evaluated {
            Err(Failed::Ended(_)) => evaluator.forget_variables(),
            _ => Vec::new(),
        };
        // Even a cell that failed may have defined items.
        self.state.log.lock().unwrap().know(evaluator);
        match evaluated {
            Ok(Ran { failure, commands, result }) => match failure {
                _ if refused.get() => Err(cannot_ask()),
                Some(failure) if interrupted => Err(errors::interrupted(&failure)),
                // The cell ignored that its read failed, and succeeded, but the user has interrupted it.
                None if withdrawn.get() => {
                    Err(errors::plain("Interrupted", "the cell was interrupted, and has ended by itself"))
                }
                Some(failure) => Err(failure),
                None => Ok([Some(commands), result].into_iter().flatten().collect()),
            },
            Err(Failed::Ended(status)) => Err(match interrupted {
                _ if refused.get() => cannot_ask(),
                true => errors::plain(
                    "Interrupted",
                    &format!(
                        "the cell did not stop by itself, so its process was ended.\n{}",
                        errors::gone(&lost)
                    ),
                ),
                false => errors::process_ended(&status, &lost),
            }),
            Err(_) if interrupted => Err(errors::plain(
                "Interrupted",
                "the cell was interrupted before it ran; everything is as it was",
            )),
            Err(failed) => Err(failed.into_reply()),
        }
    }

    /// Starts a new evaluator after a panic in the old one, which is a bug in taper or evcxr, and whose state cannot be trusted.
    fn start_over(&mut self, payload: &(dyn Any + Send)) -> ReplyError {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref().copied()).unwrap_or("no text");
        self.state.log.lock().unwrap().forget();
        self.evaluator = Err(anyhow!("not started"));
        self.start_evaluator();
        errors::plain(
            "KernelError",
            &format!(
                "the kernel failed at this cell ({text}) and has started over: variables, functions and types are gone. \
                 Run the cells that define them again."
            ),
        )
    }

    /// Publishes the results of a cell; returns the plain text of the last one.
    fn show(&self, results: Vec<Data>, request: &JupyterMessage, content: &ExecuteRequest) -> Option<String> {
        let parsed = cell::parse(&content.code);
        let mut text = None;
        for data in results.into_iter().filter(|data| !data.is_empty() && !is_unit(data)) {
            text = data.get("text/plain").and_then(Value::as_str).map(str::to_owned);
            if content.silent {
                continue;
            }
            if parsed.result.is_some() || parsed.code_start == content.code.len() {
                self.iopub.result(data, self.count, request);
            } else {
                let metadata = Map::new();
                self.iopub.output(Output::Display { data, metadata, display_id: None, update: false });
            }
        }
        text
    }

    /// Evaluates the user expressions of a request, without publishing anything on IOPub.
    fn expressions(
        &mut self,
        request: &JupyterMessage,
        content: &ExecuteRequest,
    ) -> HashMap<String, ExpressionResult> {
        self.iopub.begin_cell(request, true);
        let mut answers = HashMap::new();
        for (name, expression) in content.user_expressions.iter().flatten() {
            let code = ExecuteRequest { code: expression.clone(), silent: true, ..content.clone() };
            let answer = match self.evaluate(request, &code) {
                Ok(results) => ExpressionResult::Ok {
                    data: serde_json::from_value(Value::Object(results.into_iter().flatten().collect()))
                        .unwrap_or_default(),
                    metadata: Map::new(),
                },
                Err(ReplyError { ename, evalue, traceback }) => {
                    ExpressionResult::Error { ename, evalue, traceback }
                }
            };
            answers.insert(name.clone(), answer);
        }
        self.iopub.begin_cell(request, content.silent);
        answers
    }
}

fn cannot_ask() -> ReplyError {
    let text =
        "the cell asked for input, but this notebook is run without anyone to ask: use a constant instead";
    errors::plain("StdinNotImplementedError", text)
}

/// Whether the result is `()`, which is not shown.
fn is_unit(data: &Data) -> bool {
    data.len() == 1 && data.get("text/plain").is_some_and(|text| text == "()")
}
