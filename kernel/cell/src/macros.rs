//! Finds out whether the macro calls among a cell's statements expand to items, which later cells can use, too.

use crate::syntax::{Cell, Piece};
use ra_ap_syntax::ast::{self, AstNode};
use ra_ap_syntax::{NodeOrToken, SyntaxKind, SyntaxNode, T};
use std::ops::Range;

/// A macro call that is a statement.
#[derive(Debug, PartialEq)]
pub struct MacroCall {
    /// The macro's path, as written.
    pub path: String,
    /// The bytes of the whole call, including its semicolon.
    pub range: Range<usize>,
}

/// The macros of the prelude and of std that expand to expressions.
const EXPRESSIONS: [&str; 33] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "column",
    "compile_error",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "try",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
];

impl MacroCall {
    /// The last segment of the macro's path.
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default().trim()
    }

    /// Whether a macro of the standard library expands to items, judged by the name alone. `None` for other macros.
    pub fn is_known(&self) -> Option<bool> {
        let name = self.name();
        let is_expression = EXPRESSIONS.contains(&name) || name.starts_with("write") || name == "todo";
        match name {
            "thread_local" => Some(true),
            _ => is_expression.then_some(false),
        }
    }
}

/// The macro calls among the statements of the cell's own scope.
pub fn calls(cell: &Cell) -> Vec<MacroCall> {
    cell.pieces.iter().filter_map(call).collect()
}

fn call(Piece { range, node }: &Piece) -> Option<MacroCall> {
    let statement = ast::ExprStmt::cast(node.clone());
    let node =
        statement.map_or_else(|| Some(node.clone()), |statement| Some(statement.expr()?.syntax().clone()))?;
    let call = match ast::MacroExpr::cast(node.clone()) {
        Some(expression) => expression.macro_call()?,
        None => ast::MacroCall::cast(node)?,
    };
    Some(MacroCall { path: call.path()?.syntax().text().to_string(), range: range.clone() })
}

/// Whether the expansion of any rule of a macro begins with an item.
pub(crate) fn defines_items(rules: &ast::MacroRules) -> bool {
    let Some(tree) = rules.token_tree() else { return false };
    let mut is_expansion = false;
    for child in tree.syntax().children_with_tokens() {
        match child {
            NodeOrToken::Token(token) if token.kind() == T![=>] => is_expansion = true,
            NodeOrToken::Token(token) if token.kind() == T![>] => is_expansion = true,
            NodeOrToken::Token(token) if token.kind() == T![;] => is_expansion = false,
            NodeOrToken::Node(node) if is_expansion && begins_with_item(&node) == Some(true) => {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// Whether the tokens in a pair of brackets begin with an item; `None` if that cannot be told from them.
fn begins_with_item(tree: &SyntaxNode) -> Option<bool> {
    let mut elements: Vec<_> =
        tree.children_with_tokens().filter(|element| !element.kind().is_trivia()).collect();
    // Drop the brackets.
    elements.remove(0);
    elements.pop();
    let mut at = 0;
    while let Some(element) = elements.get(at) {
        match element {
            NodeOrToken::Node(node) => {
                let after = |kind| at > 0 && elements[at - 1].kind() == kind;
                match after(T![$]) {
                    // A repetition, such as `$( #[$attribute] )*`.
                    true => {
                        if let Some(known) = begins_with_item(node) {
                            return Some(known);
                        }
                    }
                    false if after(T![#]) => {}
                    false => return Some(false),
                }
            }
            NodeOrToken::Token(token) => match token.kind() {
                T![$] | T![#] | T![*] | T![+] | T![?] | T![,] => {}
                SyntaxKind::IDENT if at > 0 && elements[at - 1].kind() == T![$] => {}
                SyntaxKind::IDENT => {
                    return Some(matches!(token.text(), "union" | "macro_rules" | "auto" | "safe"));
                }
                T![struct]
                | T![enum]
                | T![fn]
                | T![impl]
                | T![trait]
                | T![mod]
                | T![static]
                | T![type]
                | T![use]
                | T![pub]
                | T![extern] => return Some(true),
                T![const] | T![unsafe] | T![async] => {
                    let next = elements.get(at + 1);
                    return Some(matches!(next, Some(NodeOrToken::Token(_))));
                }
                _ => return Some(false),
            },
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn macro_calls_are_found_among_the_statements() {
        let cell = "lazy_static! { static ref A: u8 = 1; }\nlet x = vec![1];\nlog::info!(\"x\");\nm!{}";
        let found: Vec<(String, &str)> =
            calls(&parse(cell)).into_iter().map(|call| (call.path, &cell[call.range])).collect();
        let expected = [
            ("lazy_static".to_owned(), "lazy_static! { static ref A: u8 = 1; }"),
            ("log::info".to_owned(), "log::info!(\"x\");"),
            ("m".to_owned(), "m!{}"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_macro_defines_items_if_its_replacement_begins_with_one() {
        let defines = |rules: &str| {
            let cell = parse(rules);
            let node = cell.pieces[0].node.clone();
            defines_items(&ast::MacroRules::cast(node).unwrap())
        };
        for rules in [
            "macro_rules! point { ($name:ident) => { #[derive(Debug)] pub struct $name { x: i32 } }; }",
            "macro_rules! all { ($($name:ident),*) => { $( struct $name; )* }; }",
            "macro_rules! attributes { ($(#[$a:meta])* $v:vis $n:ident) => { $(#[$a])* $v struct $n; }; }",
            "macro_rules! unsafe_impl { ($t:ty) => { unsafe impl Send for $t {} }; }",
            "macro_rules! constant { ($n:ident) => { const $n: u8 = 1; } }",
        ] {
            assert!(defines(rules), "{rules}");
        }
        for rules in [
            "macro_rules! sum { ($a:expr, $b:expr) => { $a + $b }; }",
            "macro_rules! block { () => { { fn inner() {} inner() } }; }",
            "macro_rules! binding { ($x:ident) => { let $x = 1; }; }",
            "macro_rules! call { ($f:ident) => { $f() }; }",
            "macro_rules! unsafe_block { () => { unsafe { f() } }; }",
            "macro_rules! text { () => { println!(\"x\") }; }",
        ] {
            assert!(!defines(rules), "{rules}");
        }
    }
}
