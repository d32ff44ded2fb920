//! Notebooks on the kernel in the programs that run notebooks.

use crate::python::Workplace;
use crate::support::root;

/// Cells with text, a result, a picture, an error, and one more after the error.
const CELLS: [&str; 5] = [
    "const STEPS: usize = 3;",
    "println!(\"{STEPS} steps\");\nSTEPS * 2",
    "lab::display::svg(\"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><circle r='4'/></svg>\");",
    "let numbers = vec![1, 2];\nlet index = numbers.len() + 5;\nnumbers[index]",
    "println!(\"after the error\");",
];

/// The outputs of [`CELLS`] up to the error.
const OUTPUTS: [&str; 4] = [
    "2 stdout: 3 steps\n",
    "2 result 2: 6",
    "3 display_data image/svg+xml text/plain",
    "4 error panic: index out of bounds: the len is 2 but the index is 7",
];

#[test]
fn nbclient_runs_a_notebook_to_its_error() {
    let workplace = Workplace::new();
    workplace.write_notebook("in.ipynb", &CELLS);
    let (good, text) = workplace.run("jupyter", &["execute", "--timeout=120", "in.ipynb"]);
    assert!(!good && text.contains("index out of bounds: the len is 2 but the index is 7"), "{text}");
    let arguments = ["execute", "--timeout=120", "--allow-errors", "--output=out", "in.ipynb"];
    let (good, text) = workplace.run("jupyter", &arguments);
    assert!(good, "{text}");
    let mut expected = OUTPUTS.to_vec();
    expected.push("5 stdout: after the error\n");
    assert_eq!(workplace.outputs("out.ipynb"), expected);
}

#[test]
fn nbconvert_runs_a_notebook_and_renders_it() {
    let workplace = Workplace::new();
    workplace.write_notebook("in.ipynb", &CELLS[..4]);
    let (good, text) =
        workplace.run("jupyter", &["nbconvert", "--to=notebook", "--execute", "--allow-errors", "in.ipynb"]);
    assert!(good, "{text}");
    assert_eq!(workplace.outputs("in.nbconvert.ipynb"), OUTPUTS);
    // The code is highlighted as Rust, the picture is in the page, the error is readable.
    let (good, text) = workplace.run("jupyter", &["nbconvert", "--to=html", "in.nbconvert.ipynb"]);
    assert!(good, "{text}");
    let html = std::fs::read_to_string(workplace.path().join("in.nbconvert.html")).unwrap();
    for part in [
        "<span class=\"k\">const</span>",
        "<pre>3 steps",
        "<div class=\"jp-RenderedSVG jp-OutputArea-output\" data-mime-type=\"image/svg+xml\"",
        "index out of bounds: the len is 2 but the index is 7",
    ] {
        assert!(html.contains(part), "{part}");
    }
    // Exported as a script it has the file extension of the language.
    let (good, text) = workplace.run("jupyter", &["nbconvert", "--to=script", "in.nbconvert.ipynb"]);
    assert!(good, "{text}");
    let script = std::fs::read_to_string(workplace.path().join("in.nbconvert.rs")).unwrap();
    assert!(script.contains(CELLS[1]), "{script}");
}

#[test]
fn papermill_stops_at_the_error_and_names_it() {
    let workplace = Workplace::new();
    workplace.write_notebook("in.ipynb", &CELLS);
    let arguments = ["--no-progress-bar", "--execution-timeout=120", "in.ipynb", "out.ipynb"];
    let (good, text) = workplace.run("papermill", &arguments);
    assert!(!good && text.contains("PapermillExecutionError"), "{text}");
    assert!(text.contains("panic: index out of bounds: the len is 2 but the index is 7"), "{text}");
    // Papermill adds a note on top of what it has run.
    let outputs = workplace.outputs("out.ipynb");
    assert_eq!(outputs, OUTPUTS, "the cell after the error has not run");
}

#[test]
fn papermill_sets_parameters_with_the_types_they_have() {
    let workplace = Workplace::new();
    let constants = "const STEPS: usize = 3; // how many\nconst RATE: f32 = 0.5;\nconst NAME: &str = \"x\";\nconst SIZES: [u8; 2] = [1, 2];\nconst FAST: bool = false;";
    let show = "let all: (usize, f32, &'static str, [u8; 2], bool) = (STEPS, RATE, NAME, SIZES, FAST);\nall";
    workplace.write_notebook("in.ipynb", &[constants, show]);
    let program = root().join("assets/papermill_taper.py");
    let program = [program.to_str().unwrap(), "--no-progress-bar", "in.ipynb", "out.ipynb"];
    let parameters = "{STEPS: 5, RATE: 2, NAME: 'a \"b\" \\ ü', SIZES: [7, 8], FAST: true}";
    let (good, text) = workplace.run("python", &[&program[..], &["-y", parameters]].concat());
    assert!(good, "{text}");
    let expected = r#"3 result 3: (5, 2.0, "a \"b\" \\ ü", [7, 8], true)"#;
    assert_eq!(workplace.outputs("out.ipynb"), [expected]);
    let (good, text) = workplace.run("python", &[&program[..], &["-p", "STEP", "5"]].concat());
    assert!(!good, "{text}");
    let expected =
        "there is no constant STEP in the cell tagged `parameters`, only STEPS, RATE, NAME, SIZES, FAST";
    assert!(text.contains(expected), "{text}");
    let (good, text) = workplace.run("python", &[program[0], "--help-notebook", "in.ipynb"]);
    assert!(good && text.contains("STEPS: usize (default 3)"), "{text}");
}

#[test]
fn jupytext_runs_a_program_as_a_notebook() {
    let workplace = Workplace::new();
    let program = "// # Title\n\nlet x = 20;\n\n// +\nprintln!(\"from a program\");\nx + 1\n";
    std::fs::write(workplace.path().join("program.rs"), program).unwrap();
    let arguments = ["--to", "ipynb", "--set-kernel", "taper", "--execute", "program.rs"];
    let (good, text) = workplace.run("jupytext", &arguments);
    assert!(good, "{text}");
    assert_eq!(workplace.outputs("program.ipynb"), ["2 stdout: from a program\n", "2 result 2: 21"]);
    // The way back: from the notebook to a program.
    let (good, text) = workplace.run("jupytext", &["--to", "rs:percent", "program.ipynb", "--output", "-"]);
    assert!(good && text.contains("// %%\nlet x = 20;"), "{text}");
}

#[test]
fn the_console_runs_what_is_typed() {
    let workplace = Workplace::new();
    let script = root().join("tests/console.py");
    let (good, text) = workplace.run("python", &[script.to_str().unwrap()]);
    assert!(good, "{text}");
}
