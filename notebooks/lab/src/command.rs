//! Other programs, started from a cell.
//!
//! ```
//! use std::process::Command;
//!
//! lab::command::stream(Command::new("sh").args(["-c", "echo a line"]))?;
//! let failed = lab::command::stream(Command::new("sh").args(["-c", "echo why >&2; exit 3"]));
//! assert!(format!("{:#}", failed.unwrap_err()).ends_with("failed (exit status: 3): why"));
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

use crate::{Result, interrupt};
use anyhow::{Context, anyhow, bail};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// Runs a program, and prints each line of its standard output as it comes. Its standard error is kept in case it fails.
/// When the user interrupts the cell, the program is killed.
///
/// Most programs buffer their output when they do not write to a terminal; Python does not if started with `-u`.
///
/// # Errors
/// When the program cannot be started, or fails, with the end of its standard error; and on an interrupt.
pub fn stream(command: &mut Command) -> Result<()> {
    let shown = describe(command);
    let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Running(pipes.spawn().with_context(|| format!("cannot start `{shown}`"))?);
    let (output, errors) =
        program.0.stdout.take().zip(program.0.stderr.take()).context("there are no pipes")?;

    // A blocked read from a pipe cannot be interrupted, so threads do it; they end with the program.
    let (line_sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n').map_while(std::result::Result::ok);
        lines.map(|line| line_sender.send(line)).all(|sent| sent.is_ok())
    });
    let (error_sender, errors_read) = mpsc::channel();
    thread::spawn(move || error_sender.send(read(errors)));

    while let Some(line) = interrupt::receive(&lines)? {
        println!("{}", String::from_utf8_lossy(&line));
    }
    let errors = interrupt::receive(&errors_read)?.unwrap_or_default();
    let status = loop {
        if let Some(status) = program.0.try_wait()? {
            break status;
        }
        // It has closed both pipes, but still runs.
        thread::sleep(interrupt::INTERVAL);
        interrupt::check_interrupt()?;
    };
    if !status.success() {
        bail!(anyhow!("{}", last_lines(&errors)).context(format!("`{shown}` failed ({status})")));
    }
    Ok(())
}

/// A program that is killed when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command as one would type it, but without quotes.
fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn read(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // Keep what came before an error.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last lines, which are the ones to look at: programs say last why they fail.
fn last_lines(text: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
