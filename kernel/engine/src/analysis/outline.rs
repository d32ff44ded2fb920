//! Shortens sources to what completion and help read of them. The bodies of functions are most of a library, and rust-analyzer
//! would parse them again and again.

use ra_ap_ide::Edition;
use ra_ap_parser::{LexedStr, SyntaxKind, T};

/// The source with the bodies of functions and the modules of tests made empty. The body of a function that returns `impl …` stays,
/// since its type comes from there.
pub fn outline(source: &str) -> String {
    let tokens = LexedStr::new(Edition::CURRENT, source);
    let mut outline = String::with_capacity(source.len() / 2);
    let mut at = 0;
    // The bytes up to here are in the outline, or left out.
    let mut done = 0;
    while at < tokens.len() {
        let Some(body) = body_of_function(&tokens, at).or_else(|| module_of_tests(&tokens, at)) else {
            at += 1;
            continue;
        };
        match end(&tokens, body) {
            Some(end) => {
                outline.push_str(&source[done..tokens.text_start(body + 1)]);
                done = tokens.text_start(end);
                at = end;
            }
            // The braces do not match. So there is no telling what belongs to what.
            None => break,
        }
    }
    outline.push_str(&source[done..]);
    outline
}

/// The opening brace of a body that can be left out, if a function starts at this token.
fn body_of_function(tokens: &LexedStr<'_>, function: usize) -> Option<usize> {
    if tokens.kind(function) != T![fn] || !matches!(next(tokens, function)?.1, SyntaxKind::IDENT | T![$]) {
        return None;
    }
    let (mut depth, mut returns, mut before) = (0, false, T![fn]);
    for at in function + 1..tokens.len() {
        match tokens.kind(at) {
            kind if kind.is_trivia() => continue,
            T!['('] | T!['['] => depth += 1,
            // A constant as an argument of a type.
            T!['{'] if before == T![<] || depth > 0 => depth += 1,
            T![')'] | T![']'] | T!['}'] => depth -= 1,
            T![;] if depth == 0 => return None,
            T![impl] if depth == 0 && returns => return None,
            T!['{'] => return Some(at),
            // `->` is two tokens here.
            T![>] if depth == 0 && before == T![-] => returns = true,
            _ => {}
        }
        before = tokens.kind(at);
    }
    None
}

/// The opening brace of a module, if its attribute `#[cfg(test)]` starts at this token.
fn module_of_tests(tokens: &LexedStr<'_>, attribute: usize) -> Option<usize> {
    if tokens.kind(attribute) != T![#] {
        return None;
    }
    let mut at = attribute;
    for expected in ["[", "cfg", "(", "test", ")", "]", "mod"] {
        (at, _) = next(tokens, at)?;
        if tokens.text(at) != expected {
            return None;
        }
    }
    let (name, _) = next(tokens, at)?;
    let (brace, kind) = next(tokens, name)?;
    (kind == T!['{']).then_some(brace)
}

/// The next token that is no space and no comment.
fn next(tokens: &LexedStr<'_>, after: usize) -> Option<(usize, SyntaxKind)> {
    (after + 1..tokens.len()).map(|at| (at, tokens.kind(at))).find(|(_, kind)| !kind.is_trivia())
}

/// The brace that closes the one at this token.
fn end(tokens: &LexedStr<'_>, opening: usize) -> Option<usize> {
    let mut depth = 0;
    (opening..tokens.len()).find(|at| {
        match tokens.kind(*at) {
            T!['{'] => depth += 1,
            T!['}'] => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_functions_and_modules_of_tests_are_left_out() {
        for (source, expected) in [
            (
                "/// Doc.\npub fn f(x: u8) -> u8 { if x > 1 { 2 } else { 3 } }\nfn g();",
                "/// Doc.\npub fn f(x: u8) -> u8 {}\nfn g();",
            ),
            (
                "impl A { const fn f() where T: Fn() -> u8, { 1 } const C: u8 = { 1 }; }",
                "impl A { const fn f() where T: Fn() -> u8, {} const C: u8 = { 1 }; }",
            ),
            ("fn f(g: impl Fn() -> u8) { g() }", "fn f(g: impl Fn() -> u8) {}"),
            (
                "fn f() -> Option<impl Iterator> { g() } fn h() { 1 }",
                "fn f() -> Option<impl Iterator> { g() } fn h() {}",
            ),
            ("fn f() -> A<{ 1 + 1 }> { 1 }", "fn f() -> A<{ 1 + 1 }> {}"),
            ("fn f(a: [u8; { 2 }]) { 1 }", "fn f(a: [u8; { 2 }]) {}"),
            ("type F = fn() -> u8; struct S { f: fn(u8) }", "type F = fn() -> u8; struct S { f: fn(u8) }"),
            (
                "macro_rules! m { ($n:ident) => { fn $n() { $n } } }",
                "macro_rules! m { ($n:ident) => { fn $n() {} } }",
            ),
            ("fn f() { \"}\"; '}'; /* } */ }", "fn f() {}"),
            (
                "#[cfg(test)]\nmod tests { fn f() { 1 } }\nmod a { fn f() { 1 } }",
                "#[cfg(test)]\nmod tests {}\nmod a { fn f() {} }",
            ),
            ("#[cfg(test)]\nmod tests;", "#[cfg(test)]\nmod tests;"),
            ("fn f() { 1 } fn g() { {", "fn f() {} fn g() { {"),
        ] {
            assert_eq!(outline(source), expected);
        }
    }
}
