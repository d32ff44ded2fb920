//! Decides whether a console should run a cell, or let the user type more lines first.

use crate::commands::commands;
use crate::syntax::{PRELUDE, parse_file};
use ra_ap_syntax::{SyntaxKind, SyntaxToken};

/// Whether a cell can be run as it is.
#[derive(Debug, PartialEq)]
pub enum Completeness {
    Complete,
    /// More lines must follow. The next one gets this indentation.
    Incomplete(String),
    /// No further line can make it valid.
    Invalid,
}

/// Decides whether a console should run the cell or ask for another line.
pub fn completeness(cell: &str) -> Completeness {
    let code = &cell[commands(cell).code_start..];
    let Some(open) = open_brackets(code) else { return Completeness::Invalid };
    // A closing brace that matches the brace of the prelude would not be the cell's own.
    let closed = parse_file(&format!("{PRELUDE}{code}\n}}"));
    let first_error = closed.errors().iter().map(|error| usize::from(error.range().end())).min();
    if let Some(first_open) = open.first() {
        let is_broken_before = first_error.is_some_and(|error| error <= PRELUDE.len() + first_open);
        return match is_broken_before {
            true => Completeness::Invalid,
            false => Completeness::Incomplete("    ".repeat(open.len())),
        };
    }
    match first_error {
        None => Completeness::Complete,
        Some(_) if code.trim().is_empty() => Completeness::Complete,
        // The error is that the code ends too early.
        Some(error) if error >= PRELUDE.len() + code.trim_end().len() || is_unterminated(code) => {
            Completeness::Incomplete(String::new())
        }
        Some(_) => Completeness::Invalid,
    }
}

/// The bytes of the brackets that are not closed; `None` if there is a closing bracket without a matching opening one.
fn open_brackets(code: &str) -> Option<Vec<usize>> {
    let mut open: Vec<SyntaxToken> = Vec::new();
    for token in tokens(&format!("{PRELUDE}{code}\n")) {
        let opener = match token.kind() {
            SyntaxKind::L_CURLY | SyntaxKind::L_PAREN | SyntaxKind::L_BRACK => {
                open.push(token);
                continue;
            }
            SyntaxKind::R_CURLY => SyntaxKind::L_CURLY,
            SyntaxKind::R_PAREN => SyntaxKind::L_PAREN,
            SyntaxKind::R_BRACK => SyntaxKind::L_BRACK,
            _ => continue,
        };
        open.pop().filter(|token| token.kind() == opener)?;
    }
    Some(open.iter().map(|token| usize::from(token.text_range().start()) - PRELUDE.len()).collect())
}

/// Whether the code ends within a string or a comment, which the next line would continue, or after a path separator or a
/// label. In these cases the parser reports an error before the end of the code.
fn is_unterminated(code: &str) -> bool {
    let goes_on = tokens(&format!("{PRELUDE}{code}\nx")).last().is_some_and(|token| token.text() != "x");
    let last = tokens(&format!("{PRELUDE}{code}")).filter(|token| !token.kind().is_trivia()).last();
    let is_open =
        |token: SyntaxToken| matches!(token.kind(), SyntaxKind::COLON2 | SyntaxKind::LIFETIME_IDENT);
    goes_on || last.is_some_and(is_open)
}

/// The tokens of a file after the prelude.
fn tokens(file: &str) -> impl Iterator<Item = SyntaxToken> {
    let root = parse_file(file).syntax_node();
    let tokens = root.descendants_with_tokens().filter_map(|element| element.into_token());
    tokens.filter(|token| usize::from(token.text_range().start()) >= PRELUDE.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Completeness::{Complete, Incomplete, Invalid};

    /// Cells that cover much of the language.
    const PROGRAMS: [&str; 13] = [
        "1 + 1",
        "/// Doc\n/** Doc */ fn f() {}\n",
        ":dep rand\n// note\nuse std::{fmt, collections::{HashMap, HashSet as Set}};",
        "let mut x: Vec<u8> = vec![1, 2, 3]; x.push(4); x[0] + x.iter().sum::<u8>()",
        "#[derive(Clone, Debug)]\npub struct A<'a, T: Clone + 'a = u8> where T: Copy { a: &'a T, b: [u8; 3] }",
        "impl<'a> fmt::Display for A<'a> {\n    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { Ok(()) }\n}",
        "enum E { A = 1, B(u8), C { d: u8 } }\ntype F = fn(u8) -> Box<dyn Fn(u8) -> u8 + Send>;",
        "let f = move |a: u8, (b, c)| -> u8 { if a > b { a } else if let Some(d) = c { d } else { 0 } };",
        "match x { 0 | 1 => \"a\", n if n > 2 => { \"b\" } P { x, .. } => \"c\", [a, ..] => \"d\", _ => \"e\" }",
        "'outer: loop { while true { break 'outer; } for i in 0..=10 { continue 'outer; } }",
        "macro_rules! m { ($($x:expr),*) => { [$($x),*] }; }\nm!(1, 2);\nprintln!(\"{x:?} {}\", { 1 });",
        "async fn f() -> Result<(), Box<dyn Error>> { g().await?; Ok(()) }\nlet Some(x) = y else { return; };",
        "const X: u8 = b'a'; static Y: &str = \"b\\\"{\"; let z = 'c'; /* { /* [ */ */ let r = r#\"}\"#; // (",
    ];

    #[test]
    fn a_cell_that_can_run_is_complete() {
        let others =
            ["", "\n", "// note", "/* note */", "/// Doc", ":dep rand", ":vars\n\n", "!ls", "x;\r\n"];
        for code in PROGRAMS.into_iter().chain(others) {
            assert_eq!(completeness(code), Complete, "{code}");
        }
    }

    #[test]
    fn more_lines_must_follow_what_ends_too_early() {
        for (code, indent) in [
            ("fn f() {", "    "),
            ("f(\n[", "        "),
            ("fn f() { if x {\n", "        "),
            ("m! { [", "        "),
            (":vars\nfn f() {\n    1", "    "),
            ("let x =", ""),
            ("let x = 1", ""),
            ("let", ""),
            ("1 +", ""),
            ("x.", ""),
            ("if x", ""),
            ("use std::", ""),
            ("x.sum::", ""),
            ("impl<'a", ""),
            ("'outer", ""),
            ("struct A", ""),
            ("#[derive(Debug)]", ""),
            ("\"abc", ""),
            ("\"abc\\\"", ""),
            ("r#\"abc\"", ""),
            ("/* a", ""),
            ("/* a /* b */", ""),
            (":vars\n/* a", ""),
            ("f(\"abc", "    "),
            ("{ /* }", "    "),
        ] {
            assert_eq!(completeness(code), Incomplete(indent.into()), "{code}");
        }
    }

    #[test]
    fn what_no_further_line_can_mend_is_invalid() {
        for code in [
            "}",
            "let = 1;",
            "f(]",
            "{ (}",
            "[ ( ]",
            "fn f() { ) }",
            "fn f() {} }",
            "let = 1; {",
            "let = 1; /* note */",
            "let = \"text\";",
            "let = 1; let x = \"text\"",
            "fn 1() {}",
        ] {
            assert_eq!(completeness(code), Invalid, "{code}");
        }
    }

    #[test]
    fn nothing_is_invalid_on_the_way_to_a_program() {
        for program in PROGRAMS {
            let text = format!("{PRELUDE}{program}\n");
            for token in tokens(&text) {
                let typed = &program[..usize::from(token.text_range().start()) - PRELUDE.len()];
                assert_ne!(completeness(typed), Invalid, "{typed}");
            }
        }
    }
}
