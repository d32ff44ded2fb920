//! Prints to the terminal. The reader of the output may stop reading at any time, as `head` does.

use anyhow::{Context, Result};
use std::fmt::{self, Arguments};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The error when standard output was closed by its reader. The program then ends without a message.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("the reader of the output has closed it")
    }
}

impl std::error::Error for Closed {}

/// Prints a line on standard output.
///
/// # Errors
/// [`Closed`] if the reader has closed it.
pub fn print(line: Arguments) -> Result<()> {
    write(&mut io::stdout().lock(), line)
}

fn write(output: &mut impl Write, line: Arguments) -> Result<()> {
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("cannot print"),
    }
}

/// Prints a line on standard error. It is no error if the reader has closed it.
pub fn warn(line: Arguments) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// How often the progress of something slow is logged.
const INTERVAL: Duration = Duration::from_secs(10);

/// The progress of something slow on a standard error that is not a terminal, where a progress bar cannot be drawn: a line at
/// most every ten seconds.
pub struct ProgressLog {
    last: Instant,
    is_shown: bool,
}

impl ProgressLog {
    /// Begins to count the ten seconds.
    pub fn new() -> Self {
        Self { last: Instant::now(), is_shown: !io::stderr().is_terminal() }
    }

    /// Prints the line, unless the last one is too recent or a progress bar is drawn instead.
    pub fn report(&mut self, line: impl fmt::Display) {
        if self.is_due(Instant::now()) {
            warn(format_args!("{line}"));
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.is_shown && now - self.last >= INTERVAL;
        if is_due {
            self.last = now;
        }
        is_due
    }
}

/// Prints a line on standard output like `println!`, but returns an error if that fails. See [`print()`].
macro_rules! say {
    ($($format:tt)*) => { $crate::terminal::print(format_args!($($format)*)) };
}

/// Prints a line on standard error like `eprintln!`, but ignores errors. See [`warn`].
macro_rules! warn_user {
    ($($format:tt)*) => { $crate::terminal::warn(format_args!($($format)*)) };
}

pub(crate) use {say, warn_user};

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn progress_is_logged_every_ten_seconds_but_not_next_to_a_bar() {
        let start = Instant::now();
        let mut log = ProgressLog { last: start, is_shown: true };
        let logged: Vec<u64> =
            (0..32).filter(|second| log.is_due(start + Duration::from_secs(*second))).collect();
        assert_eq!(logged, [10, 20, 30]);
        assert!(!ProgressLog { is_shown: false, ..log }.is_due(start + Duration::from_secs(60)));
    }

    #[test]
    fn only_a_broken_pipe_ends_the_program_without_a_message() {
        let error = write(&mut Failing(ErrorKind::BrokenPipe), format_args!("x")).unwrap_err();
        assert!(error.is::<Closed>());
        let error = write(&mut Failing(ErrorKind::StorageFull), format_args!("x")).unwrap_err();
        assert_eq!(format!("{error:#}"), "cannot print: no storage space");
        let mut output = Vec::new();
        write(&mut output, format_args!("{}", 1)).unwrap();
        assert_eq!(output, b"1\n");
    }
}
