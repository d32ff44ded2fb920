//! The parser of cells: commands first, then Rust statements, perhaps with a final expression.

use crate::bindings::{Binding, bindings};
use crate::commands::commands;
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName, Stmt};
use ra_ap_syntax::{Edition, Parse, SourceFile, SyntaxKind, SyntaxNode, TextRange, TextSize};
use std::collections::BTreeSet;
use std::ops::Range;

/// The editions that cells may be written in, the newest first.
const EDITIONS: [Edition; 3] = [Edition::Edition2024, Edition::Edition2021, Edition::Edition2018];
/// The text before a cell's statements that makes them parse as a file.
pub(crate) const PRELUDE: &str = "fn cell(){";

/// A parsed cell.
pub struct Cell {
    /// Where the Rust code starts, after commands such as `:dep`.
    pub code_start: usize,
    /// The variables that the `let` statements of the cell's own scope define, in order.
    pub bindings: Vec<Binding>,
    /// The statements and items of the cell's own scope, without the comments between them.
    pub pieces: Vec<Piece>,
    /// The final expression, if there is one. Its value is the result of the cell.
    pub result: Option<Range<usize>>,
    /// The first syntax error, and its byte in the cell.
    pub syntax_error: Option<(String, usize)>,
}

/// A statement, an item, or the final expression.
pub struct Piece {
    /// Its bytes in the cell.
    pub range: Range<usize>,
    pub node: SyntaxNode,
}

impl Piece {
    /// Whether it is an item, such as a function or a `use` declaration, which later cells see too.
    pub fn is_item(&self) -> bool {
        ast::Item::can_cast(self.node.kind()) && !ast::MacroCall::can_cast(self.node.kind())
    }

    /// Whether it is an attribute of the whole crate, such as `#![feature(…)]`.
    pub fn is_inner_attribute(&self) -> bool {
        ast::Attr::cast(self.node.clone()).is_some_and(|attribute| attribute.excl_token().is_some())
    }
}

impl Cell {
    /// The identifiers in the statements, and the words in their strings, because a format string such as that of
    /// `println!("{x}")` may name variables. Every variable that the statements use is among them. Items and the pieces at
    /// the ranges in `excluded` are left out.
    pub fn words(&self, excluded: &[Range<usize>]) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        let statements =
            self.pieces.iter().filter(|piece| !piece.is_item() && !excluded.contains(&piece.range));
        for token in
            statements.flat_map(|piece| piece.node.descendants_with_tokens()).filter_map(|e| e.into_token())
        {
            match token.kind() {
                SyntaxKind::IDENT => _ = words.insert(token.text().trim_start_matches("r#").to_owned()),
                SyntaxKind::STRING => {
                    let parts = token.text().split(|c: char| !(c.is_alphanumeric() || c == '_'));
                    words.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
                }
                _ => {}
            }
        }
        words
    }

    /// Whether a variable is named again after its `let` statement, given by its bytes in the cell.
    pub fn is_used_after(&self, name: &str, definition: &Range<usize>) -> bool {
        let before = self.pieces.iter().filter(|piece| piece.range.start < definition.end);
        let before: Vec<Range<usize>> = before.map(|piece| piece.range.clone()).collect();
        self.words(&before).contains(name.trim_start_matches("r#"))
    }

    /// The byte of the first closing bracket without an opening one, if there is any.
    pub fn unmatched_closing(&self, cell: &str) -> Option<usize> {
        let file = parse_file(&format!("{PRELUDE}{}\n", &cell[self.code_start..]));
        let tokens = file.syntax_node().descendants_with_tokens().filter_map(|element| element.into_token());
        let mut depth: usize = 0;
        for token in tokens.skip_while(|token| usize::from(token.text_range().start()) < PRELUDE.len()) {
            match token.kind() {
                SyntaxKind::L_CURLY | SyntaxKind::L_PAREN | SyntaxKind::L_BRACK => depth += 1,
                SyntaxKind::R_CURLY | SyntaxKind::R_PAREN | SyntaxKind::R_BRACK => match depth.checked_sub(1)
                {
                    Some(outer) => depth = outer,
                    None => {
                        return Some(
                            usize::from(token.text_range().start()) - PRELUDE.len() + self.code_start,
                        );
                    }
                },
                _ => {}
            }
        }
        None
    }
}

/// Parses Rust in the newest edition in which it has no errors, or else in the newest edition. Editions differ in their
/// keywords; the edition of a session is checked by rustc.
pub(crate) fn parse_file(text: &str) -> Parse<SourceFile> {
    let mut parsed = EDITIONS.iter().map(|edition| SourceFile::parse(text, *edition));
    let newest = parsed.next().expect("there is at least one edition");
    if newest.errors().is_empty() {
        return newest;
    }
    parsed.find(|parsed| parsed.errors().is_empty()).unwrap_or(newest)
}

/// Parses a cell.
pub fn parse(cell: &str) -> Cell {
    let code_start = commands(cell).code_start;
    let file = parse_file(&format!("{PRELUDE}{}\n}}", &cell[code_start..]));
    let body = file.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => function.body()?.stmt_list(),
        _ => None,
    });
    let offset = |position: TextSize| {
        (usize::from(position) + code_start).saturating_sub(PRELUDE.len()).min(cell.len())
    };
    let range = |range: TextRange| -> Range<usize> { offset(range.start())..offset(range.end()) };
    let mut errors = file.errors().into_iter();
    let syntax_error = errors.next().map(|error| (error.to_string(), offset(error.range().start())));
    let mut parsed =
        Cell { code_start, bindings: Vec::new(), pieces: Vec::new(), result: None, syntax_error };
    let Some(body) = body else { return parsed };
    for node in body.syntax().children() {
        parsed.pieces.push(Piece { range: range(node.text_range()), node });
    }
    for statement in body.statements() {
        if let Stmt::LetStmt(definition) = statement {
            let place = range(definition.syntax().text_range());
            parsed.bindings.extend(bindings(&definition, place));
        }
    }
    parsed.result = body.tail_expr().map(|result| range(without_comments_before(result.syntax())));
    parsed
}

/// The range of a node without leading comments, which the parser makes part of a macro call.
fn without_comments_before(node: &SyntaxNode) -> TextRange {
    let mut tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let first = tokens.find(|token| !token.kind().is_trivia());
    let range = node.text_range();
    first.map_or(range, |token| TextRange::new(token.text_range().start(), range.end()))
}

/// The constants that a cell defines, with their types as written.
pub fn constants(cell: &str) -> Vec<(String, String)> {
    let file = parse_file(&cell[commands(cell).code_start..]).tree();
    let constants = file.items().filter_map(|item| match item {
        ast::Item::Const(constant) => {
            Some((constant.name()?.text().to_string(), constant.ty()?.syntax().text().to_string()))
        }
        _ => None,
    });
    constants.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_the_expression_that_the_code_ends_in() {
        for (cell, result) in [
            (":vars\nlet mut x = 1; x", Some("x")),
            ("1 + 1\n", Some("1 + 1")),
            ("1;\n{ 2 } // two", Some("{ 2 }")),
            ("/// Doc\nformat!(\"\")", Some("format!(\"\")")),
            ("1;\n// note\nformat!(\"\")", Some("format!(\"\")")),
            ("#[allow(unused)] { 1 }", Some("#[allow(unused)] { 1 }")),
            ("if x { 1 } else { 2 }", Some("if x { 1 } else { 2 }")),
            ("x;", None),
            ("let x = 1;", None),
            ("fn f() {}", None),
            (":vars", None),
            ("", None),
        ] {
            assert_eq!(parse(cell).result.map(|range| &cell[range]), result, "{cell}");
        }
    }

    #[test]
    fn items_are_found_with_their_text() {
        let cell = "use std::fmt;\nstruct A;\nlet x = 1;\nimpl A {}";
        let pieces = parse(cell).pieces;
        let items = pieces.iter().filter(|piece| piece.is_item()).map(|piece| &cell[piece.range.clone()]);
        assert_eq!(items.collect::<Vec<_>>(), ["use std::fmt;", "struct A;", "impl A {}"]);
        assert_eq!(&cell[pieces[2].range.clone()], "let x = 1;");
    }

    #[test]
    fn words_are_those_of_statements_and_of_strings() {
        let cell = ":vars\nfn f() { inner() }\nlet x = a.b(r#type); // comment\nprintln!(\"{y} {z:?}\", w);";
        let words = parse(cell).words(&[]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(words, ["a", "b", "println", "type", "w", "x", "y", "z"]);
    }

    #[test]
    fn a_closing_bracket_that_nothing_has_opened_is_found() {
        for (cell, place) in [
            ("1 }", Some(2)),
            (":vars\nf())", Some(9)),
            ("f(1))", Some(4)),
            ("\"}\" // }", None),
            ("{", None),
        ] {
            assert_eq!(parse(cell).unmatched_closing(cell), place, "{cell}");
        }
    }

    #[test]
    fn constants_have_their_types_as_written() {
        let cell = ":vars\nconst A: [u8; 2] = [1, 2]; fn f() { const B: u8 = 1; } pub const C: &str = \"\"; static D: u8 = 1;";
        let expected = [("A", "[u8; 2]"), ("C", "&str")];
        assert_eq!(constants(cell), expected.map(|(name, ty)| (name.to_owned(), ty.to_owned())));
    }

    #[test]
    fn a_keyword_of_a_later_edition_may_be_a_name() {
        for (cell, name) in [("let gen = 1;", "gen"), ("let r#gen = gen::<u8>();", "r#gen")] {
            let parsed = parse(cell);
            assert_eq!((parsed.syntax_error, parsed.bindings[0].name.as_str()), (None, name), "{cell}");
        }
        // Of the editions that a session can have, all take this for a keyword.
        assert!(parse("let async = 1;").syntax_error.is_some());
    }

    #[test]
    fn the_first_error_of_the_syntax_is_found_within_the_cell() {
        for (cell, place) in [("let x = 1;\n}", 12), ("use std::{", 10), ("let", 3), ("#[", 2)] {
            let parsed = parse(cell);
            assert_eq!(parsed.syntax_error.map(|(_, place)| place), Some(place), "{cell}");
            assert!(parsed.pieces.iter().all(|piece| cell.get(piece.range.clone()).is_some()), "{cell}");
        }
        assert_eq!(parse(":vars\nlet x = 1; x").syntax_error, None);
    }
}
