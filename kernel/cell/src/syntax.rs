//! The syntax of a cell: commands first, then Rust statements, perhaps with a final expression.

use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName, Pat, Stmt};
use ra_ap_syntax::{Edition, SourceFile, SyntaxKind, SyntaxNode, TextRange, TextSize};
use std::ops::Range;

const EDITION: Edition = Edition::Edition2024;
const PRELUDE: &str = "fn cell(){";
/// The macro that shows a result.
pub const SHOW_RESULT: &str = "__show_result";

/// A parsed cell.
pub struct Cell {
    /// Where the Rust code starts, behind commands such as `:dep`.
    pub code_start: usize,
    /// The variables of the cell's own scope that `let` statements without a complete type define, in order.
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
        for Piece { range, node } in &self.pieces {
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

/// A variable defined by a `let`.
#[derive(Debug, PartialEq)]
pub struct Binding {
    pub name: String,
    pub mutable: bool,
    /// Where its `let` statement ends.
    pub end: usize,
}

/// Parses a cell.
pub fn parse(cell: &str) -> Cell {
    let code_start = code_start(cell);
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
        match statement {
            Stmt::LetStmt(definition) if definition.initializer().is_some() => {
                let end = range(definition.syntax().text_range()).end;
                parsed.bindings.extend(bindings(&definition, end));
            }
            _ => {}
        }
    }
    parsed.result = body.tail_expr().map(|result| range(result.syntax().text_range()));
    parsed
}

fn bindings(definition: &ast::LetStmt, end: usize) -> Vec<Binding> {
    let infers = |ty: ast::Type| ty.syntax().descendants().any(|n| n.kind() == SyntaxKind::INFER_TYPE);
    let Some(pattern) = definition.pat() else { return Vec::new() };
    if matches!(pattern, Pat::IdentPat(_)) && definition.ty().is_some_and(|ty| !infers(ty)) {
        return Vec::new();
    }
    let names = pattern.syntax().descendants().filter_map(ast::IdentPat::cast).filter_map(|pattern| {
        let name = pattern.name()?.text().to_string();
        // `None` in a pattern is a constant; rustc's own lint asks for this very distinction.
        let is_variable = !name.starts_with(char::is_uppercase);
        is_variable.then(|| Binding { name, mutable: pattern.mut_token().is_some(), end })
    });
    names.collect()
}

/// Where the Rust code of a cell starts. As in evcxr, commands, comments and empty lines may come first.
fn code_start(cell: &str) -> usize {
    let is_code = |line: &&str| {
        let line = line.trim_end_matches(['\r', '\n']);
        let is_command = line.starts_with('!') || line.trim_start_matches(' ').starts_with(':');
        !(is_command || line.starts_with("//") || line.trim().is_empty())
    };
    cell.split_inclusive('\n').take_while(|line| !is_code(line)).map(str::len).sum()
}

/// The constants of a cell with their types.
pub fn constants(cell: &str) -> Vec<(String, String)> {
    let file = SourceFile::parse(cell, EDITION).tree();
    let constants = file.items().filter_map(|item| match item {
        ast::Item::Const(constant) => {
            Some((constant.name()?.text().to_string(), constant.ty()?.syntax().text().to_string()))
        }
        _ => None,
    });
    constants.collect()
}

/// Whether a cell can be run as it stands.
#[derive(Debug, PartialEq)]
pub enum Completeness {
    Complete,
    /// More lines must follow, the next one with this indentation.
    Incomplete(String),
    Invalid,
}

/// Decides whether a console should run the code or ask for another line.
pub fn completeness(cell: &str) -> Completeness {
    let code = &cell[code_start(cell)..];
    let end = PRELUDE.len() + code.trim_end().len();
    let parse = SourceFile::parse(&format!("{PRELUDE}{code}\n"), EDITION);
    let tokens = parse.syntax_node().descendants_with_tokens().filter_map(|element| element.into_token());
    let mut depth: usize = 0;
    for token in tokens.skip_while(|token| usize::from(token.text_range().start()) < PRELUDE.len()) {
        match token.kind() {
            SyntaxKind::L_CURLY | SyntaxKind::L_PAREN | SyntaxKind::L_BRACK => depth += 1,
            SyntaxKind::R_CURLY | SyntaxKind::R_PAREN | SyntaxKind::R_BRACK => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Completeness::Invalid,
            },
            _ => {}
        }
    }
    // The brace that this file lacks is the one error of a complete cell.
    let closed = SourceFile::parse(&format!("{PRELUDE}{code}\n}}"), EDITION);
    let errors = closed.errors();
    if depth > 0 {
        return Completeness::Incomplete("    ".repeat(depth));
    }
    match errors.iter().map(|error| usize::from(error.range().end())).min() {
        None => Completeness::Complete,
        Some(_) if code.trim().is_empty() => Completeness::Complete,
        // What is wrong is that the code ends where it does.
        Some(position) if position >= end || unterminated(code) => Completeness::Incomplete(String::new()),
        Some(_) => Completeness::Invalid,
    }
}

/// Whether the code ends inside a string or a comment.
fn unterminated(code: &str) -> bool {
    let parse = SourceFile::parse(&format!("{PRELUDE}{code}"), EDITION);
    let last = parse.syntax_node().last_token();
    last.is_some_and(|token| match token.kind() {
        SyntaxKind::COMMENT => token.text().starts_with("/*"),
        SyntaxKind::STRING | SyntaxKind::BYTE_STRING | SyntaxKind::C_STRING => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cell: &str) -> Vec<String> {
        parse(cell).bindings.into_iter().map(|binding| binding.name).collect()
    }

    #[test]
    fn bindings_are_those_whose_type_must_be_found() {
        let cell =
            "let a = 1; let b: u8 = 2; let c: Vec<_> = vec![b];\nlet (mut d, Some(e)) = f() else { return };";
        assert_eq!(names(cell), ["a", "c", "d", "e"]);
        assert_eq!(names("if true { let inner = 1; }\nlet later;\nlater = 1;"), [""; 0]);
        assert_eq!(names(":dep rand\n// note\nlet ü = 1;"), ["ü"]);
    }

    #[test]
    fn a_binding_ends_behind_its_semicolon() {
        let cell = ":vars\nlet mut x = 1; x";
        let parsed = parse(cell);
        assert_eq!(parsed.bindings, [Binding { name: "x".into(), mutable: true, end: 20 }]);
        assert_eq!(&cell[..20], ":vars\nlet mut x = 1;");
        assert_eq!(parsed.result, Some(21..22));
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
        let imports = |cell| parse(cell).renamed_imports();
        assert_eq!(
            imports("use a::{b::{self as c, d}, self as e};"),
            [(38, " use a::b as c;".into()), (38, " use a as e;".into())]
        );
        assert_eq!(imports("use a::{self, b as c};"), []);
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

    #[test]
    fn completeness_is_that_of_the_language() {
        use Completeness::*;
        for code in
            ["", "1 + 1", "let x = 1;", "fn f() {}", "// note", ":dep rand", "if true { 1 } else { 2 }"]
        {
            assert_eq!(completeness(code), Complete, "{code}");
        }
        let incomplete = [
            ("fn f() {", "    "),
            ("f(\n[", "        "),
            ("let x =", ""),
            ("1 +", ""),
            ("\"abc", ""),
            ("/* a", ""),
        ];
        for (code, indent) in incomplete {
            assert_eq!(completeness(code), Incomplete(indent.into()), "{code}");
        }
        for code in ["}", "let = 1;", "f(]", "fn f() { ) }"] {
            assert_eq!(completeness(code), Invalid, "{code}");
        }
    }
}
