//! What commands print. Whoever reads it may stop reading at any time, as `head` does.

use anyhow::{Context, Result};
use std::fmt::{self, Arguments};
use std::io::{self, ErrorKind, Write};

/// Nobody reads what this program prints any more: the reason to end, but none to complain.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for Closed {}

/// Prints a line on standard output.
///
/// # Errors
/// [`Closed`] if nobody reads it any more.
pub fn print(line: Arguments) -> Result<()> {
    write(&mut io::stdout().lock(), line)
}

fn write(output: &mut impl Write, line: Arguments) -> Result<()> {
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("cannot print"),
    }
}

/// Prints a line on standard error, where it is no error if nobody reads it.
pub fn warn(line: Arguments) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints a line on standard output, formatted as by `println!`; an error if that fails. See [`print()`].
macro_rules! say {
    ($($format:tt)*) => { $crate::terminal::print(format_args!($($format)*)) };
}

/// Prints a line on standard error, formatted as by `eprintln!`. See [`warn`].
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
    fn only_a_broken_pipe_is_no_reason_to_complain() {
        let error = write(&mut Failing(ErrorKind::BrokenPipe), format_args!("x")).unwrap_err();
        assert!(error.is::<Closed>());
        let error = write(&mut Failing(ErrorKind::StorageFull), format_args!("x")).unwrap_err();
        assert_eq!(format!("{error:#}"), "cannot print: no storage space");
        let mut output = Vec::new();
        write(&mut output, format_args!("{}", 1)).unwrap();
        assert_eq!(output, b"1\n");
    }
}
