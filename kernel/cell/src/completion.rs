//! Completion from text alone: names of the session and of the cell, members of their types, keywords, commands and crates. It
//! knows nothing of other crates and infers nothing, but it needs no time: it answers until rust-analyzer is ready, and where
//! there is nothing to analyze.

use crate::commands::{Argument, COMMANDS, Command, commands};
use crate::cursor::is_in_literal_or_comment;
use crate::syntax::{PRELUDE, parse_file};
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName};
use ra_ap_syntax::{SyntaxNode, TextSize};
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
const STANDARD: [&str; 3] = ["alloc", "core", "std"];

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
        Place::Dot(of) => fields_and_methods(&Scope::of(code, position, known), of),
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

fn fields_and_methods(scope: &Scope, receiver: &str) -> Vec<Word> {
    let variable = scope.variables.iter().rev().find(|(name, _)| name == receiver);
    variable.map_or_else(Vec::new, |(_, type_name)| scope.members(base(type_name), |member| member.of_value))
}

/// The name of a type without its path, its arguments and references to it: `Point` for `&mut geometry::Point<f32>`.
fn base(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or_default();
    let name = path.rsplit(|c: char| c == ':' || c.is_whitespace() || c == '&').next();
    name.unwrap_or_default()
}

/// What the session and the cell have defined.
struct Scope {
    /// The variables with their types, as far as they are written down; the nearest are last.
    variables: Vec<(String, String)>,
    items: Vec<ast::Item>,
}

/// A member of a type.
struct Member {
    word: Word,
    /// Whether it follows a value and a dot: fields and methods.
    of_value: bool,
    /// Whether it follows the type and two colons: all but fields.
    of_type: bool,
}

impl Scope {
    fn of(code: &str, position: usize, known: &Known) -> Self {
        let mut items = Vec::new();
        for definition in known.definitions {
            items.extend(parse_file(definition).tree().items());
        }
        let start = commands(code).code_start;
        let cell = parse_file(&format!("{PRELUDE}{}\n}}", &code[start..])).syntax_node();
        // The first is the function around the cell.
        items.extend(cell.descendants().filter_map(ast::Item::cast).skip(1));
        let end = TextSize::new((position.saturating_sub(start) + PRELUDE.len()) as u32);
        let here = cell.descendants().filter(|node| node.text_range().start() < end);
        let own = here.filter_map(ast::IdentPat::cast).filter_map(|pattern| variable(&pattern));
        Self { variables: known.variables.iter().cloned().chain(own).collect(), items }
    }

    /// The members of a type that the session or the cell has defined.
    fn members(&self, type_name: &str, is_wanted: impl Fn(&Member) -> bool) -> Vec<Word> {
        let is_named = |named: Option<ast::Name>| named.is_some_and(|name| name.text() == type_name);
        let mut members = Vec::new();
        for item in &self.items {
            match item {
                ast::Item::Struct(item) if is_named(item.name()) => {
                    if let Some(ast::FieldList::RecordFieldList(fields)) = item.field_list() {
                        let names = fields.fields().filter_map(|field| field.name());
                        members.extend(names.map(|name| Member::field(&name)));
                    }
                }
                ast::Item::Enum(item) if is_named(item.name()) => {
                    let variants = item.variant_list().into_iter().flat_map(|list| list.variants());
                    let names = variants.filter_map(|variant| variant.name());
                    members.extend(names.map(|name| Member::new(Kind::Variable, &name, false)));
                }
                ast::Item::Impl(block) => {
                    let of = block.self_ty().map(|of| of.syntax().text().to_string());
                    if of.is_some_and(|of| base(&of) == type_name) {
                        let items = block.assoc_item_list().into_iter().flat_map(|list| list.assoc_items());
                        members.extend(items.filter_map(|item| Member::of_impl(&item)));
                    }
                }
                _ => {}
            }
        }
        members.into_iter().filter(|member| is_wanted(member)).map(|member| member.word).collect()
    }
}

impl Member {
    fn new(kind: Kind, name: &ast::Name, of_value: bool) -> Self {
        Self { word: kind.word(name.text()), of_value, of_type: true }
    }

    fn field(name: &ast::Name) -> Self {
        Self { of_type: false, ..Self::new(Kind::Variable, name, true) }
    }

    fn of_impl(item: &ast::AssocItem) -> Option<Self> {
        Some(match item {
            ast::AssocItem::Fn(function) => {
                let has_self = function.param_list().is_some_and(|list| list.self_param().is_some());
                Self::new(Kind::Function, &function.name()?, has_self)
            }
            ast::AssocItem::Const(constant) => Self::new(Kind::Variable, &constant.name()?, false),
            ast::AssocItem::TypeAlias(alias) => Self::new(Kind::Type, &alias.name()?, false),
            ast::AssocItem::MacroCall(_) => return None,
        })
    }
}

/// A variable, with its type if that stands there: in a declaration, or as what makes the value.
fn variable(pattern: &ast::IdentPat) -> Option<(String, String)> {
    let name = pattern.name()?.text().to_string();
    let parent = pattern.syntax().parent()?;
    let text = |node: &SyntaxNode| node.text().to_string();
    let declared = |ty: Option<ast::Type>| ty.map(|ty| text(ty.syntax()));
    let type_name = if let Some(parameter) = ast::Param::cast(parent.clone()) {
        declared(parameter.ty())
    } else if let Some(definition) = ast::LetStmt::cast(parent) {
        declared(definition.ty()).or_else(|| made(&definition.initializer()?))
    } else {
        None
    };
    Some((name, type_name.unwrap_or_default()))
}

/// The type that an expression names: `Point` of `Point { x: 1 }` and of `Point::new(1)`, which need not return one.
fn made(expression: &ast::Expr) -> Option<String> {
    let path = match expression {
        ast::Expr::RecordExpr(record) => record.path(),
        ast::Expr::CallExpr(call) => match call.expr()? {
            ast::Expr::PathExpr(called) => called.path()?.qualifier().or_else(|| called.path()),
            _ => None,
        },
        ast::Expr::PathExpr(path) => path.path()?.qualifier().or_else(|| path.path()),
        ast::Expr::RefExpr(of) => return made(&of.expr()?),
        _ => None,
    };
    Some(path?.syntax().text().to_string())
}

/// The names that an item defines.
fn item_names(item: &ast::Item) -> Vec<Word> {
    let word =
        |kind: Kind, name: Option<ast::Name>| name.map(|name| kind.word(name.text())).into_iter().collect();
    match item {
        ast::Item::Const(item) => word(Kind::Variable, item.name()),
        ast::Item::Enum(item) => word(Kind::Type, item.name()),
        ast::Item::Fn(item) => word(Kind::Function, item.name()),
        ast::Item::MacroRules(item) => {
            item.name().map(|name| Kind::Function.word(&format!("{}!", name.text()))).into_iter().collect()
        }
        ast::Item::Module(item) => word(Kind::Module, item.name()),
        ast::Item::Static(item) => word(Kind::Variable, item.name()),
        ast::Item::Struct(item) => word(Kind::Type, item.name()),
        ast::Item::Trait(item) => word(Kind::Type, item.name()),
        ast::Item::TypeAlias(item) => word(Kind::Type, item.name()),
        ast::Item::Union(item) => word(Kind::Type, item.name()),
        ast::Item::Use(declaration) => declaration
            .syntax()
            .descendants()
            .filter_map(ast::UseTree::cast)
            .filter_map(|tree| imported(&tree))
            .collect(),
        _ => Vec::new(),
    }
}

/// The name that one branch of a `use` declaration imports.
fn imported(tree: &ast::UseTree) -> Option<Word> {
    if tree.star_token().is_some() || tree.use_tree_list().is_some() {
        return None;
    }
    let name = match tree.rename() {
        Some(rename) => rename.name()?.text().to_string(),
        None => match last_name(tree)?.as_str() {
            "self" => last_name(&tree.syntax().ancestors().filter_map(ast::UseTree::cast).nth(1)?)?,
            name => name.to_owned(),
        },
    };
    let kind = if name.starts_with(char::is_uppercase) { Kind::Type } else { Kind::Module };
    Some(kind.word(&name))
}

/// The last name of a path that is imported.
fn last_name(tree: &ast::UseTree) -> Option<String> {
    Some(tree.path()?.segment()?.name_ref()?.text().to_string())
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
            ("use |", "", &["lab", "itoa", "alloc", "core", "std"]),
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
