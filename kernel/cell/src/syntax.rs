//! The syntax of a cell: commands first, then Rust statements, perhaps with a final expression.

use crate::bindings::{Binding, bindings};
use crate::commands::commands;
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName, Stmt};
use ra_ap_syntax::{Edition, SourceFile, SyntaxNode, TextRange, TextSize};
use std::ops::Range;

pub(crate) const EDITION: Edition = Edition::Edition2024;
/// What makes statements a file.
pub(crate) const PRELUDE: &str = "fn cell(){";
/// The macro that shows a result.
pub const SHOW_RESULT: &str = "__show_result";

/// A parsed cell.
pub struct Cell {
    /// Where the Rust code starts, after commands such as `:dep`.
    pub code_start: usize,
    /// The variables that `let` statements of the cell's own scope define, in order.
    pub bindings: Vec<Binding>,
    /// The statements and items of the cell's own scope, without the comments between them.
    pub pieces: Vec<Piece>,
    /// The expression that the cell ends in, if it does: its value is the cell's result.
    pub result: Option<Range<usize>>,
    /// What is wrong with its syntax first of all, and the byte of the cell.
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
        ast::Item::can_cast(self.node.kind())
    }
}

impl Cell {
    /// The items, with the byte where each starts.
    pub fn items(&self) -> Vec<(usize, SyntaxNode)> {
        let items = self.pieces.iter().filter(|piece| piece.is_item());
        items.map(|piece| (piece.range.start, piece.node.clone())).collect()
    }
}

impl Cell {
    /// What has the result shown by `lab`, as texts to insert; evcxr would compile the cell twice to find out how.
    pub fn show_result(&self) -> Vec<(usize, String)> {
        let result = self.result.as_ref().filter(|_| self.syntax_error.is_none());
        let texts = |range: &Range<usize>| {
            [(range.start, format!("lab::{SHOW_RESULT}!(")), (range.end, ");".into())].to_vec()
        };
        result.map(texts).unwrap_or_default()
    }

    /// What `use a::b::{self as c}` means, said once more as `use a::b as c;`, by the byte to put it at: evcxr overlooks
    /// the new name.
    pub fn renamed_imports(&self) -> Vec<(usize, String)> {
        let mut imports = Vec::new();
        let of_cell = self.pieces.iter().filter(|piece| ast::Use::can_cast(piece.node.kind()));
        for Piece { range, node } in of_cell {
            let trees = node.descendants().filter_map(ast::UseTree::cast);
            for tree in trees.filter(|tree| tree.path().is_some_and(|path| path.syntax().text() == "self")) {
                let outer = tree.syntax().ancestors().skip(1).filter_map(ast::UseTree::cast);
                let mut path: Vec<String> =
                    outer.filter_map(|tree| Some(tree.path()?.syntax().text().to_string())).collect();
                path.reverse();
                if let Some(rename) = tree.rename() {
                    imports
                        .push((range.end, format!(" use {} {};", path.join("::"), rename.syntax().text())));
                }
            }
        }
        imports
    }
}

/// Parses a cell.
pub fn parse(cell: &str) -> Cell {
    let code_start = commands(cell).code_start;
    let file = SourceFile::parse(&format!("{PRELUDE}{}\n}}", &cell[code_start..]), EDITION);
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
            let end = range(definition.syntax().text_range()).end;
            parsed.bindings.extend(bindings(&definition, end));
        }
    }
    parsed.result = body.tail_expr().map(|result| range(without_comments_before(result.syntax())));
    parsed
}

/// The place of a node without comments before it, which belong to it when it is the call of a macro.
fn without_comments_before(node: &SyntaxNode) -> TextRange {
    let mut tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let first = tokens.find(|token| !token.kind().is_trivia());
    let range = node.text_range();
    first.map_or(range, |token| TextRange::new(token.text_range().start(), range.end()))
}

/// The constants of a cell with their types.
pub fn constants(cell: &str) -> Vec<(String, String)> {
    let file = SourceFile::parse(&cell[commands(cell).code_start..], EDITION).tree();
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
    fn imports_under_another_name_are_said_once_more() {
        for (cell, expected) in [
            ("use a::{b::{self as c, d}, self as e};", &[(38, " use a::b as c;"), (38, " use a as e;")][..]),
            (":vars\nuse ::a::{self as c}; 1", &[(27, " use ::a as c;")]),
            ("use {a::{self as b}};", &[(21, " use a as b;")]),
            ("use a::{self, b as c};", &[]),
            ("use a as b;", &[]),
            ("use self::a as b;", &[]),
            ("fn f() { use a::{self as b}; }", &[]),
            ("mod m { use super::a::{self as b}; }", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(place, text)| (*place, text.to_string())).collect();
            assert_eq!(parse(cell).renamed_imports(), expected, "{cell}");
        }
    }

    #[test]
    fn a_result_is_shown_only_where_there_is_one_and_the_syntax_is_right() {
        for (cell, shown) in [
            ("let x = 1; x + 1 // sum", "let x = 1; lab::__show_result!(x + 1); // sum"),
            ("// note\nformat!(\"\")", "// note\nlab::__show_result!(format!(\"\"));"),
            ("x;", "x;"),
            ("let = 1; x", "let = 1; x"),
        ] {
            let annotated = crate::annotated::Annotated::new(cell, parse(cell).show_result());
            assert_eq!(annotated.code, shown);
        }
    }

    #[test]
    fn constants_have_their_types_as_written() {
        let cell = ":vars\nconst A: [u8; 2] = [1, 2]; fn f() { const B: u8 = 1; } pub const C: &str = \"\"; static D: u8 = 1;";
        let expected = [("A", "[u8; 2]"), ("C", "&str")];
        assert_eq!(constants(cell), expected.map(|(name, ty)| (name.to_owned(), ty.to_owned())));
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
