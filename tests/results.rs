//! How the value of a cell is shown: lists of structs as tables, arrays as matrices, and so on, each with a text beside it.

use crate::plots::base64;
use crate::support::{kernel, output, outputs, result};
use jupyter_protocol::MediaType;
use lab::image::{self, Rgb, RgbImage};
use serde_json::json;
use wire::Client;

/// The text of a cell's result, and its HTML without the style.
async fn html_and_text(kernel: &mut Client, code: &str) -> (String, String) {
    let (mut html, mut text) = (String::new(), String::new());
    for media in result(kernel, code).await {
        match media {
            MediaType::Html(shown) => html = shown.split("</style>").last().unwrap_or_default().to_owned(),
            MediaType::Plain(shown) => text = shown,
            _ => {}
        }
    }
    (html, text)
}

const ROWS: &str = ":dep serde\n#[derive(serde::Serialize)]\nstruct Run { name: String, epochs: u32, loss: Option<f64> }
let runs: Vec<Run> = (0..30).map(|n| Run { name: format!(\"<{n}>\"), epochs: n, loss: (n > 0).then(|| 1.0 / n as f64) }).collect();";

#[tokio::test]
async fn lists_of_structs_are_tables_also_behind_pointers() {
    let mut kernel = kernel().await;
    assert!(outputs(&mut kernel, ROWS).await.is_empty());
    let (html, text) = html_and_text(&mut kernel, "&runs").await;
    let lines: Vec<&str> = text.lines().collect();
    let start = [
        "30 rows x 3 columns",
        "    name  epochs         loss",
        "    str      u32  Option<f64>",
        " 0  <0>        0         None",
        " 1  <1>        1     1.000000",
    ];
    assert_eq!((&lines[..5], lines[13], lines.len()), (&start[..], " …  …          …            …", 24));
    let end = "<tr><th scope=\"row\">29</th><td class=\"t\">&lt;29&gt;</td><td>29</td><td>0.034483</td></tr></tbody></table>";
    assert!(
        html.starts_with("<div class=\"lab-caption\">30 rows x 3 columns</div><table") && html.ends_with(end),
        "{html}"
    );
    let whole = html_and_text(&mut kernel, "&runs[..1]").await;
    for code in ["vec![&runs[0]]", "[&runs[0]]", "std::rc::Rc::new(&runs[..1])", "Box::new([&runs[0]])"] {
        assert_eq!(html_and_text(&mut kernel, code).await, whole, "{code}");
    }
    let code = "lab::display::table(runs.iter().map(|run| (&run.name, run.epochs)).take(1));";
    assert_eq!(output(&mut kernel, code).await, "display text/html text/plain");
}

#[tokio::test]
async fn everything_else_stays_as_it_was() {
    let mut kernel = kernel().await;
    let types = ":dep serde\n#[derive(serde::Serialize, Debug)]\nstruct A { n: i32 }\n#[derive(serde::Serialize, Debug)]\nenum B { C }
#[derive(Debug)]\nstruct D;\nstruct E;\nimpl E { fn evcxr_display(&self) { println!(\"its own\"); } }
trait Show { fn evcxr_display(&self); }\nimpl Show for Vec<B> { fn evcxr_display(&self) { println!(\"a trait's\"); } }";
    assert!(outputs(&mut kernel, types).await.is_empty());
    for (code, expected) in [
        ("vec![1, 2]", "result 2: [1, 2]"),
        ("[\"a\".to_owned()]", "result 3: [\"a\"]"),
        ("vec![(1, 0.5)]", "result 4: [(1, 0.5)]"),
        ("Some(vec![A { n: 1 }])", "result 5: Some([A { n: 1 }])"),
        (
            "Ok::<_, ()>(lab::candle_core::Tensor::new(1u8, &lab::candle_core::Device::Cpu)?)",
            "result 6: Ok(Tensor[1; u8])",
        ),
        ("Vec::<A>::new()", "result 7: []"),
        ("[B::C]", "result 8: [C]"),
        ("vec![D]", "result 9: [D]"),
        ("vec![std::time::Duration::from_millis(1500)]", "result 10: [1.5s]"),
        ("vec![Some(A { n: 1 })]", "result 11: [Some(A { n: 1 })]"),
        ("A { n: 1 }", "result 12: A { n: 1 }"),
        ("E", "stdout: its own\n"),
        ("vec![B::C]", "stdout: a trait's\n"),
        ("vec![E]", "error CompileError: `E` doesn't implement `Debug`"),
    ] {
        assert_eq!(output(&mut kernel, code).await, expected, "{code}");
    }
    let formatted = outputs(&mut kernel, ":fmt <{:?}>\nvec![A { n: 1 }]").await;
    assert_eq!(formatted, ["display text/plain", "result 16: <[A { n: 1 }]>"]);
}

#[tokio::test]
async fn tensors_have_shape_type_device_and_values() {
    let mut kernel = kernel().await;
    let cell = "use lab::candle_core::{Device, Tensor, Var};\nlet t = Tensor::new(&[[1f32, -0.25]], &Device::Cpu)?;\n&t";
    let (html, text) = html_and_text(&mut kernel, cell).await;
    assert_eq!(text, "1.00  -0.25\nTensor[dims 1, 2; f32]");
    let table =
        "<table class=\"lab-grid lab-matrix\"><tbody><tr><td>1.00</td><td>-0.25</td></tr></tbody></table>";
    assert_eq!(html, format!("<div class=\"lab-caption\">Tensor [1, 2], f32, cpu</div>{table}"));
    let (html, _) = html_and_text(&mut kernel, "std::sync::Arc::new(Var::from_tensor(&t)?)").await;
    assert_eq!(html, format!("<div class=\"lab-caption\">Var [1, 2], f32, cpu</div>{table}"));
}

#[tokio::test]
async fn json_is_sent_as_json_with_its_text() {
    let mut kernel = kernel().await;
    let value = json!({ "a": [1, null] });
    let text = "{\n  \"a\": [\n    1,\n    null\n  ]\n}";
    let cells = [
        ":dep serde_json\nlet value = serde_json::json!({ \"a\": [1, null] });\n&value",
        "Box::new(value.clone())",
        "value.as_object().unwrap()",
    ];
    for code in cells {
        let shown = result(&mut kernel, code).await;
        assert!(shown.contains(&MediaType::Plain(text.into())), "{code}: {shown:?}");
        assert!(shown.contains(&MediaType::Json(value.clone())), "{code}: {shown:?}");
    }
}

#[tokio::test]
async fn images_are_png() {
    let mut kernel = kernel().await;
    let cell = "use lab::image::{DynamicImage, Rgb, RgbImage};\nlet red = RgbImage::from_pixel(3, 2, Rgb([255, 0, 0]));\n";
    for code in [&format!("{cell}&red"), "std::rc::Rc::new(DynamicImage::from(red))"] {
        let shown = result(&mut kernel, code).await;
        let png = shown.iter().find_map(|media| match media {
            MediaType::Png(png) => Some(base64(png)),
            _ => None,
        });
        let expected = RgbImage::from_pixel(3, 2, Rgb([255, 0, 0]));
        assert_eq!(image::load_from_memory(&png.expect("a picture")).unwrap().to_rgb8(), expected);
    }
}

#[tokio::test]
async fn arrays_of_crates_in_a_set_are_matrices_under_any_name() {
    let mut kernel = kernel().await;
    let cell = ":dep nd = { package = \"ndarray\", version = \"0.16\" }\n:dep hex = \"0.4\"\n&nd::arr2(&[[0.5, f64::NAN]])";
    let (html, text) = html_and_text(&mut kernel, cell).await;
    let table =
        |cells: &str| format!("<table class=\"lab-grid lab-matrix\"><tbody><tr>{cells}</tr></tbody></table>");
    let expected =
        format!("<div class=\"lab-caption\">array [1, 2], f64</div>{}", table("<td>0.5</td><td>NaN</td>"));
    assert_eq!(html, expected);
    assert_eq!(text, "[[0.5, NaN]], shape=[1, 2], strides=[2, 1], layout=CFcf (0xf), const ndim=2");
    assert_eq!(html_and_text(&mut kernel, "Box::new(nd::arr2(&[[0.5, f64::NAN]]).view())").await.0, expected);
    // The set grows, and what is there stays.
    let (html, text) =
        html_and_text(&mut kernel, ":dep nalgebra = \"0.33\"\nnalgebra::RowVector2::new(1, -2)").await;
    assert_eq!(
        html,
        format!("<div class=\"lab-caption\">matrix 1 x 2, i32</div>{}", table("<td>1</td><td>-2</td>"))
    );
    assert_eq!(text, "1  -2\nmatrix 1 x 2, i32");
    assert!(html_and_text(&mut kernel, "nd::arr0(7)").await.0.ends_with(&table("<td>7</td>")));
    assert_eq!(output(&mut kernel, "Some(nd::arr0(7)).is_some()").await, "result 5: true");
}
