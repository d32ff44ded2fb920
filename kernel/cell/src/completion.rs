//! Completion from text alone: names of the session and of the cell, members of their types, keywords, commands and crates. It
//! knows nothing of other crates and infers nothing, but it needs no time: it answers until rust-analyzer is ready, and where
//! there is nothing to analyze.

mod scope;

use crate::commands::{Argument, COMMANDS, Command, commands};
use crate::cursor::is_in_literal_or_comment;
use scope::{Scope, item_names};
use std::collections::BTreeSet;
use std::ops::Range;

/// What is known of a session.
pub struct Known<'a> {
    /// The variables with their types.
    pub variables: &'a [(String, String)],
    /// The items, as code.
    pub definitions: &'a [String],
    /// The crates that code can name.
    pub crates: &'a [String],
    /// The crates that can be had without a network.
    pub available: &'a dyn Fn() -> Vec<String>,
}

/// One completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub text: String,
    pub kind: Kind,
}

/// What a completion is, as far as clients distinguish it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Variable,
    Function,
    Type,
    Module,
    Keyword,
    Command,
}

impl Kind {
    /// The name of the kind in Jupyter's protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Variable => "instance",
            Self::Function => "function",
            Self::Type => "class",
            Self::Module => "module",
            Self::Keyword => "keyword",
            Self::Command => "magic",
        }
    }
}

/// Keywords that code can begin an expression, a statement or an item with, or that go on with one.
const KEYWORDS: [&str; 34] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "static", "struct", "trait", "true", "type", "unsafe", "use", "where",
];
/// The crates that all code can name.
const STANDARD: [&str; 2] = ["core", "std"];

/// What stands before a completion.
enum Place<'a> {
    /// A command's name.
    Command,
    /// A `:dep` command's crate.
    Dependency,
    /// A `use` declaration.
    Import,
    /// A dot, and this name before it.
    Dot(&'a str),
    /// Two colons, and this name before them.
    Colons(&'a str),
    Anything,
    /// A string, a comment, or an argument.
    Nothing,
}

/// Whether text is all there is to go by: in commands, comments and strings.
pub fn is_plain(code: &str, position: usize) -> bool {
    matches!(place(code, position).0, Place::Command | Place::Dependency | Place::Nothing)
}

/// The completions at a byte of the cell, and the bytes that they replace.
pub fn complete(code: &str, position: usize, known: &Known) -> (Range<usize>, Vec<Word>) {
    let (place, range) = place(code, position);
    let word = &code[range.clone()];
    let found = match place {
        Place::Nothing => Vec::new(),
        Place::Command => COMMANDS.iter().map(|command| Kind::Command.word(command.name)).collect(),
        Place::Dependency => (known.available)().iter().map(|name| Kind::Module.word(name)).collect(),
        Place::Import => crates(known).collect(),
        Place::Dot(of) => Scope::of(code, position, known).fields_and_methods(of),
        Place::Colons(of) => Scope::of(code, position, known).members(of, |member| member.of_type),
        Place::Anything => names(&Scope::of(code, position, known), word, known),
    };
    let mut seen = BTreeSet::new();
    let is_fit =
        |found: &Word| found.text.starts_with(word) && found.text != word && seen.insert(found.text.clone());
    let found: Vec<Word> = found.into_iter().filter(is_fit).collect();
    (if found.is_empty() { position..position } else { range }, found)
}

impl Kind {
    fn word(self, text: &str) -> Word {
        Word { text: text.to_owned(), kind: self }
    }
}

/// What stands before the word at a byte, and the bytes of the word up to there.
fn place(code: &str, position: usize) -> (Place<'_>, Range<usize>) {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let start = code[..position].trim_end_matches(is_letter).len();
    let found = commands(code).commands;
    let is_around = |command: &&Command| {
        command.range.start <= position && !code[command.range.start..position].contains('\n')
    };
    if let Some(command) = found.iter().rev().find(is_around) {
        let name = command.range.start..command.range.start + command.name.len();
        let takes_crate =
            || command.specification().is_some_and(|known| known.argument == Argument::Dependency);
        return match code.get(name.end..position) {
            None | Some("") if !command.is_shell() => (Place::Command, name.start..position),
            Some(argument) if takes_crate() => {
                let name = argument.trim_start();
                let is_name = name.chars().all(|c| is_letter(c) || c == '-');
                let place = if is_name { Place::Dependency } else { Place::Nothing };
                (place, position - name.len()..position)
            }
            _ => (Place::Nothing, position..position),
        };
    }
    if code[..position].trim_start() == ":" {
        return (Place::Command, position - 1..position);
    }
    if is_in_literal_or_comment(code, position) {
        return (Place::Nothing, position..position);
    }
    let before = code[..start].trim_end();
    let last = |text: &'_ str| text.trim_end().trim_end_matches(is_letter).len();
    let place = if let Some(path) = before.strip_suffix("::") {
        Place::Colons(&path.trim_end()[last(path)..])
    } else if let Some(receiver) = before.strip_suffix('.').filter(|receiver| !receiver.ends_with('.')) {
        Place::Dot(&receiver.trim_end()[last(receiver)..])
    } else if matches!(&before[last(before)..], "use") && before.len() < start {
        Place::Import
    } else {
        Place::Anything
    };
    (place, start..position)
}

fn crates<'a>(known: &Known<'a>) -> impl Iterator<Item = Word> + use<'a> {
    known.crates.iter().map(String::as_str).chain(STANDARD).map(|name| Kind::Module.word(name))
}

/// All that can be named at the place. Without a word, only what the session and the cell have defined.
fn names(scope: &Scope, word: &str, known: &Known) -> Vec<Word> {
    let variables = scope.variables.iter().rev().map(|(name, _)| Kind::Variable.word(name));
    let mut found: Vec<Word> = variables.chain(scope.items.iter().flat_map(item_names)).collect();
    if !word.is_empty() {
        found.extend(crates(known));
        found.extend(KEYWORDS.map(|keyword| Kind::Keyword.word(keyword)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What completes the code at the `|` in a session, with the word that it replaces.
    fn completed(code: &str) -> (String, Vec<String>) {
        let position = code.find('|').unwrap();
        let code = code.replacen('|', "", 1);
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let variables =
            [("point", "geometry::Point"), ("points", "Vec<Point>"), ("r#type", "&mut Shape<'static>")];
        let known = Known {
            variables: &variables.map(|(name, type_name)| (name.to_owned(), type_name.to_owned())),
            definitions: &texts(&[
                "/// A place.\npub struct Point { x: f32, y: f32 }",
                "impl Point { fn new() -> Self { loop {} } fn norm(&self) -> f32 { 0. } const ZERO: f32 = 0.; }",
                "enum Shape<'a> { Circle, Square(&'a str) }",
                "impl<'a> Draw for Shape<'a> { fn draw(&self) {} }",
                "use std::fmt::{self, Display as Show, Write};",
                "macro_rules! square { () => {} }",
                "fn polar() {}",
            ]),
            crates: &texts(&["lab", "itoa"]),
            available: &|| vec!["itoa".to_owned(), "serde".to_owned(), "serde_json".to_owned()],
        };
        let (range, found) = complete(&code, position, &known);
        (code[range].to_owned(), found.into_iter().map(|word| word.text).collect())
    }

    fn assert_completed(table: &[(&str, &str, &[&str])]) {
        for (code, word, expected) in table {
            let expected = expected.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(completed(code), ((*word).to_owned(), expected), "{code}");
        }
    }

    #[test]
    fn names_of_the_session_and_of_the_cell_are_completed() {
        assert_completed(&[
            ("po|", "po", &["points", "point", "polar"]),
            ("let pole = 1; let port; po| + pot", "po", &["port", "pole", "points", "point", "polar"]),
            ("po|; let pole = 1;", "po", &["points", "point", "polar"]),
            ("Po|", "Po", &["Point"]),
            ("squ|", "squ", &["square!"]),
            ("Wri|", "Wri", &["Write"]),
            ("Sh|", "Sh", &["Shape", "Show"]),
            ("fm|", "fm", &["fmt"]),
            ("fn area(side: f32) -> f32 { si|", "si", &["side"]),
            ("for (index, line) in v { print(ind|", "ind", &["index"]),
            ("struct Line; Li|", "Li", &["Line"]),
            ("ma|", "ma", &["match"]),
            ("it|", "it", &["itoa"]),
            ("let größe = 1; grö|", "grö", &["größe"]),
            ("no_such|", "", &[]),
        ]);
    }

    #[test]
    fn members_of_types_that_the_session_or_the_cell_defines_are_completed() {
        assert_completed(&[
            ("point.|", "", &["x", "y", "norm"]),
            ("1 + point.no|", "no", &["norm"]),
            ("Point::|", "", &["new", "norm", "ZERO"]),
            ("Shape::Ci|", "Ci", &["Circle"]),
            ("let p = Point::new(); p.n|", "n", &["norm"]),
            ("let p = Point { x: 1., y: 2. }; p.n|", "n", &["norm"]),
            ("fn f(p: &Point) { p.n|", "n", &["norm"]),
            ("struct Line { from: Point } let l: Line = f(); l.|", "", &["from"]),
            ("points.|", "", &[]),
            ("0..po|", "po", &["points", "point", "polar"]),
            ("point.x.|", "", &[]),
        ]);
    }

    #[test]
    fn commands_and_crates_are_completed() {
        assert_completed(&[
            (":cl|", ":cl", &[":clear", ":clear_cache"]),
            (":dep itoa\n:ver|", ":ver", &[":version"]),
            (":dep it|", "it", &["itoa"]),
            (":dep |", "", &["itoa", "serde", "serde_json"]),
            (":dep serde_|", "serde_", &["serde_json"]),
            (":dep serde = \"1|", "", &[]),
            (":vars |", "", &[]),
            ("!ls |", "", &[]),
            ("use it|", "it", &["itoa"]),
            ("use |", "", &["lab", "itoa", "core", "std"]),
            ("use itoa::|", "", &[]),
        ]);
        assert_eq!(completed(":|").1.len(), COMMANDS.len());
    }

    #[test]
    fn nothing_is_completed_in_strings_and_comments() {
        assert_completed(&[("\"po|\"", "", &[]), ("1 // po|", "", &[]), ("/* po| */", "", &[])]);
        for (code, expected) in
            [(":de|", true), ("// a|", true), (":dep it|", true), ("po|", false), ("use |", false)]
        {
            assert_eq!(is_plain(&code.replace('|', ""), code.len() - 1), expected, "{code}");
        }
    }
}
