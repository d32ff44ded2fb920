//! Prints to the terminal. The reader of the output may stop reading at any time, as `head` does.

use anyhow::{Context, Result};
use std::fmt::{self, Arguments};
use std::io::{self, ErrorKind, Write};

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
