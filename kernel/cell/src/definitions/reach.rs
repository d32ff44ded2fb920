//! The definitions that a cell can reach, so that a cell costs what it needs rather than what the session has grown to.
//!
//! An item is reached by its name, by a method of it if it is a trait, or, if it is an `impl`, when everything is reached that
//! its header names. What has no name, and what is imported, is always there: a trait may be needed without being named. So
//! too much may be reached. Too little may be only where a macro puts names together; whoever compiles a cell has to try again
//! with all definitions then.

use super::item::{Item, Kind};
use super::{Definitions, words};
use crate::code::Source;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Definitions {
    /// The definitions that code with these identifiers can reach, with those of the cell itself.
    #[must_use]
    pub fn reached_from(&self, identifiers: &BTreeSet<String>, cell: &Arc<Source>) -> Self {
        let name = |item: &Arc<Item>| item.name.as_ref().map(|name| name.text.clone());
        let is_import = |item: &Item| matches!(item.kind, Kind::Import);
        let names: BTreeSet<String> =
            self.items.iter().filter(|item| !is_import(item)).filter_map(name).collect();
        let mut identifiers = identifiers.clone();
        let mut reached_names: BTreeSet<String> = BTreeSet::new();
        let mut is_reached = vec![false; self.items.len()];
        loop {
            let mut has_grown = false;
            for (index, item) in self.items.iter().enumerate() {
                let reaches = || match (&item.kind, &item.name) {
                    (Kind::Import | Kind::ExternCrate, _)
                    | (Kind::Function | Kind::Other | Kind::Macro { .. }, None) => true,
                    (Kind::Impl(block), _) => words(&block.header)
                        .filter(|word| names.contains(*word))
                        .all(|word| reached_names.contains(word)),
                    (_, Some(name)) => {
                        name.text == "_"
                            || identifiers.contains(&name.text)
                            || !item.methods.is_disjoint(&identifiers)
                    }
                };
                if !is_reached[index] && (Arc::ptr_eq(&item.source, cell) || item.acts_unnamed() || reaches())
                {
                    is_reached[index] = true;
                    has_grown = true;
                    identifiers.extend(item.identifiers.iter().cloned());
                    if !is_import(item) {
                        reached_names.extend(name(item));
                    }
                }
            }
            if !has_grown {
                break;
            }
        }
        let reached = self.items.iter().zip(is_reached).filter(|(_, is_reached)| *is_reached);
        Self { items: reached.map(|(item, _)| Arc::clone(item)).collect() }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    /// What of the first cells the last one reaches, as code.
    fn reached(cells: &[&str]) -> String {
        let mut definitions = Definitions::default();
        let mut last = (BTreeSet::new(), Arc::new(Source { name: String::new(), code: String::new() }));
        for cell in cells {
            let source = Arc::new(Source { name: "[1]".into(), code: (*cell).into() });
            let parsed = parse(cell);
            definitions = definitions.with(&parsed, &source, &[]).definitions;
            last = (parsed.words(&[]), source);
        }
        definitions.reached_from(&last.0, &last.1).code().text().trim_end().to_owned()
    }

    #[test]
    fn what_is_named_is_reached_with_what_it_is_built_on() {
        let many = "struct A;\nstruct B(A);\nstruct C;\nfn f() -> B { B(A) }\nfn g() -> C { C }\nconst N: usize = 1;";
        assert_eq!(reached(&[many, "1 + 1"]), "");
        assert_eq!(reached(&[many, "f()"]), "struct A;\nstruct B(A);\nfn f() -> B { B(A) }");
        assert_eq!(
            reached(&[many, "fn h() -> [C; N] { loop {} }"]),
            "struct C;\nconst N: usize = 1;\nfn h() -> [C; N] { loop {} }"
        );
        assert_eq!(reached(&[many, "println!(\"{N}\")"]), "const N: usize = 1;");
    }

    #[test]
    fn an_impl_is_reached_with_all_that_its_header_names() {
        let impls = "struct A;\nstruct B;\nimpl A { fn a(&self) -> B { B } }\nimpl From<A> for B { fn from(_: A) -> B { B } }\n\
                     impl std::fmt::Debug for B {}";
        assert_eq!(reached(&[impls, "let x = 1;"]), "");
        assert_eq!(reached(&[impls, "let b: B = make();"]), "struct B;\nimpl std::fmt::Debug for B {}");
        assert_eq!(reached(&[impls, "A.a()"]), impls);
    }

    #[test]
    fn a_trait_is_reached_by_its_methods_and_an_import_is_always_there() {
        let traits = "trait Double { fn double(&self) -> i32; }\nimpl Double for i32 { fn double(&self) -> i32 { self * 2 } }\n\
                      trait Other { fn other(&self) {} }\nimpl<T> Other for T {}";
        let double = "trait Double { fn double(&self) -> i32; }\nimpl Double for i32 { fn double(&self) -> i32 { self * 2 } }";
        assert_eq!(reached(&[traits, "2.double()"]), double);
        assert_eq!(
            reached(&["mod m { pub trait T {} }\nmod n {}", "use m::T;", "1"]),
            "mod m { pub trait T {} }\nuse m::T;"
        );
        assert_eq!(reached(&["enum E { X }\nenum F { Y }", "use E::*;", "X"]), "enum E { X }\nuse E::*;");
    }

    #[test]
    fn what_acts_without_being_named_is_always_there() {
        for always in [
            "#[unsafe(no_mangle)] extern \"C\" fn callback() {}",
            "#[macro_export] macro_rules! m { () => {} }",
            "const _: () = assert!(true);",
            "extern \"C\" { fn puts(); }",
        ] {
            assert_eq!(reached(&[always, "1"]), always);
        }
        assert_eq!(
            reached(&["macro_rules! m { () => { helper() } }\nfn helper() {}\nfn other() {}", "m!()"]),
            "macro_rules! m { () => { helper() } }\nfn helper() {}"
        );
    }
}
