//! Lines of a cell that a shell runs, such as `!ls`.

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

/// How long to wait for the end of the output of a program that has ended: others, which it has started, may go on to use
/// the same pipe.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Evaluator {
    /// Runs a line in a shell, and shows what it prints as it comes.
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
            false => Err(format!("the command has failed ({status})").into()),
        }
    }
}

/// Publishes what comes through a pipe, from a thread of its own, and says when that has ended.
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
