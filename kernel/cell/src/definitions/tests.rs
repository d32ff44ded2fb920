//! Tests of what cells define and replace.

use super::*;
use crate::parse;

/// The definitions after some cells, and what the last of them changed.
fn after(cells: &[&str]) -> (Definitions, BTreeSet<String>) {
    let mut definitions = Definitions::default();
    let mut changed = BTreeSet::new();
    for (index, cell) in cells.iter().enumerate() {
        let source = Arc::new(Source { name: format!("[{}]", index + 1), code: (*cell).into() });
        let change = definitions.with(&parse(cell), &source, &[]);
        (definitions, changed) = (change.definitions, change.changed);
    }
    (definitions, changed)
}

fn text(cells: &[&str]) -> String {
    let (definitions, _) = after(cells);
    definitions.code().text().trim_end().to_owned()
}

fn changed(cells: &[&str]) -> Vec<String> {
    after(cells).1.into_iter().collect()
}

#[test]
fn what_is_defined_anew_replaces_the_old() {
    for (cells, left) in [
        (&["fn f() {}", "fn f() { 1 }"][..], "fn f() { 1 }"),
        (&["struct A;", "enum A {}"], "enum A {}"),
        (&["struct A { x: u8 }", "fn A() {}"], "struct A { x: u8 }\nfn A() {}"),
        (&["mod m {}", "fn m() {}"], "mod m {}\nfn m() {}"),
        (&["use a::b;", "struct b;"], "struct b;"),
        (&["use a::{b, c};", "use d::b;"], "use a::c;\nuse d::b;"),
        (&["use a::*;", "use  a::* ;"], "use a::*;"),
        (&["extern \"C\" { fn f(); }", "extern \"C\" { fn f() ; } // again"], "extern \"C\" { fn f() ; }"),
        (&["let x = 1; const _: () = ();"], "const _: () = ();"),
    ] {
        assert_eq!(text(cells), left, "{cells:?}");
    }
}

#[test]
fn an_impl_is_replaced_by_one_with_the_same_header_and_an_inherent_one_by_its_members() {
    for (cells, left) in [
        (&["impl A { fn f() {} }", "impl  A { fn f() {} fn g() {} }"][..], "impl  A { fn f() {} fn g() {} }"),
        (&["impl T for A { fn f() {} }", "impl T for A {}"], "impl T for A {}"),
        (
            &["impl W<f64> { fn f() {} }", "impl W < f64 > { fn f() { 1 } }"],
            "impl W < f64 > { fn f() { 1 } }",
        ),
        (
            &["impl A { fn f() {} fn g() {} }", "impl A { fn g() { 1 } }"],
            "impl A { fn f() {}  }\nimpl A { fn g() { 1 } }",
        ),
        (&["impl A { fn f() {} }", "impl B { fn f() {} }"], "impl A { fn f() {} }\nimpl B { fn f() {} }"),
        (&["struct A; impl A { fn f() {} }", "struct A(u8);"], "struct A(u8);"),
        (
            &["struct A; fn f() {} impl Show for A {}", "fn f() { 1 }"],
            "struct A;\nimpl Show for A {}\nfn f() { 1 }",
        ),
    ] {
        assert_eq!(text(cells), left, "{cells:?}");
    }
}

#[test]
fn imports_are_taken_apart_into_names() {
    for (cell, left) in [
        (
            "use a::{b::{self as c, d}, self as e};",
            "use a::b::{self as c};\nuse a::b::d;\nuse a::{self as e};",
        ),
        (
            "use std::{fmt, io::{self, Write as _}};",
            "use std::fmt;\nuse std::io::{self};\nuse std::io::Write as _;",
        ),
        ("use ::a::b as c; pub use x::*;", "use ::a::b as c;\nuse x::*;"),
        (
            "#[allow(deprecated)] use a::{b, c};",
            "#[allow(deprecated)] use a::b;\n#[allow(deprecated)] use a::c;",
        ),
    ] {
        assert_eq!(text(&[cell]), left, "{cell}");
    }
    assert_eq!(text(&["use std::io::{self};", "use tokio::io;"]), "use tokio::io;");
}

#[test]
fn macros_and_crates_come_first() {
    let cells = ["fn f() { m!() }", "macro_rules! m { () => {} } extern crate a;"];
    assert_eq!(text(&cells), "extern crate a;\nmacro_rules! m { () => {} }\nfn f() { m!() }");
    assert_eq!(text(&["macro_rules! m { () => {} }", "fn m() {}"]), "macro_rules! m { () => {} }\nfn m() {}");
}

#[test]
fn a_type_has_changed_when_its_tokens_have_or_what_it_is_built_on() {
    assert_eq!(changed(&["struct A { x: u8 }", "struct A  { x: u8 } // as it was"]), [""; 0]);
    assert_eq!(changed(&["struct A { x: u8 }", "struct A { x: u16 }"]), ["A"]);
    let cells = ["struct A; struct B(A); enum C { One(Vec<B>) } struct D;", "struct A(u8);"];
    assert_eq!(changed(&cells), ["A", "B", "C"]);
    assert_eq!(changed(&["const N: usize = 1; struct A([u8; N]);", "const N: usize = 2;"]), ["A", "N"]);
    assert_eq!(changed(&["fn f() {}", "fn f() { 1 }"]), [""; 0], "a function is no type");
    assert_eq!(changed(&["use a::b;", "use c::b;"]), [""; 0]);
}

#[test]
fn a_type_is_concerned_by_the_names_that_it_is_reached_by() {
    let names = |type_name| first_names(type_name).collect::<Vec<_>>();
    assert_eq!(names("std::vec::Vec<m::Other, Point>"), ["std", "m", "Point"]);
    assert_eq!(names("[(A, &B); 3]"), ["A", "B", "3"]);
    let source = |code: &str| Arc::new(Source { name: String::new(), code: code.into() });
    let (old, new) = ("struct A; use a::B;", "struct A(u8); use c::B;");
    let definitions = Definitions::default().with(&parse(old), &source(old), &[]).definitions;
    let change = definitions.with(&parse(new), &source(new), &[]);
    assert!(change.concerns("std::option::Option<A>") && !change.concerns("m::A"));
    assert!(change.concerns_imports("B<u8>") && !change.concerns("B<u8>"));
}

#[test]
fn what_the_compiler_finds_in_the_way_is_removed() {
    let cells = ["impl std::fmt::Display for Cat {} impl m::A { fn f() {} fn g() {} }"];
    let (mut definitions, _) = after(&cells);
    let source = Arc::clone(&definitions.items[0].source);
    let at = |text: &str| {
        let start = source.code.find(text).unwrap();
        Place { source: Arc::clone(&source), range: start..start + 1 }
    };
    assert!(definitions.remove_at(&at("impl std")) && definitions.remove_at(&at("fn g")));
    assert_eq!(definitions.code().text().trim_end(), "impl m::A { fn f() {}  }");
    let elsewhere = Place { source: Arc::new(Source { name: "[2]".into(), code: "x".into() }), range: 0..1 };
    assert!(!definitions.remove_at(&elsewhere));
}
