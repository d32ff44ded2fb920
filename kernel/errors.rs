//! evcxr's errors as the notebook shows them.

use crate::message;
use crate::relay::Failure;
use crate::types::Annotated;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use evcxr::{CompilationError, Error};
use jupyter_protocol::ReplyError;

const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// An error in the cell itself: it does not compile, or the child died. evcxr was given the cell annotated.
pub fn from_evcxr(error: &Error, cell: &str, annotated: &Annotated) -> ReplyError {
    match error {
        Error::CompilationErrors(errors) => from_compiler(errors, cell, annotated),
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

fn from_compiler(errors: &[CompilationError], cell: &str, annotated: &Annotated) -> ReplyError {
    // Summaries of rustc name no place, and add nothing here.
    let is_error = |error: &&CompilationError| {
        error.level() != "warning" && !error.message().starts_with("Some errors have detailed explanations")
    };
    let errors: Vec<_> = errors.iter().filter(is_error).collect();
    let summary =
        errors.first().map_or_else(|| "the cell does not compile".to_owned(), |error| error.message());
    let traceback = errors.iter().map(|error| render(error, cell, annotated)).collect();
    message::error("CompileError", &summary, traceback)
}

/// The error as rustc draws it, over the lines of the cell.
fn render(error: &CompilationError, cell: &str, annotated: &Annotated) -> String {
    let message = error.message();
    let title = Level::ERROR.primary_title(&message);
    let title = error.code().map_or(title.clone(), |code| title.id(code));
    let annotations = error.spanned_messages().iter().filter_map(|message| {
        let span = message.span.as_ref()?;
        let place = |line, column| annotated.original(byte(&annotated.code, line, column)).min(cell.len());
        let range = place(span.start_line, span.start_column)..place(span.end_line, span.end_column);
        let kind = if message.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        // Where rustc has no label, evcxr repeats the message.
        let label = Some(message.label.as_str()).filter(|label| !label.ends_with(&error.message()));
        Some(kind.span(range).label(label))
    });
    let annotations: Vec<_> = annotations.collect();
    let help = error.help();
    let mut group = annotate_snippets::Group::with_title(title);
    if !annotations.is_empty() {
        group = group.element(Snippet::source(cell).path("cell").annotations(annotations));
    }
    let group = group.elements(help.iter().map(|help| Level::HELP.message(help)));
    Renderer::styled().render(&[group])
}

/// The byte at a line and column, both counted from 1, columns in characters.
fn byte(cell: &str, line: usize, column: usize) -> usize {
    let start: usize = cell.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = cell[start..].lines().next().unwrap_or_default();
    start + text.char_indices().nth(column - 1).map_or(text.len(), |(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_lines_count_from_one() {
        let cell = "let ü = 1;\nlet ß = ü;\n";
        assert_eq!(&cell[byte(cell, 2, 9)..byte(cell, 2, 10)], "ü");
        assert_eq!(byte(cell, 1, 1), 0);
        assert_eq!(byte(cell, 2, 99), cell.len() - 1);
        assert_eq!(byte(cell, 9, 1), cell.len());
    }
}
