//! Converts positions in code: the protocol counts characters (Unicode code points), Rust counts bytes.

/// The byte at which the character with this index starts, or the end of the code.
pub fn to_bytes(code: &str, chars: usize) -> usize {
    code.char_indices().nth(chars).map_or(code.len(), |(position, _)| position)
}

/// The number of characters that start before this byte.
pub fn to_chars(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(position, _)| *position < bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_in_characters_on_the_wire() {
        let code = "let ü = \"日本\"; x";
        assert_eq!(to_bytes(code, 4), 4);
        assert_eq!(&code[to_bytes(code, 14)..], "x");
        assert_eq!(to_chars(code, code.len()), 15);
        assert_eq!(to_bytes(code, 99), code.len());
    }
}
