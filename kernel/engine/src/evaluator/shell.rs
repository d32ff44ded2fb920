//! Runs the shell commands of a cell, such as `!ls`.

use super::Evaluator;
use super::commands::Answered;
use super::commands::answer::Answer;
use crate::output::Utf8;
use jupyter_protocol::Stdio as Name;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use wire::{IoPub, Output};

/// How long to wait for the rest of the output after the shell has exited. The pipe need not close then, because programs
/// that the shell started in the background may still hold it open.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Evaluator {
    /// Runs a line in a shell, and shows its output as it is printed.
    pub(super) fn run_shell(&self, line: &str) -> Answered {
        let mut command = Command::new("sh");
        self.own_variables.restore(&mut command);
        command.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().map_err(|error| format!("cannot run a shell: {error}"))?;
        let (end, ended) = mpsc::channel();
        let outputs = shell.stdout.take().map(|pipe| show(pipe, Name::Stdout, &self.iopub, &end));
        let errors = shell.stderr.take().map(|pipe| show(pipe, Name::Stderr, &self.iopub, &end));
        let status = shell.wait().map_err(|error| format!("cannot wait for the shell: {error}"))?;
        for _ in outputs.iter().chain(&errors) {
            let _ = ended.recv_timeout(LAST_WORDS);
        }
        match status.success() {
            true => Ok(Answer::default()),
            false => Err(format!("the command failed ({status})").into()),
        }
    }
}

/// Publishes what is read from a pipe, on a separate thread, and sends on `end` when the pipe closes.
fn show(mut pipe: impl Read + Send + 'static, name: Name, iopub: &IoPub, end: &mpsc::Sender<()>) {
    let (iopub, end) = (iopub.clone(), end.clone());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut text = Utf8::default();
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let text = text.push(&buffer[..length]);
            if !text.is_empty() {
                iopub.output(Output::Stream(name.clone(), text));
            }
        }
        let _ = end.send(());
    });
}
