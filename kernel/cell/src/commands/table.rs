//! The table of commands: those of evcxr 0.22, and `:edition`, with the arguments that each accepts.

/// A command in general, as opposed to one in a cell.
#[derive(Debug, PartialEq)]
pub struct Specification {
    /// The name, with its colon.
    pub name: &'static str,
    pub argument: Argument,
    /// Its description in `:help`, the same as in evcxr.
    pub help: &'static str,
    /// The command that this is another name for.
    pub alias_of: Option<&'static str>,
}

/// What may follow the name of a command.
#[derive(Debug, PartialEq)]
pub enum Argument {
    /// Nothing. An argument is ignored, as it is in evcxr.
    Nothing,
    /// `0` or `1`, or nothing.
    Switch,
    /// One of these, or nothing.
    OneOf(&'static [&'static str]),
    /// A whole number, or nothing.
    Number,
    /// Text with this meaning, or nothing.
    Optional(&'static str),
    /// Text with this meaning.
    Required(&'static str),
    /// `key=value`.
    Assignment,
    /// A crate, see [`Dependency`](super::Dependency).
    Dependency,
}

impl Specification {
    /// The command with its argument in the notation of manuals: `:opt [0|1|2]`.
    pub fn usage(&self) -> String {
        let argument = match &self.argument {
            Argument::Nothing => return self.name.to_owned(),
            Argument::Switch => "[0|1]".to_owned(),
            Argument::OneOf(words) => format!("[{}]", words.join("|")),
            Argument::Number => "[number]".to_owned(),
            Argument::Optional(meaning) => format!("[{meaning}]"),
            Argument::Required(meaning) => format!("<{meaning}>"),
            Argument::Assignment => "<key>=<value>".to_owned(),
            Argument::Dependency => "<name> [= version or table]".to_owned(),
        };
        format!("{} {argument}", self.name)
    }

    /// The argument without a trailing comment, for commands whose argument cannot contain `//` or `#`.
    pub(super) fn without_comment<'a>(&self, argument: &'a str) -> &'a str {
        match self.argument {
            Argument::Optional(_) | Argument::Assignment => argument,
            Argument::Dependency => super::dependency::without_comment(argument),
            _ => without_separate_comment(argument),
        }
    }

    /// Why this command does not accept an argument; `None` if it does.
    pub(super) fn refusal(&self, argument: &str) -> Option<String> {
        let is_accepted = match &self.argument {
            Argument::Nothing | Argument::Optional(_) | Argument::Dependency => true,
            Argument::Required(_) => !argument.is_empty(),
            Argument::Assignment => argument.contains('='),
            Argument::Switch => matches!(argument, "" | "0" | "1"),
            Argument::OneOf(words) => argument.is_empty() || words.contains(&argument),
            Argument::Number => argument.is_empty() || argument.parse::<u64>().is_ok(),
        };
        let found = if argument.is_empty() { String::new() } else { format!(", found `{argument}`") };
        (!is_accepted).then(|| format!("expected `{}`{found}", self.usage()))
    }
}

/// An argument without a comment: `//` or `#` at its start or after a space, and everything after that.
pub(super) fn without_separate_comment(argument: &str) -> &str {
    let mut after_space = true;
    for (at, c) in argument.char_indices() {
        if after_space && (c == '#' || argument[at..].starts_with("//")) {
            return &argument[..at];
        }
        after_space = c.is_whitespace();
    }
    argument
}

/// The message for a command that does not exist.
pub(super) fn unknown(name: &str) -> String {
    if name.starts_with("::") {
        return format!("unknown command `{name}`; if this is Rust code, write `;` on the line before it");
    }
    let likeness = |specification: &Specification| strsim::jaro_winkler(specification.name, name);
    let nearest = COMMANDS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.map_or_else(String::new, Specification::usage);
    format!("unknown command `{name}`; did you mean `{nearest}`? `:help` lists all commands")
}

const fn command(name: &'static str, argument: Argument, help: &'static str) -> Specification {
    Specification { name, argument, help, alias_of: None }
}

/// All commands, in the order of their names.
pub const COMMANDS: &[Specification] = {
    use Argument::{Assignment, Dependency, Nothing, Number, OneOf, Optional, Required, Switch};
    &[
        command(":allow_static_linking", Switch, "Set whether to allow static linking of dependencies (0/1)"),
        command(":build_env", Assignment, "Set environment variables when building code (key=value)"),
        command(":cache", Number, "Set cache size in MiB, or 0 to disable."),
        command(":clear", Nothing, "Clear all state, keeping compilation cache"),
        command(":clear_cache", Nothing, "Clear the cache used by the :cache command"),
        command(":codegen_backend", Optional("backend"), "Set/print the codegen backend. Requires nightly"),
        command(":dep", Dependency, "Add dependency. e.g. :dep regex = \"1.0\""),
        command(":doc", Required("code"), "show the documentation of a variable, keyword, type or module"),
        command(
            ":edition",
            OneOf(&["2018", "2021", "2024"]),
            "Set the edition of Rust that cells are written in",
        ),
        command(":efmt", OneOf(&["{}", "{:?}", "{:#?}"]), "Set the formatter for errors returned by ?"),
        command(":env", Assignment, "Set an environment variable (key=value)"),
        command(":explain", Nothing, "Print explanation of last error"),
        command(":fmt", Optional("format"), "Set output formatter (default: {:?})"),
        command(":help", Nothing, "Print command help"),
        command(":internal_debug", Nothing, "Toggle various internal debugging code"),
        command(":last_compile_dir", Nothing, "Print the directory in which we last compiled"),
        command(":last_error_json", Nothing, "Print the last compilation error as JSON (for debugging)"),
        command(":linker", Optional("linker"), "Set/print linker. Supported: system, lld, mold"),
        command(
            ":load_config",
            OneOf(&["--quiet"]),
            "Reloads startup configuration files. Accepts optional flag `--quiet` to suppress logging.",
        ),
        command(":offline", Switch, "Set offline mode when invoking cargo (0/1)"),
        command(":opt", OneOf(&["0", "1", "2", "3", "s", "z"]), "Set optimization level (0/1/2)"),
        command(":preserve_vars_on_panic", Switch, "Try to keep vars on panic (0/1)"),
        command(":quit", Nothing, "Quit evaluation and exit"),
        command(":restart", Nothing, "Restart child process"),
        command(":sccache", Switch, "Set whether to use sccache (0/1)."),
        command(":show_deps", Nothing, "Show the current dependencies"),
        Specification {
            alias_of: Some(":type"),
            ..command(":t", Required("variable"), "Short version of :type")
        },
        command(":time_passes", Nothing, "Toggle printing of rustc pass times (requires nightly)"),
        command(":timing", Nothing, "Toggle printing of how long evaluations take"),
        command(":toolchain", Optional("toolchain"), "Set which toolchain to use (e.g. nightly)"),
        command(":type", Required("variable"), "Show variable type"),
        command(":types", Nothing, "Toggle printing of types"),
        command(":vars", Nothing, "List bound variables and their types"),
        command(":version", Nothing, "Print Evcxr version"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_in_order_and_aliases_have_what_they_stand_for() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        for alias in COMMANDS.iter().filter(|command| command.alias_of.is_some()) {
            let command = COMMANDS.iter().find(|command| Some(command.name) == alias.alias_of).unwrap();
            assert_eq!((&alias.argument, command.alias_of), (&command.argument, None), "{}", alias.name);
        }
    }

    #[test]
    fn a_misspelled_command_has_the_one_that_was_meant_nearest() {
        for (name, usage) in [
            (":dpe", ":dep <"),
            (":dependency", ":dep <"),
            (":variables", ":vars`"),
            (":Help", ":help`"),
            (":clear-cache", ":clear_cache`"),
            (":exit", ":explain`"),
            (":toolchian", ":toolchain ["),
        ] {
            assert!(unknown(name).contains(&format!("did you mean `{usage}")), "{}", unknown(name));
        }
    }
}
