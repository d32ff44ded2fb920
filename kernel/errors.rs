//! evcxr's errors as the notebook shows them.

use crate::message;
use crate::relay::Failure;
use ariadne::sources;
use evcxr::{CompilationError, Error, Theme};
use jupyter_protocol::ReplyError;

const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// An error in the cell itself: it does not compile, or the child died.
pub fn from_evcxr(error: &Error, cell: &str) -> ReplyError {
    match error {
        Error::CompilationErrors(errors) => from_compiler(errors, cell),
        Error::SubprocessTerminated(reason) => {
            let reason = reason.trim().trim_start_matches("Subprocess terminated with status: ");
            let message = format!("the process that runs the cells ended ({reason}); all variables are gone");
            plain("ProcessEnded", &message)
        }
        Error::TypeRedefinedVariablesLost(names) => plain(
            "VariablesLost",
            &format!("their types were redefined, so they are gone: {}", names.join(", ")),
        ),
        Error::Message(text) => plain("Error", text),
    }
}

/// A panic or a failed `?`.
pub fn from_failure(failure: &Failure) -> ReplyError {
    plain(&failure.name, &failure.message)
}

/// An error without further structure.
pub fn plain(name: &str, text: &str) -> ReplyError {
    let lines = format!("{RED}{name}{RESET}: {text}").lines().map(str::to_owned).collect();
    message::error(name, text, lines)
}

fn from_compiler(errors: &[CompilationError], cell: &str) -> ReplyError {
    let errors: Vec<_> = errors.iter().filter(|error| error.level() != "warning").collect();
    let summary =
        errors.first().map_or_else(|| "the cell does not compile".to_owned(), |error| error.message());
    let traceback = errors.iter().flat_map(|error| render(error, cell)).collect();
    message::error("CompileError", &summary, traceback)
}

/// The error with the lines of the cell that it concerns.
fn render(error: &CompilationError, cell: &str) -> Vec<String> {
    let mut rendered = Vec::new();
    // The report needs an ASCII source with the spans inside it.
    if error.spanned_messages().iter().any(|message| message.span.is_some())
        && let Some(report) = error.build_report("cell".into(), cell.to_owned(), Theme::Light)
        && report.write(sources([("cell".to_owned(), cell.to_owned())]), &mut rendered).is_ok()
    {
        return String::from_utf8_lossy(&rendered).lines().map(str::to_owned).collect();
    }
    let code = error.code().map(|code| format!("[{code}]")).unwrap_or_default();
    let mut lines = vec![format!("{RED}error{code}{RESET}: {}", error.message())];
    for message in error.spanned_messages() {
        if let Some(span) = &message.span {
            let source = cell.lines().nth(span.start_line - 1).unwrap_or_default();
            lines.push(format!("{:>4} | {source}", span.start_line));
            let width =
                if span.end_line == span.start_line { span.end_column - span.start_column } else { 1 };
            let marks = "^".repeat(width.max(1));
            lines.push(format!(
                "     | {}{RED}{marks} {}{RESET}",
                " ".repeat(span.start_column - 1),
                message.label
            ));
        }
    }
    lines.extend(error.help().iter().map(|help| format!("help: {help}")));
    lines
}
