//! The commands in the first lines of a cell, such as `:dep`, `:vars` or `!ls`, and where the Rust code starts after them.
//!
//! Every line that evcxr 0.22 takes for a command is one here. Besides, any comment and any indentation may stand before
//! a command, and a comment after it. Where evcxr would already be reading Rust, only what cannot be Rust is a command.

mod dependency;
mod table;

pub use dependency::Dependency;
pub use table::{Argument, COMMANDS, Specification};

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// What a cell starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct Commands<'a> {
    /// The commands in order.
    pub commands: Vec<Command<'a>>,
    /// The byte where the Rust code starts: after the last command, the comments that follow it, and empty lines.
    /// Documentation of the first item belongs to the code. It is the end of a cell without code.
    pub code_start: usize,
}

/// A command; its text is as in the cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<'a> {
    /// `:dep` and the like, or `!` for a line that a shell runs.
    pub name: &'a str,
    /// What follows the name, without spaces around it and without a comment after it; may be empty.
    pub argument: &'a str,
    /// The bytes of the cell from the name to the end of the argument.
    pub range: Range<usize>,
}

/// What is wrong with a command: one line of text, and the bytes of the cell that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub message: String,
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

    /// What is known of the command; `None` for one that there is not, and for a shell's.
    pub fn specification(&self) -> Option<&'static Specification> {
        COMMANDS.iter().find(|specification| specification.name == self.name)
    }

    /// The dependency that a `:dep` adds, or what is wrong with its argument. `None` for other commands.
    pub fn dependency(&self) -> Option<Result<Dependency, Fault>> {
        let is_dependency = self.specification()?.argument == Argument::Dependency;
        let start = self.argument_range().start;
        let shifted = |fault: Fault| match self.argument {
            "" => Fault { range: self.range.clone(), ..fault },
            _ => Fault { range: fault.range.start + start..fault.range.end + start, ..fault },
        };
        is_dependency.then(|| Dependency::parse(self.argument).map_err(shifted))
    }

    /// What is wrong with the command, as far as its text tells.
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
    /// The command as evcxr reads it: without indentation and comments.
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

/// Reads the commands of a cell.
pub fn commands(cell: &str) -> Commands<'_> {
    let mut commands = Vec::new();
    // Whether evcxr, too, still looks for commands, rather than reading Rust.
    let mut evcxr_looks = true;
    // Documentation after the last command: it is that of the first item.
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

/// Whether a line, here without its indentation, is a command.
fn is_command(indentation: &str, text: &str, evcxr_looks: bool) -> bool {
    let is_evcxrs = evcxr_looks
        && (text.starts_with(':') && indentation.bytes().all(|byte| byte == b' ')
            || text.starts_with(SHELL) && indentation.is_empty());
    // No Rust code starts with a single colon, but a path may start with two.
    is_evcxrs || (text.starts_with(':') && !text.starts_with("::"))
}

/// The command in a line without the space around it, which starts at a byte of the cell.
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

/// The length of the comment that a text starts with. A block comment ends where those within it have ended.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a cell as evcxr reads them, and its code.
    fn read(cell: &str) -> (Vec<String>, &str) {
        let Commands { commands, code_start } = commands(cell);
        for command in &commands {
            let range = command.range.clone();
            assert!(
                cell[range].starts_with(command.name) && cell[command.argument_range()] == *command.argument
            );
        }
        (commands.iter().map(Command::to_string).collect(), &cell[code_start..])
    }

    #[test]
    fn commands_are_found_where_evcxr_finds_them() {
        for (cell, commands, code) in [
            ("", &[][..], ""),
            (":vars", &[":vars"], ""),
            (":vars\n", &[":vars"], ""),
            ("  :vars  \nx", &[":vars"], "x"),
            (":dep a\n\n// note\n:dep b\nlet x = 1;\n:dep c", &[":dep a", ":dep b"], "let x = 1;\n:dep c"),
            (":dep a\r\n\r\n:dep b = \"1\"\r\nx\r\n", &[":dep a", ":dep b = \"1\""], "x\r\n"),
            (":env A=a//b # c", &[":env A=a//b # c"], ""),
            (":fmt {:#?}", &[":fmt {:#?}"], ""),
            (":no such", &[":no such"], ""),
            (":", &[":"], ""),
            ("::std::process::abort()", &["::std::process::abort()"], ""),
            ("!ls -l\n!!  curl http://a // b\nx", &["!ls -l", "!curl http://a // b"], "x"),
            ("!", &["!"], ""),
            (" !done", &[], " !done"),
            ("// a\n!ls", &["!ls"], ""),
            ("/// Doc\n:dep a\nx", &[":dep a"], "x"),
            ("//! Doc\n:dep a\nx", &[":dep a"], "x"),
            ("x\n:vars", &[], "x\n:vars"),
            ("x // :vars", &[], "x // :vars"),
            ("\"\n:vars\"", &[], "\"\n:vars\""),
        ] {
            assert_eq!(read(cell), (commands.iter().map(|&text| text.into()).collect(), code), "{cell:?}");
        }
    }

    /// Where the lines start that evcxr 0.22 takes for commands; its `CodeBlock::from_original_user_code` in short.
    fn evcxrs_commands(cell: &str) -> Vec<usize> {
        let mut places = Vec::new();
        for line in cell.lines() {
            if line.starts_with('!') || line.trim_start_matches(' ').starts_with(':') {
                places.push(line.as_ptr().addr() - cell.as_ptr().addr());
            } else if !line.starts_with("//") && !line.trim().is_empty() {
                break;
            }
        }
        places
    }

    #[test]
    fn every_command_of_evcxr_is_one_here_whatever_the_lines_around_it() {
        let lines = [
            ":a b",
            "  :a ",
            "\t:a",
            "::p()",
            "!ls",
            " !ls",
            "// c",
            " // c",
            "/// d",
            "//! d",
            "/* c */",
            "/* c */ :a",
            "/*",
            "*/",
            "",
            " \t",
            "x",
        ];
        let count = lines.len();
        for number in 0..2 * count.pow(3) {
            let line = |place: u32| lines[number / 2 / count.pow(place) % count];
            let cell = [line(0), line(1), line(2), ":z"].join(["\n", "\r\n"][number % 2]);
            let starts = commands(&cell).commands.into_iter().map(|command| command.range.start);
            let of_line = |start| cell[..start].rfind('\n').map_or(0, |end: usize| end + 1);
            let places: Vec<usize> = starts.map(of_line).collect();
            assert!(places.starts_with(&evcxrs_commands(&cell)), "{cell:?}: {places:?}");
        }
    }

    #[test]
    fn any_comment_and_any_space_may_stand_before_a_command() {
        for cell in [
            "  // note\n:dep a\nx",
            "\t// note\n:dep a\nx",
            "/* note */\n:dep a\nx",
            "/* note */ :dep a\nx",
            "/* more\n   lines\n */\n:dep a\nx",
            "/* more\r\n   lines\r\n */\r\n:dep a\r\nx",
            "/* a /* nested\n*/ :dep b\n*/\n:dep a\nx",
            "/**/ /***/ // */\n:dep a\nx",
            "/** Doc */\n:dep a\nx",
            "\t:dep a\nx",
            " \t :dep\ta\t\nx",
            "\u{a0}\n:dep a\nx",
        ] {
            assert_eq!(read(cell), (vec![":dep a".into()], "x"), "{cell:?}");
        }
    }

    #[test]
    fn where_evcxr_reads_rust_only_what_cannot_be_rust_is_a_command() {
        for (cell, code) in [
            (" // note\n!done", "!done"),
            ("/* note */\n!done", "!done"),
            ("/* note */ ::std::process::abort()", " ::std::process::abort()"),
            ("\t::std::process::abort()", "\t::std::process::abort()"),
            ("/* without an end\n:dep a", "/* without an end\n:dep a"),
        ] {
            assert_eq!(read(cell), (vec![], code), "{cell:?}");
        }
        // After a command there is no Rust that evcxr could be reading.
        let cell = "/* note */\n:dep a\n!ls\nx";
        assert_eq!(read(cell), (vec![":dep a".into(), "!ls".into()], "x"));
    }

    #[test]
    fn a_comment_may_follow_a_command_whose_argument_cannot_hold_it() {
        for (cell, command) in [
            (":dep a // note", ":dep a"),
            (":dep a = \"1\" # note", ":dep a = \"1\""),
            (":dep ./a // note", ":dep ./a"),
            (":opt 3 // note", ":opt 3"),
            (":efmt {:#?} // note", ":efmt {:#?}"),
            (":vars // note", ":vars"),
            (":type x # note", ":type x"),
            (":toolchain a // b", ":toolchain a // b"),
        ] {
            assert_eq!(read(cell), (vec![command.into()], ""), "{cell:?}");
        }
    }

    #[test]
    fn documentation_and_attributes_before_code_belong_to_it() {
        for cell in [
            "/// Doc\nfn f() {}",
            "    /// Doc\n// note\n\nfn f() {}",
            "//! Doc\nfn f() {}",
            "/** Doc */ fn f() {}",
            "/*! Doc\n */\nfn f() {}",
            "#![allow(unused)]\nfn f() {}",
            "#[derive(Debug)]\nstruct A;",
        ] {
            assert_eq!(read(cell), (vec![], cell), "{cell:?}");
        }
        for (cell, code) in [
            ("// note\n/// Doc\nx", "/// Doc\nx"),
            ("/// one\n:vars\n/// two\nx", "/// two\nx"),
            ("//// line\n/*** stars */\n/**/ x", " x"),
            ("/// of nothing\n", ""),
        ] {
            assert_eq!(read(cell).1, code, "{cell:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said_with_its_place_in_the_cell() {
        for (cell, place, message) in [
            (
                "// ü\n:vras x",
                ":vras",
                "there is no command `:vras`; the nearest is `:vars`, and `:help` lists all",
            ),
            (
                ":deps a",
                ":deps",
                "there is no command `:deps`; the nearest is `:dep <name> [= version or table]`, and `:help` lists all",
            ),
            (
                "::f()",
                "::f()",
                "there is no command `::f()`; if it is Rust code, write `;` on a line before it",
            ),
            (":opt 7", "7", "the command is `:opt [0|1|2|3|s|z]`, not `7`"),
            (":offline yes", "yes", "the command is `:offline [0|1]`, not `yes`"),
            (":cache 1GB", "1GB", "the command is `:cache [number]`, not `1GB`"),
            (":type // x", ":type", "the command is `:type <variable>`"),
            (" :dep // x", ":dep", "`:dep` names no crate; an example is `:dep regex = \"1\"`"),
            (":env A", "A", "the command is `:env <key>=<value>`, not `A`"),
            ("\t:dep a = 1 // ü", "1", "a version stands in quotes: `a = \"1\"`"),
        ] {
            let read = commands(cell);
            let fault = read.commands[0].fault().expect(cell);
            assert_eq!((&cell[fault.range.clone()], &*fault.message), (place, message), "{cell:?}");
        }
        for cell in [":vars", ":opt", ":opt s", ":cache 500", ":efmt {:#?}", ":dep a", "!no such", ":t x"] {
            assert_eq!(commands(cell).commands[0].fault(), None, "{cell}");
        }
    }

    #[test]
    fn only_dep_adds_a_dependency() {
        let read = commands(":vars\n:dep lab = { path = 'lab' } // note");
        assert_eq!(read.commands[0].dependency(), None);
        assert_eq!(read.commands[1].dependency().unwrap().unwrap().path(), Some("lab"));
    }

    #[test]
    fn whatever_follows_dep_its_fault_is_one_line_about_a_part_of_the_cell() {
        let parts =
            ["ü", "a", " ", "=", "\"", "'", "{", "}", "[", "]", "1", ",", "\\", "/", "#", ".", "@", "\r"];
        for number in 0..parts.len().pow(4) {
            let part = |place: u32| parts[number / parts.len().pow(place) % parts.len()];
            let cell = format!("// ü\n:dep {}{}{}{}", part(3), part(2), part(1), part(0));
            let command = commands(&cell).commands.pop().expect(&cell);
            match command.dependency().unwrap() {
                Ok(dependency) => {
                    assert!(dependency.name.is_some() || dependency.path().is_some(), "{cell:?}")
                }
                Err(fault) => {
                    assert!(cell.get(fault.range.clone()).is_some(), "{cell:?}: {fault:?}");
                    assert!(fault.range.start >= command.range.start, "{cell:?}: {fault:?}");
                    assert!(
                        !fault.message.is_empty() && !fault.message.contains('\n'),
                        "{cell:?}: {fault:?}"
                    );
                }
            }
        }
    }
}
