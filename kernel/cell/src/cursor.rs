//! Finds the path under the cursor, which help is shown for.

use crate::commands::commands;
use crate::syntax::parse_file;
use ra_ap_syntax::{SyntaxKind, TextSize};
use std::ops::Range;

/// The bytes of the path under the cursor, from the start of the path to the end of the word: `Tensor::zeros` in
/// `let t = Tensor::zer|os(…)`. Within the arguments of a call and right after them, it is the path of the function.
pub fn path_at(code: &str, position: usize) -> Range<usize> {
    let tokens = tokens(code);
    let path = path_under(code, position);
    if !path.is_empty() && !is_in(&tokens, code, position) {
        return path;
    }
    let before = tokens.iter().filter(|(kind, range)| !kind.is_trivia() && range.end <= position);
    let before: Vec<_> = before.map(|(kind, range)| (*kind, range.start)).collect();
    let is_after_call = matches!(before.last(), Some((SyntaxKind::R_PAREN | SyntaxKind::R_BRACK, _)));
    let mut depth = if is_after_call { -1 } else { 0 };
    for (kind, at) in before.into_iter().rev() {
        match kind {
            SyntaxKind::R_PAREN | SyntaxKind::R_BRACK | SyntaxKind::R_CURLY => depth += 1,
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK if depth == 0 => {
                let called = path_under(code, at);
                if !called.is_empty() {
                    return called;
                }
            }
            SyntaxKind::L_CURLY | SyntaxKind::SEMICOLON if depth == 0 => break,
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK | SyntaxKind::L_CURLY => depth -= 1,
            _ => {}
        }
    }
    position..position
}

/// Whether the cursor is in a string, a number or a comment.
pub(crate) fn is_in_literal_or_comment(code: &str, position: usize) -> bool {
    is_in(&tokens(code), code, position)
}

/// Words in strings and comments are not paths, and neither are numbers.
fn is_in(tokens: &[(SyntaxKind, Range<usize>)], code: &str, position: usize) -> bool {
    tokens.iter().any(|(kind, range)| {
        let is_field = code[..range.start].ends_with('.');
        is_literal_or_comment(*kind) && !is_field && range.start <= position && position <= range.end
    })
}

/// The tokens of a cell after its commands, including comments, with their bytes in the cell.
fn tokens(cell: &str) -> Vec<(SyntaxKind, Range<usize>)> {
    let start = commands(cell).commands.last().map_or(0, |command| command.range.end);
    let root = parse_file(&cell[start..]).syntax_node();
    let tokens = root.descendants_with_tokens().filter_map(|element| element.into_token());
    let place = |position: TextSize| usize::from(position) + start;
    tokens
        .map(|token| {
            let range = token.text_range();
            (token.kind(), place(range.start())..place(range.end()))
        })
        .collect()
}

fn is_literal_or_comment(kind: SyntaxKind) -> bool {
    kind == SyntaxKind::COMMENT || kind.is_literal()
}

/// The path that contains the byte at `position`; empty if there is none.
fn path_under(code: &str, position: usize) -> Range<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = position + code[position..].find(|c| !is_word(c)).unwrap_or(code.len() - position);
    let is_path = |c: char| is_word(c) || matches!(c, ':' | '.' | '!');
    let start = code[..end]
        .rfind(|c| !is_path(c))
        .map_or(0, |at| at + code[at..].chars().next().map_or(1, char::len_utf8));
    let path = code[start..end].trim_start_matches([':', '.']);
    let start = end - path.len();
    start..start + path.trim_end_matches([':', '.']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the path under the cursor, which is at the `|`.
    fn assert_paths(table: &[(&str, &str)]) {
        for (code, path) in table {
            let position = code.find('|').unwrap();
            let code = code.replacen('|', "", 1);
            assert_eq!(&code[path_at(&code, position)], *path, "{code:?} at {position}");
        }
    }

    #[test]
    fn the_path_under_the_cursor_is_whole_up_to_the_end_of_the_word() {
        assert_paths(&[
            ("let t = lab::Tensor::ze|ros((2, 3));", "lab::Tensor::zeros"),
            ("let t = lab::Ten|sor::zeros((2, 3));", "lab::Tensor"),
            ("let t = |lab::Tensor::zeros((2, 3));", "lab"),
            ("let t = lab|::Tensor", "lab"),
            ("let t = lab::|", "lab"),
            ("é.le|n()", "é.len"),
            ("x.y.|", "x.y"),
            ("pair.0|", "pair.0"),
            ("\"text\".le|n()", "len"),
            ("r#type|", "type"),
            ("vec!|[1]", "vec!"),
            ("-valu|e", "value"),
            (":dep ra|nd", "rand"),
            ("|", ""),
            ("1 +| 2", ""),
        ]);
    }

    #[test]
    fn in_and_after_the_arguments_of_a_call_it_is_what_is_called() {
        assert_paths(&[
            ("let t = Tensor::zeros((2, f(3)), |&x);", "Tensor::zeros"),
            ("let t = Tensor::zeros(|(2, f(3)), &x);", "Tensor::zeros"),
            ("let t = Tensor::zeros((|2, f(3)), &x);", "Tensor::zeros"),
            ("let t = Tensor::zeros((2, f(3|)), &x);", "f"),
            ("let t = Tensor::zeros((2, f(3)), &x|);", "x"),
            ("let n = 5; n.is_power_of_two()|", "n.is_power_of_two"),
            ("f(g(1)) |", "f"),
            ("f(g(1), |", "f"),
            ("f(\n    1,\n    |\n)", "f"),
            ("f(S { a: 1 }, |", "f"),
            ("f(v[0], |", "f"),
            ("println!(\"{}; (\", vec![1, |", "vec!"),
            (":vars\nf(|", "f"),
            ("f(1); |", ""),
            ("f(1); g(|", "g"),
            ("f({ g(1); |", ""),
            ("if x { (|", ""),
            ("(|", ""),
        ]);
    }

    #[test]
    fn words_and_brackets_in_text_do_not_count() {
        assert_paths(&[
            ("f(\"wo|rd\")", "f"),
            ("f(\"wo|rd", "f"),
            ("f(1|0, 2.5)", "f"),
            ("f(10, 2.5|)", "f"),
            ("f(\"a\\\"b(\", |", "f"),
            ("f('\"', |", "f"),
            ("f('(', |", "f"),
            ("f(r#\"(\"\"#, |", "f"),
            ("f(/* g( */ |", "f"),
            ("f( // note|\n)", "f"),
            ("// no|te", ""),
            (":vars\n// no|te", ""),
            ("let s = \"wo|rd\";", ""),
        ]);
    }
}
