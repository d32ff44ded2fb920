//! Items: what replaces what, and what macros make.

use crate::support::{assert_outputs, kernel, tiny_crate};

#[tokio::test]
async fn an_impl_replaces_the_one_before_however_it_is_spelled() {
    let mut kernel = kernel().await;
    let display = |path: &str, text: &str| {
        format!(
            "impl {path} for Cat {{ fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {{ f.write_str({text:?}) }} }}\nCat.to_string()"
        )
    };
    assert_outputs(
        &mut kernel,
        &[
            ("use std::fmt; struct Cat; #[derive(Debug, Clone)] struct W<T>(T); trait Name { fn name(&self) -> u8 { 0 } }", &[]),
            (&display("std::fmt::Display", "one"), &["result 2: \"one\""]),
            (&display("fmt::Display", "two"), &["result 3: \"two\""]),
            ("impl<T: fmt::Debug> Name for W<T> {}", &[]),
            ("impl<T: fmt::Debug + Clone> Name for W<T> { fn name(&self) -> u8 { 1 } }\nW(1).name()", &["result 5: 1"]),
            ("impl W<f64> { fn n(&self) -> u8 { 2 } fn kept(&self) -> u8 { 4 } }", &[]),
            ("impl W< f64 > { fn n(&self) -> u8 { 3 } }\n(W(1.0).n(), W(1.0).kept())", &["result 7: (3, 4)"]),
            ("impl self::W<f64> { fn n(&self) -> u8 { 5 } }\n(W(1.0).n(), W(1.0).kept())", &["result 8: (5, 4)"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn items_that_macros_make_are_seen_by_functions_and_later_cells() {
    let mut kernel = kernel().await;
    assert_outputs(
        &mut kernel,
        &[
            (
                "use std::cell::Cell;\nthread_local! { static N: Cell<i32> = const { Cell::new(4) }; }\nfn n() -> i32 { N.get() }\nn()",
                &["result 1: 4"],
            ),
            ("N.get() + n()", &["result 2: 8"]),
            ("macro_rules! point { ($name:ident) => { #[derive(Debug)] struct $name { x: i32 } } }\npoint!(A);", &[]),
            ("point! { B }\n(A { x: 1 }, B { x: 2 })", &["result 4: (A { x: 1 }, B { x: 2 })"]),
            ("point!(A);\nA { x: 3 }.x", &["result 5: 3"]),
            ("macro_rules! sum { ($a:expr, $b:expr) => { $a + $b } }\nsum!(1, 2)", &["result 6: 3"]),
            ("macro_rules! set { ($x:ident) => { $x += 1; } }\nlet mut count = 1; set!(count); count", &["result 7: 2"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn rustc_tells_what_macros_of_other_crates_stand_for() {
    let mut kernel = kernel().await;
    let folder = tiny_crate(
        "#[macro_export] macro_rules! constant { ($name:ident) => { pub const $name: i32 = 42; } }
#[macro_export] macro_rules! increase { ($x:ident) => { $x += 1; } }\n",
    );
    let dependency = format!(":dep tiny = {{ path = {:?} }}\ntiny::constant!(ANSWER);", folder.path());
    assert_outputs(
        &mut kernel,
        &[
            (dependency.as_str(), &[]),
            (
                "fn answer() -> i32 { ANSWER }\nlet mut x = 1; tiny::increase!(x); (x, answer())",
                &["result 2: (2, 42)"],
            ),
            ("tiny::increase!(x); x", &["result 3: 3"]),
        ],
    )
    .await;
    kernel.shut_down().await.unwrap();
}
