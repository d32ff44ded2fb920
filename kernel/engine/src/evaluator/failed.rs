//! The reasons for which a cell cannot be evaluated.

use crate::diagnostics::Diagnostic;
use crate::errors;
use evcxr::Error;
use jupyter_protocol::ReplyError;

/// Why a cell could not be evaluated.
pub enum Failed {
    /// The process that ran the cell has ended, so all variables are lost. Holds evcxr's message, which has the exit status.
    Ended(String),
    /// Another error of evcxr's.
    Evcxr(Error),
    /// A command is malformed or cannot be carried out; nothing after it has run.
    Command(Vec<Diagnostic>),
    /// evcxr.toml is malformed, or one of its commands or its prelude fails; one line of text.
    Config(anyhow::Error),
    /// The cell does not compile.
    Compiler(Vec<Diagnostic>),
    /// The type of a new variable cannot be named, so the variable cannot be kept.
    Unnameable(String),
    /// An error of the kernel itself.
    Kernel(anyhow::Error),
    /// The cell contains `:quit`.
    Quit,
    /// The warm environment has been removed or damaged.
    Environment,
    /// The session's folder has been removed.
    Folder,
    /// A crate, or the notebook's `lab`, cannot be downloaded or built.
    Dependency(anyhow::Error),
}

impl Failed {
    /// The error as the notebook shows it.
    pub fn into_reply(self) -> ReplyError {
        match self {
            Self::Ended(status) => errors::process_ended(&status, &[]),
            Self::Evcxr(error) => errors::from_evcxr(&error),
            Self::Command(faults) => errors::from_commands(&faults),
            Self::Config(error) => errors::plain("ConfigError", &format!("{error:#}")),
            Self::Compiler(diagnostics) => errors::from_compiler(&diagnostics)
                .unwrap_or_else(|| errors::plain("CompileError", "the cell does not compile")),
            Self::Unnameable(text) => errors::plain("TypeError", &text),
            Self::Kernel(error) => errors::from_kernel(&error),
            Self::Quit => errors::plain(
                "CommandError",
                "`:quit` would end the kernel, and with it all variables. Jupyter's menu can do that: Kernel, Shut Down",
            ),
            Self::Environment => errors::plain(
                "KernelError",
                "the warm environment has been removed or damaged: run `taper install`, and then this cell again",
            ),
            Self::Folder => errors::plain(
                "KernelError",
                "the folder of this session has been removed, and no cell can be compiled any more: restart the kernel",
            ),
            Self::Dependency(error) => errors::from_dependency(&error),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::SubprocessTerminated(status) => Self::Ended(status),
            error => Self::Evcxr(error),
        }
    }
}
