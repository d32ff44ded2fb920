//! Where the cursor is: the protocol counts characters, Rust counts bytes; and what stands there.

use std::ops::Range;

/// The byte at which the character with a number begins, or the end.
pub fn byte_position(code: &str, chars: usize) -> usize {
    code.char_indices().nth(chars).map_or(code.len(), |(position, _)| position)
}

/// How many characters begin before a byte.
pub fn char_position(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(position, _)| *position < bytes).count()
}

/// The path under the cursor, from its start: `Tensor::zer` in `let t = Tensor::zer|os(…)`, up to the word's end. In
/// the arguments of a call, and right behind them, it is what is called.
pub fn path_at(code: &str, position: usize) -> Range<usize> {
    let path = path_under(code, position);
    if !path.is_empty() {
        return path;
    }
    let before = code[..position].trim_end();
    let mut depth = if before.ends_with([')', ']']) { -1 } else { 0 };
    let mut quoted = false;
    for (at, c) in before.char_indices().rev() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            ')' | ']' => depth += 1,
            '(' | '[' if depth == 0 => return path_under(code, at),
            '(' | '[' => depth -= 1,
            '{' | '}' | ';' => break,
            _ => {}
        }
    }
    path
}

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

    #[test]
    fn positions_are_counted_in_characters_on_the_wire() {
        let code = "let ü = \"日本\"; x";
        assert_eq!(byte_position(code, 4), 4);
        assert_eq!(&code[byte_position(code, 14)..], "x");
        assert_eq!(char_position(code, code.len()), 15);
        assert_eq!(byte_position(code, 99), code.len());
    }

    #[test]
    fn the_path_under_the_cursor_is_whole() {
        let path = |code: &'static str, position| &code[path_at(code, position)];
        let code = "let t = lab::Tensor::zeros((2, 3));";
        assert_eq!(path(code, 23), "lab::Tensor::zeros");
        assert_eq!(path(code, 15), "lab::Tensor");
        assert_eq!(path("é.len()", 4), "é.len");
        assert_eq!(path("", 0), "");
    }

    #[test]
    fn in_and_behind_the_arguments_it_is_what_is_called() {
        let path = |code: &'static str, position| &code[path_at(code, position)];
        let code = "let t = Tensor::zeros((2, f(3)), &x);";
        assert_eq!(path(code, code.find("&x").unwrap()), "Tensor::zeros");
        assert_eq!(path(code, code.find("(2").unwrap()), "Tensor::zeros");
        assert_eq!(path("let n = 5; n.is_power_of_two()", 30), "n.is_power_of_two");
        assert_eq!(path("f(g(1)) ", 8), "f");
        assert_eq!(path("println!(\"{}; (\", vec![1, ", 25), "vec!");
        assert_eq!(path("f(1); ", 6), "");
        assert_eq!(path("if x { (", 7), "");
    }
}
