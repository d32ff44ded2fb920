//! Why a cell could not be evaluated.

use crate::diagnostics::Diagnostic;
use crate::errors;
use evcxr::Error;
use jupyter_protocol::ReplyError;

/// Why a cell could not be evaluated.
pub enum Failed {
    /// The process that ran the cell has ended, and with it all variables; evcxr's account of it.
    Ended(String),
    Evcxr(Error),
    /// A command is at fault, and nothing after it has run.
    Command(Vec<Diagnostic>),
    /// evcxr.toml, or what it asks for; a line of text.
    Config(anyhow::Error),
    /// The cell does not compile.
    Compiler(Vec<Diagnostic>),
    /// A new variable has a type that cannot be kept.
    Unnameable(String),
    /// The kernel itself could not do its part.
    Kernel(anyhow::Error),
    /// The cell asks for the end of the kernel.
    Quit,
    /// What cells are linked with is not what was built.
    Environment,
    /// The session's folder is gone.
    Folder,
    /// The notebook's `lab`, or another crate, cannot be had.
    Dependency(anyhow::Error),
}

impl Failed {
    /// As the notebook shows it.
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
