//! The variables that a `let` statement defines.

use ra_ap_syntax::ast::{self, AstNode, HasName, Pat};
use ra_ap_syntax::{SyntaxKind, SyntaxToken};
use std::ops::Range;

/// A variable defined by a `let`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The name as written, with the `r#` of a raw identifier.
    pub name: String,
    /// Whether the variable is mutable: `mut x`.
    pub mutable: bool,
    /// Whether the variable is a reference because of `ref x`.
    pub is_ref: bool,
    /// Whether the name may be that of a constant or a unit struct. The pattern then compares the value with it and defines
    /// no variable. Only the compiler can tell.
    pub may_be_constant: bool,
    /// The type of the variable, if the statement declares it in full.
    pub declared: Option<String>,
    /// Whether the statement gives the variable a value, unlike `let x;`.
    pub is_initialized: bool,
    /// The bytes of its `let` statement, including the semicolon.
    pub place: Range<usize>,
}

/// The variables of a `let` statement, in order. Each name is listed once, because the alternatives of an or-pattern define
/// the same variables. `place` is the bytes of the statement in the cell.
pub fn bindings(definition: &ast::LetStmt, place: Range<usize>) -> Vec<Binding> {
    let Some(pattern) = definition.pat() else { return Vec::new() };
    let mut bindings = Vec::new();
    let is_initialized = definition.initializer().is_some();
    let declared = definition.ty().filter(|ty| !infers(ty)).map(|ty| ty.syntax().text().to_string());
    collect(&pattern, &mut |identifier, name| {
        let has = |token: Option<SyntaxToken>| token.is_some();
        let (mutable, is_ref) = (has(identifier.mut_token()), has(identifier.ref_token()));
        bindings.push(Binding {
            mutable: mutable && !is_ref,
            is_ref,
            may_be_constant: !(mutable || is_ref || has(identifier.at_token()))
                && starts_in_upper_case(&name),
            declared: declared.clone().filter(|_| !is_ref && is_whole(identifier, &pattern)),
            is_initialized,
            place: place.clone(),
            name,
        });
    });
    let mut names = Vec::new();
    bindings.retain(|binding: &Binding| {
        let is_new = !names.contains(&binding.name);
        names.push(binding.name.clone());
        is_new
    });
    bindings
}

/// Whether a type contains `_`, which the compiler infers.
fn infers(ty: &ast::Type) -> bool {
    ty.syntax().descendants().any(|node| node.kind() == SyntaxKind::INFER_TYPE)
}

/// Whether the identifier is the whole pattern, so that the declared type is the type of the variable.
fn is_whole(identifier: &ast::IdentPat, pattern: &Pat) -> bool {
    match pattern {
        Pat::ParenPat(inner) => inner.pat().is_some_and(|inner| is_whole(identifier, &inner)),
        pattern => pattern.syntax() == identifier.syntax(),
    }
}

fn starts_in_upper_case(name: &str) -> bool {
    name.trim_start_matches("r#").starts_with(char::is_uppercase)
}

/// Calls `found` for each identifier of a pattern that binds a value. Macros, constants and paths within the pattern are not
/// searched.
fn collect(pattern: &Pat, found: &mut impl FnMut(&ast::IdentPat, String)) {
    let mut all = |patterns: &mut dyn Iterator<Item = Pat>| patterns.for_each(|inner| collect(&inner, found));
    match pattern {
        Pat::IdentPat(identifier) => {
            if let Some(name) = identifier.name() {
                found(identifier, name.text().to_string());
            }
            if let Some(inner) = identifier.pat() {
                collect(&inner, found);
            }
        }
        Pat::BoxPat(inner) => all(&mut inner.pat().into_iter()),
        Pat::DerefPat(inner) => all(&mut inner.pat().into_iter()),
        Pat::OrPat(inner) => all(&mut inner.pats()),
        Pat::ParenPat(inner) => all(&mut inner.pat().into_iter()),
        Pat::RecordPat(inner) => {
            let fields = inner.record_pat_field_list().into_iter().flat_map(|list| list.fields());
            all(&mut fields.filter_map(|field| field.pat()));
        }
        Pat::RefPat(inner) => all(&mut inner.pat().into_iter()),
        Pat::SlicePat(inner) => all(&mut inner.pats()),
        Pat::TuplePat(inner) => all(&mut inner.fields()),
        Pat::TupleStructPat(inner) => all(&mut inner.fields()),
        Pat::ConstBlockPat(_)
        | Pat::LiteralPat(_)
        | Pat::MacroPat(_)
        | Pat::NotNull(_)
        | Pat::PathPat(_)
        | Pat::RangePat(_)
        | Pat::RestPat(_)
        | Pat::WildcardPat(_) => {}
    }
}

#[cfg(test)]
mod tests {
    /// The variables of a cell, each as its name followed by its properties.
    fn read(cell: &str) -> Vec<String> {
        let parsed = crate::parse(cell);
        assert_eq!(parsed.syntax_error, None, "{cell}");
        let described = parsed.bindings.into_iter().map(|binding| {
            let marks = [
                (binding.mutable, "mutable"),
                (binding.is_ref, "ref"),
                (binding.may_be_constant, "constant?"),
                (binding.declared.is_some(), "typed"),
                (!binding.is_initialized, "later"),
            ];
            let marks = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| format!(" {mark}"));
            binding.name + &marks.collect::<String>()
        });
        described.collect()
    }

    #[test]
    fn every_pattern_names_its_variables() {
        for (cell, expected) in [
            ("let x = 1;", &["x"][..]),
            ("let mut x = 1;", &["x mutable"]),
            ("let _x = 1; let __ = 2; let _ = 3;", &["_x", "__"]),
            ("let r#type = 1; let r#mod = 2;", &["r#type", "r#mod"]),
            ("let ü = 1; let 変数 = 2; let переменная = 3;", &["ü", "変数", "переменная"]),
            (
                "let X = 1; let Änderung = 2; let r#T = 3;",
                &["X constant?", "Änderung constant?", "r#T constant?"],
            ),
            ("let mut X = 1; let ref Y = 2; let Z @ _ = 3; let _W = 4;", &["X mutable", "Y ref", "Z", "_W"]),
            ("let ref x = 1; let ref mut y = 2;", &["x ref", "y ref"]),
            ("let x @ 1.. = y else { return };", &["x"]),
            ("let all @ [first, .., last] = v;", &["all", "first", "last"]),
            ("let ref all @ (ref a, _) = v;", &["all ref", "a ref"]),
            ("let (a, mut b, (ref c, ..), _) = t;", &["a", "b mutable", "c ref"]),
            ("let [a, rest @ .., b] = v;", &["a", "rest", "b"]),
            ("let [a, [b, c], d] = v;", &["a", "b", "c", "d"]),
            ("let P { x, y: z, mut w, ref v, .. } = p;", &["x", "z", "w mutable", "v ref"]),
            ("let P { p: Q { q, r: [s, ..] }, r#in } = p;", &["q", "s", "r#in"]),
            ("let Q(a, R(b, None)) = q;", &["a", "b", "None constant?"]),
            ("let a::P { x } | a::Q { x, .. } = p;", &["x"]),
            ("let (Ok(x) | Err(x)) = r;", &["x"]),
            ("let Ok((a, b)) | Err((b, a)) = r;", &["a", "b"]),
            ("let &(a, &mut b) = r;", &["a", "b"]),
            ("let (((x))) = 1;", &["x"]),
            ("let box x = b;", &["x"]),
            ("let Some(x) = o else { let inner = 1; return };", &["x"]),
            ("let a::B = 1; let a::C::<{ let x = 1; x }>(y) = 2;", &["y"]),
            ("let (m!(x), y) = t;", &["y"]),
            ("let (1 | 2 | 3..=5, A..=B, -1, \"a\", y) = t;", &["y"]),
            ("let x; let y: u8; x = 1;", &["x later", "y typed later"]),
            ("#[allow(unused)] let x = 1;", &["x"]),
            ("let x = 1; let x = 2;", &["x", "x"]),
            ("", &[]),
        ] {
            assert_eq!(read(cell), expected, "{cell}");
        }
    }

    #[test]
    fn a_type_is_that_of_a_variable_only_when_both_are_whole() {
        for (cell, expected) in [
            ("let x: u8 = 1;", &["x typed"][..]),
            ("let mut x: Vec<u8> = v;", &["x mutable typed"]),
            ("let (x): u8 = 1;", &["x typed"]),
            ("let x: Vec<_> = v;", &["x"]),
            ("let x: [_; 2] = v;", &["x"]),
            ("let (x, y): (u8, u8) = t;", &["x", "y"]),
            ("let x @ y: u8 = 1;", &["x typed", "y"]),
            ("let ref x: u8 = 1;", &["x ref"]),
            ("let X: u8 = 1;", &["X constant? typed"]),
        ] {
            assert_eq!(read(cell), expected, "{cell}");
        }
    }

    #[test]
    fn only_the_cells_own_scope_counts() {
        for cell in [
            "if true { let x = 1; }",
            "{ let x = 1; }",
            "fn f() { let x = 1; }",
            "let _ = { let x = 1; x };",
            "let _ = |x: u8| { let y = x; y };",
            "if let Some(x) = o {}",
            "match o { x => {} }",
            "for x in v {}",
            "const X: u8 = 1; static Y: u8 = 2;",
            "m! { let x = 1; }",
            "x = 1;",
        ] {
            assert_eq!(read(cell), [""; 0], "{cell}");
        }
    }

    #[test]
    fn a_binding_ends_after_the_semicolon_of_its_statement() {
        let cell = ":vars\nlet mut x = 1; let (a, b) =\n    t else { return; } ;x";
        let parsed = crate::parse(cell);
        let ends: Vec<&str> = parsed.bindings.iter().map(|binding| &cell[binding.place.end..]).collect();
        let after = " let (a, b) =\n    t else { return; } ;x";
        assert_eq!(ends, [after, "x", "x"]);
    }
}
