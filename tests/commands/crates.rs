//! Crates of `:dep` lines, good and faulty.

use crate::support::{failure, kernel, kernel_in, outputs, result, run, traceback, write_crate};
use jupyter_protocol::MediaType;
use std::fs;
use wire::Client;

#[tokio::test]
async fn a_fault_is_shown_over_its_place_and_nothing_of_the_cell_runs() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(&folder.path().join("tiny"), "tiny");
    let mut kernel = kernel_in(folder.path()).await;
    run(&mut kernel, "let kept = 1;").await;
    let cell = ":efmt {:?}\n  :dep tiny = { path = 'tiny', version = 1 }\nprintln!(\"ran\");";
    assert_eq!(
        traceback(&failure(&mut kernel, cell).await),
        "error: `version` must be a string, not a number\n --> [2]:2:42\n  |\n2 |   :dep tiny = { path = 'tiny', version = 1 }\n  |                                          ^"
    );
    let messages = outputs(&mut kernel, ":vras\nprintln!(\"ran\");").await;
    let fault =
        "error CommandError: unknown command `:vras`; did you mean `:vars`? `:help` lists all commands";
    assert_eq!(messages, [fault]);
    // The first command of the cell before last has not been carried out either.
    assert_eq!(
        outputs(&mut kernel, ":efmt").await,
        ["result 4: Error format: {} (errors must implement std::fmt::Display)\n"]
    );
    let no_crate = "error CommandError: `no such` cannot be read: No such file or directory (os error 2)";
    assert_eq!(outputs(&mut kernel, ":dep a = { path = \"no such\" }").await, [no_crate]);
    assert_eq!(outputs(&mut kernel, "kept").await, ["result 6: 1"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn crates_are_added_after_any_comment_and_in_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        write_crate(&folder.path().join(name), name);
    }
    let mut kernel = kernel_in(folder.path()).await;
    let cell = "/* some\n   crates */\n\t:dep one = { path = 'one', default_features = false, features = [\"more\"] } // one\n    // and\n  :dep ./two\n:dep lab = {path='no lab here'}\n(one::usual(), one::more(), two::usual(), two::more())";
    assert_eq!(outputs(&mut kernel, cell).await, ["result 1: (false, true, true, false)"]);
    assert_eq!(
        outputs(&mut kernel, ":dep three = { path = \"three\" }\n(one::more(), three::usual())").await,
        ["result 2: (true, true)"]
    );
    let path = |name: &str| folder.path().canonicalize().unwrap().join(name).display().to_string();
    let expected = format!(
        "result 3: one = {{ default-features = false, features = [\"more\"], path = \"{}\" }}\nthree = {{ path = \"{}\" }}\ntwo = {{ path = \"{}\" }}\n",
        path("one"),
        path("three"),
        path("two")
    );
    assert_eq!(outputs(&mut kernel, ":show_deps").await, [expected]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_cargo_says_of_a_crate_is_read_without_json() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(&folder.path().join("good"), "good");
    for (name, file, source) in [
        ("broken", "src/lib.rs", "pub fn f() -> u8 { \"text\" }\n"),
        ("stopped", "build.rs", "fn main() { eprintln!(\"no luck today\"); std::process::exit(7) }\n"),
    ] {
        write_crate(&folder.path().join(name), name);
        fs::write(folder.path().join(name).join(file), source).unwrap();
    }
    let mut kernel = kernel_in(folder.path()).await;
    run(&mut kernel, ":dep good = { path = \"good\" }\nlet kept = 1;").await;
    for (line, words) in [
        (":dep broken = { path = \"broken\" }", &["E0308", "expected `u8`, found `&str`"][..]),
        (":dep stopped = { path = \"stopped\" }", &["no luck today", "exit status: 7"]),
        (":dep good = { path = \"good\", features = [\"none\"] }", &["feature", "`none`"]),
    ] {
        let messages = outputs(&mut kernel, line).await;
        assert!(messages.len() == 1 && messages[0].starts_with("error DependencyError: "), "{messages:?}");
        assert!(words.iter().all(|word| messages[0].contains(word)), "{messages:?}");
        assert!(!messages[0].contains("{\"") && !messages[0].contains("Compiling"), "{messages:?}");
    }
    assert_eq!(outputs(&mut kernel, "(kept, good::usual())").await, ["result 5: (1, true)"]);
    kernel.shut_down().await.unwrap();
}

/// Cells in the style of plotters' documentation: each names the crate again, later ones with more features.
#[tokio::test]
async fn figures_of_plotters_are_results() {
    let mut kernel = kernel().await;
    let dep = ":dep plotters = { version = \"^0.3.0\", default_features = false, features = [\"evcxr\", \"all_series\"] }";
    let cell = format!(
        "{dep}
extern crate plotters;
use plotters::prelude::*;
let figure = evcxr_figure((300, 100), |root| {{
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root).build_cartesian_2d(0f32..2f32, 0f32..4f32)?;
    chart.draw_series(LineSeries::new((0..=2).map(|x| (x as f32, (x * x) as f32)), &RED))?;
    Ok(())
}});
figure.style(\"width: 60%\")"
    );
    let shown = html(&mut kernel, &cell).await;
    let start = "<div style=\"width: 60%\"><svg width=\"300\" height=\"100\" viewBox=\"0 0 300 100\"";
    assert!(shown.starts_with(start), "{shown}");
    assert!(shown.contains("points=\"0,99 149,75 299,0 \""), "{shown}");

    let more = dep.replace("\"all_series\"", "\"all_series\", \"all_elements\"");
    let cell = format!(
        "{more}
evcxr_figure((100, 100), |root| {{
    let chart = ChartBuilder::on(&root).build_cartesian_2d(0..2, 0..10)?;
    chart.plotting_area().draw(&CandleStick::new(1, 2, 8, 1, 5, &GREEN, &RED, 4))?;
    Ok(())
}})"
    );
    assert!(html(&mut kernel, &cell).await.contains("<rect"), "the body of the candle");
    kernel.shut_down().await.unwrap();
}

/// A cell's result as HTML.
async fn html(kernel: &mut Client, cell: &str) -> String {
    let media = result(kernel, cell).await;
    let html = media.into_iter().find_map(|media| match media {
        MediaType::Html(html) => Some(html),
        _ => None,
    });
    html.unwrap()
}
