//! Finds the comment, the `=` and unclosed brackets in the TOML of one line, before it is parsed.

/// What is where in an argument, in bytes of it.
pub struct Scan {
    /// Where the comment starts, or else the end.
    pub end: usize,
    /// The first `=` outside of strings.
    pub equals: Option<usize>,
    /// The last bracket, brace or quote that is still open at the end.
    pub open: Option<usize>,
}

/// Scans the argument of a `:dep`.
pub fn scan(argument: &str) -> Scan {
    let mut scan = Scan { end: argument.len(), equals: None, open: None };
    let mut open = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut is_escaped = false;
    for (at, c) in argument.char_indices() {
        match quote {
            Some((_, '"')) if is_escaped => is_escaped = false,
            Some((_, '"')) if c == '\\' => is_escaped = true,
            Some((_, end)) if c == end => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some((at, c)),
                '{' | '[' => open.push(at),
                '}' | ']' => drop(open.pop()),
                '=' => drop(scan.equals.get_or_insert(at)),
                '#' => scan.end = at,
                '/' if argument[at..].starts_with("//") => scan.end = at,
                _ => {}
            },
        }
        if scan.end == at {
            break;
        }
    }
    scan.open = quote.map(|(at, _)| at).or(open.last().copied());
    scan
}
