//! Finds what a cell does in its own scope, rather than in a function, closure or other body within it: `return`s without a value,
//! which leave the cell, and `.await`.

use crate::syntax::{Cell, PRELUDE, parse_file};
use ra_ap_syntax::ast::{self, AstNode};
use ra_ap_syntax::{SyntaxNode, SyntaxToken, TextSize};

/// The `return`s without a value that leave the cell itself. Each is given as the byte of the cell after the keyword, in order.
///
/// Arguments of macros are searched only for macros of the standard library that evaluate them in place.
pub fn bare_returns(cell: &Cell) -> Vec<usize> {
    ends(cell, bare_return)
}

/// Whether the cell itself awaits something. Macros are searched as for [`bare_returns`].
pub fn awaits(cell: &Cell) -> bool {
    !ends(cell, |node| ast::AwaitExpr::cast(node.clone())?.await_token()).is_empty()
}

/// The keyword of a `return` without a value.
fn bare_return(node: &SyntaxNode) -> Option<SyntaxToken> {
    ast::ReturnExpr::cast(node.clone()).filter(|expression| expression.expr().is_none())?.return_token()
}

/// Finds the keyword of an expression that is searched for, if a node is one.
type Keyword = fn(&SyntaxNode) -> Option<SyntaxToken>;

/// The bytes of the cell after the keywords in its own scope, in order.
fn ends(cell: &Cell, keyword: Keyword) -> Vec<usize> {
    let mut positions = Vec::new();
    for piece in &cell.pieces {
        let start = usize::from(piece.node.text_range().start());
        search(&piece.node, keyword, &mut |position| positions.push(position - start + piece.range.start));
    }
    positions
}

/// Calls `found` with the end of each keyword in a node, in bytes of the file that the node belongs to.
fn search(node: &SyntaxNode, keyword: Keyword, found: &mut dyn FnMut(usize)) {
    if is_separate_body(node) {
        return;
    }
    if let Some(token) = keyword(node) {
        found(token.text_range().end().into());
    }
    if let Some(call) = ast::MacroCall::cast(node.clone()) {
        return search_arguments(&call, keyword, found);
    }
    node.children().for_each(|child| search(&child, keyword, found));
}

/// Whether what stands within the node belongs to another body than the cell's.
fn is_separate_body(node: &SyntaxNode) -> bool {
    let kind = node.kind();
    let is_separate_block = ast::BlockExpr::cast(node.clone()).is_some_and(|block| {
        let modifiers = [block.async_token(), block.const_token(), block.gen_token()];
        modifiers.iter().any(Option::is_some)
    });
    let is_item = ast::Item::can_cast(kind) && !ast::MacroCall::can_cast(kind);
    let is_constant = ast::Type::can_cast(kind)
        || ast::GenericArgList::can_cast(kind)
        || ast::ConstBlockPat::can_cast(kind);
    is_separate_block || is_item || is_constant || ast::ClosureExpr::can_cast(kind)
}

/// The macros of the standard library that evaluate their arguments in place.
const MACROS: [&str; 20] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// As [`search`], for the arguments of a macro call.
fn search_arguments(call: &ast::MacroCall, keyword: Keyword, found: &mut dyn FnMut(usize)) {
    let name = call.path().and_then(|path| Some(path.segment()?.name_ref()?.text().to_string()));
    let Some(arguments) = call.token_tree().filter(|_| name.is_some_and(|name| MACROS.contains(&&*name)))
    else {
        return;
    };
    // Whatever the macro's brackets are, its arguments parse as the elements of an array, at the same distances.
    let text = arguments.syntax().text().to_string();
    let Some(inner) = text.get(1..text.len() - 1) else { return };
    let file = parse_file(&format!("{PRELUDE}[{inner}];\n}}"));
    if !file.errors().is_empty() {
        return;
    }
    let start = usize::from(arguments.syntax().text_range().start());
    let shifted = &mut |position: usize| found(position - PRELUDE.len() + start);
    let array = file.syntax_node().descendants().find(|node| {
        ast::ArrayExpr::can_cast(node.kind()) && node.text_range().start() == TextSize::of(PRELUDE)
    });
    array.into_iter().for_each(|array| array.children().for_each(|child| search(&child, keyword, shifted)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cell with a mark after each of its bare returns.
    fn marked(cell: &str) -> String {
        let parsed = crate::parse(cell);
        let mut marked = cell.to_owned();
        bare_returns(&parsed).into_iter().rev().for_each(|position| marked.insert(position, '^'));
        marked
    }

    #[test]
    fn returns_from_the_cell_are_found_wherever_they_stand() {
        for expected in [
            "return^;",
            "return^",
            ":vars\n// ü\nlet ü = 1; return^; 1",
            "if x { return^; }\nif y { return^ } else { return^ }",
            "loop { match x { 1 => return^, _ => { return^; } } }",
            "'a: { return^; } unsafe { return^ } while x { return^; } for y in z { return^; }",
            "let Some(x) = y else { return^ };",
            "let x = match y { Some(y) => y, None => return^ };",
            "let x = y.unwrap_or(return^) + f(return^, [return^], (return^,));",
            "return^ // note\n;",
            "x || return^; x && return^",
            "let f = || 1; f(return^)",
            "try { return^; }",
        ] {
            assert_eq!(marked(&expected.replace('^', "")), expected);
        }
    }

    #[test]
    fn returns_from_other_bodies_or_with_a_value_are_left_alone() {
        for cell in [
            "return ();",
            "return 1",
            "return\n{ 1 }",
            "fn f() { return; }",
            "impl A { fn f() { return; } }",
            "mod m { fn f() { return; } }",
            "trait T { fn f() { return; } }",
            "const X: () = { return; };",
            "static X: () = { return; };",
            "enum E { A = { return; } }",
            "let f = || return;",
            "let f = |x: u8| { if x > 1 { return; } };",
            "let f = move || -> () { return };",
            "v.iter().for_each(|x| { return; });",
            "let f = async { return; }; let g = async move { return; };",
            "let f = async |x| { return; };",
            "const { return; }",
            "let x: [u8; { return; }] = y; f::<{ return; }>();",
            "macro_rules! m { () => { return; } }",
            "m!(return);",
            "thread_local! { static X: () = { return; } }",
            "println!(\"return;\"); // return;",
            "let r#return = 1; r#return;",
            "{ fn f() { return; } }",
        ] {
            assert_eq!(marked(cell), cell);
        }
    }

    #[test]
    fn arguments_of_the_standard_librarys_macros_run_where_they_stand() {
        for expected in [
            "println!(\"{}\", match x { Some(x) => x, None => return^ });",
            "println!(\"ü {a}\", a = if x { 1 } else { return^ });",
            "let v = vec![1, return^]; let w = vec![{ return^; 1 }; 2];",
            "std::assert!({ if x { return^; } true });",
            "dbg! { return^ }",
            "let s = format!(\"{}\", format!(\"{}\", { return^ }));",
            "println!(\"{}\", v.map(|x| { return; }).len());",
        ] {
            assert_eq!(marked(&expected.replace('^', "")), expected);
        }
    }

    #[test]
    fn a_cell_awaits_what_no_body_within_it_does() {
        for (cell, expected) in [
            ("f().await", true),
            ("let x = f().await?;\nx + 1", true),
            ("for x in y { g(x).await; }", true),
            ("println!(\"{}\", f().await);", true),
            ("async fn f() { g().await }", false),
            ("let f = async { g().await };", false),
            ("let f = async |x| g(x).await;", false),
            ("let r#await = 1; // .await", false),
            ("1", false),
        ] {
            assert_eq!(awaits(&crate::parse(cell)), expected, "{cell}");
        }
    }
}
