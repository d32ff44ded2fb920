//! The commands in the first lines of a cell, such as `:dep`, `:vars` or `!ls`, and where the Rust code starts after them.
//!
//! Every line that evcxr 0.22 takes for a command is a command here, too. In addition, any comment and any indentation may
//! precede a command, and a comment may follow it. Where evcxr already reads Rust, a line is a command only if it cannot be
//! Rust.

mod dependency;
mod table;
#[cfg(test)]
mod tests;

pub use dependency::Dependency;
pub use table::{Argument, COMMANDS, Specification};

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// The commands at the start of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Commands<'a> {
    /// The commands in order.
    pub commands: Vec<Command<'a>>,
    /// The byte where the Rust code starts: after the last command and the comments and empty lines that follow it. Doc
    /// comments of the first item belong to the code. In a cell without code, this is the end of the cell.
    pub code_start: usize,
}

/// A command, with its text as it is in the cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<'a> {
    /// A name such as `:dep`, or `!` for a line that a shell runs.
    pub name: &'a str,
    /// What follows the name, without surrounding spaces and without a trailing comment. It may be empty.
    pub argument: &'a str,
    /// The bytes of the cell from the name to the end of the argument.
    pub range: Range<usize>,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// One line of text.
    pub message: String,
    /// The bytes of the cell that it is about.
    pub range: Range<usize>,
}

impl Command<'_> {
    /// The bytes of the cell that the argument takes.
    pub fn argument_range(&self) -> Range<usize> {
        self.range.end - self.argument.len()..self.range.end
    }

    /// Whether the line goes to a shell.
    pub fn is_shell(&self) -> bool {
        self.name == SHELL
    }

    /// Its entry in the table of commands. `None` for an unknown command, and for a line that a shell runs.
    pub fn specification(&self) -> Option<&'static Specification> {
        COMMANDS.iter().find(|specification| specification.name == self.name)
    }

    /// The dependency that a `:dep` command adds, or what is wrong with its argument. `None` for other commands.
    pub fn dependency(&self) -> Option<Result<Dependency, Fault>> {
        let is_dependency = self.specification()?.argument == Argument::Dependency;
        let start = self.argument_range().start;
        let shifted = |fault: Fault| match self.argument {
            "" => Fault { range: self.range.clone(), ..fault },
            _ => Fault { range: fault.range.start + start..fault.range.end + start, ..fault },
        };
        is_dependency.then(|| Dependency::parse(self.argument).map_err(shifted))
    }

    /// What is wrong with the command, as far as its text shows.
    pub fn fault(&self) -> Option<Fault> {
        if self.is_shell() {
            return None;
        }
        let Some(specification) = self.specification() else {
            let name_end = self.range.start + self.name.len();
            return Some(Fault { message: table::unknown(self.name), range: self.range.start..name_end });
        };
        if let Some(dependency) = self.dependency() {
            return dependency.err();
        }
        let message = specification.refusal(self.argument)?;
        let range = if self.argument.is_empty() { self.range.clone() } else { self.argument_range() };
        Some(Fault { message, range })
    }
}

impl Display for Command<'_> {
    /// Writes the command as evcxr reads it: without indentation and comments.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let space = if self.is_shell() || self.argument.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}", self.name, self.argument)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

const SHELL: &str = "!";

/// Parses the commands of a cell.
pub fn commands(cell: &str) -> Commands<'_> {
    let mut commands = Vec::new();
    // Whether evcxr would still look for commands here, rather than read Rust.
    let mut evcxr_looks = true;
    // The start of the doc comments after the last command, which belong to the first item.
    let mut documentation = None;
    let mut position = 0;
    while position < cell.len() {
        let rest = &cell[position..];
        let line_length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest[..line_length].trim_end();
        let text = line.trim_start();
        let start = position + line.len() - text.len();
        if text.is_empty() {
            position += line_length;
        } else if let Some(length) = comment(&cell[start..]) {
            evcxr_looks &= text.starts_with("//") && start == position;
            if is_documentation(text) {
                documentation.get_or_insert(position);
            }
            position = start + length;
        } else if is_command(&line[..line.len() - text.len()], text, evcxr_looks) {
            commands.push(command(text, start));
            evcxr_looks = true;
            documentation = None;
            position += line_length;
        } else {
            return Commands { commands, code_start: documentation.unwrap_or(position) };
        }
    }
    Commands { commands, code_start: cell.len() }
}

/// Whether a line is a command. `text` is the line without its indentation.
fn is_command(indentation: &str, text: &str, evcxr_looks: bool) -> bool {
    let is_command_of_evcxr = evcxr_looks
        && (text.starts_with(':') && indentation.bytes().all(|byte| byte == b' ')
            || text.starts_with(SHELL) && indentation.is_empty());
    // No Rust code starts with a single colon, but a path may start with two.
    is_command_of_evcxr || (text.starts_with(':') && !text.starts_with("::"))
}

/// The command in a trimmed line that starts at byte `start` of the cell.
fn command(text: &str, start: usize) -> Command<'_> {
    let name_length = match text.strip_prefix(SHELL) {
        Some(_) => SHELL.len(),
        None => text.find(char::is_whitespace).unwrap_or(text.len()),
    };
    let (name, argument) = text.split_at(name_length);
    let argument =
        if name == SHELL { argument.trim_start_matches(SHELL).trim_start() } else { argument.trim_start() };
    let mut command = Command { name, argument, range: start..start + text.len() };
    if let Some(specification) = command.specification() {
        let argument = specification.without_comment(argument).trim_end();
        command.range.end -= command.argument.len() - argument.len();
        command.argument = argument;
        if argument.is_empty() {
            command = Command { name, argument: &name[name_length..], range: start..start + name_length };
        }
    }
    command
}

/// The length of the comment that a text starts with, if it starts with one. Block comments may be nested.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    let mut position = 0;
    while position < text.len() {
        let rest = &text.as_bytes()[position..];
        if rest.starts_with(b"/*") {
            (depth, position) = (depth + 1, position + 2);
        } else if rest.starts_with(b"*/") {
            (depth, position) = (depth - 1, position + 2);
            if depth == 0 {
                return Some(position);
            }
        } else {
            position += 1;
        }
    }
    None
}

fn is_documentation(comment: &str) -> bool {
    let starts = |prefix: &str, but: &[&str]| {
        comment.starts_with(prefix) && !but.iter().any(|longer| comment.starts_with(longer))
    };
    starts("//!", &[]) || starts("///", &["////"]) || starts("/*!", &[]) || starts("/**", &["/***", "/**/"])
}
