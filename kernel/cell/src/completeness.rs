//! Whether a cell can be run, or more of it has to be typed first.

use crate::commands::commands;
use crate::syntax::{PRELUDE, parse_file};
use ra_ap_syntax::{SyntaxKind, SyntaxToken};

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
    let code = &cell[commands(cell).code_start..];
    let Some(open) = open_brackets(code) else { return Completeness::Invalid };
    // The brace that closes the prelude's is not the cell's.
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
        // What is wrong is that the code ends where it does.
        Some(error) if error >= PRELUDE.len() + code.trim_end().len() || is_unterminated(code) => {
            Completeness::Incomplete(String::new())
        }
        Some(_) => Completeness::Invalid,
    }
}

/// Where in the code the brackets are that nothing closes; `None` if one closes what was not opened.
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

/// Whether the code ends inside a string or a comment, which would go on in the next line, or in a path or a label: there
/// the parser finds its error earlier than at the end.
fn is_unterminated(code: &str) -> bool {
    let goes_on = tokens(&format!("{PRELUDE}{code}\nx")).last().is_some_and(|token| token.text() != "x");
    let last = tokens(&format!("{PRELUDE}{code}")).filter(|token| !token.kind().is_trivia()).last();
    let is_open =
        |token: SyntaxToken| matches!(token.kind(), SyntaxKind::COLON2 | SyntaxKind::LIFETIME_IDENT);
    goes_on || last.is_some_and(is_open)
}

/// The tokens of a file that are after the prelude.
fn tokens(file: &str) -> impl Iterator<Item = SyntaxToken> {
    let root = parse_file(file).syntax_node();
    let tokens = root.descendants_with_tokens().filter_map(|element| element.into_token());
    tokens.filter(|token| usize::from(token.text_range().start()) >= PRELUDE.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Completeness::{Complete, Incomplete, Invalid};

    /// Cells with much of the language in them.
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
