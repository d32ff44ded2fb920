//! What displays print, for taper, for the stock kernel and for a terminal.

use lab::display::{self, Display, format};
use serde_json::{Map, Value, json};
use std::env;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::process::{Command, exit};

/// What `act` prints in a separate process, which has `environment` and no other variable that `lab` looks at.
/// The process is the calling test, `name`, started once more.
pub fn printed(name: &str, environment: &[(&str, &str)], act: fn()) -> String {
    const CHILD: &str = "LAB_TEST_CHILD";
    const START: &str = "<act>\n";
    if env::var_os(CHILD).is_some() {
        print!("{START}");
        act();
        exit(0);
    }
    let mut command = Command::new(env::current_exe().expect("a test knows its program"));
    command.args([name, "--exact", "--nocapture"]).env(CHILD, "1");
    for name in ["TAPER_DISPLAY", "EVCXR_IS_RUNTIME", "MNIST_DIR", "TAPER_OFFLINE", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().expect("the test starts once more");
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, acted) = output.split_once(START).unwrap_or_else(|| panic!("no test {name}: {output}"));
    acted.to_string()
}

/// The word that marks requests to the kernel in this session.
pub const WORD: &str = "1";

fn requests(lines: &str) -> Vec<format::Request> {
    lines
        .lines()
        .filter(|line| line.starts_with(format::PREFIX))
        .map(|line| format::decode(line, WORD).unwrap())
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[test]
fn requests_survive_the_line() {
    let nasty = "two\nlines\r, \"quotes\", \u{1e}TAPER, ∇θ 🕯, \u{2028}, \\n, \0";
    for request in [
        format::Request::Display {
            data: object(json!({ "text/plain": nasty, "application/json": { "loss": [0.5, null] } })),
            metadata: object(json!({ nasty: 1 })),
            display_id: Some(nasty.into()),
            update: true,
        },
        format::Request::ClearOutput { wait: true },
    ] {
        let line = format::encode(&request, WORD);
        assert!(line.starts_with("\u{1e}TAPER 1 {") && line.ends_with("}\n"), "{line}");
        assert_eq!((line.matches('\n').count(), line.matches('\u{1e}').count()), (1, 1), "{line}");
        assert_eq!(format::decode(&line, WORD).unwrap(), request);
        assert_eq!(format::decode(line.trim_end(), WORD).unwrap(), request);
    }
}

#[test]
fn the_line_is_the_one_agreed_upon() {
    let request = format::Request::ClearOutput { wait: false };
    assert_eq!(
        format::encode(&request, WORD),
        "\u{1e}TAPER 1 {\"request\":\"clear_output\",\"wait\":false}\n"
    );
    let line = "\u{1e}TAPER 1 {\"request\":\"display\",\"data\":{\"text/html\":\"<b>\"}}";
    let data = object(json!({ "text/html": "<b>" }));
    let expected = format::Request::Display { data, metadata: Map::new(), display_id: None, update: false };
    assert_eq!(format::decode(line, WORD).unwrap(), expected);
}

#[test]
fn what_is_no_request_of_the_session_is_none() {
    for line in [
        "",
        "text",
        "{}",
        "\u{1e}TAPER 1 {\"request\":\"explode\"}",
        "\u{1e}TAPER 1 {\"request\":\"display\"}",
        "\u{1e}TAPER 2 {\"request\":\"clear_output\",\"wait\":true}",
        "\u{1e}TAPER {\"request\":\"clear_output\",\"wait\":true}",
    ] {
        assert_eq!(format::decode(line, WORD), None, "{line:?}");
    }
}

#[test]
fn under_taper_each_display_is_a_request_in_its_place() {
    let name = "display::under_taper_each_display_is_a_request_in_its_place";
    let out = printed(name, &[("TAPER_DISPLAY", "1"), ("EVCXR_IS_RUNTIME", "1")], || {
        print!("before ");
        display::html("<b>1</b>");
        println!("between");
        display::svg("<svg/>");
        display::png(&[0, 255]);
        display::markdown("*4*");
        Display::html("5").alt("five").show_as("an id");
        Display::html("6").update("an id");
        Display::html("7").evcxr_display();
        display::clear(true);
    });
    assert!(out.starts_with("before \u{1e}TAPER 1 {"), "{out}");
    assert!(out.contains("}\nbetween\n\u{1e}TAPER 1 {"), "{out}");
    let data: Vec<_> = requests(&out.replacen("before ", "", 1))
        .into_iter()
        .map(|request| match request {
            format::Request::Display { data, display_id, update, .. } => json!([data, display_id, update]),
            format::Request::ClearOutput { wait } => json!(wait),
        })
        .collect();
    let expected = [
        json!([{ "text/html": "<b>1</b>", "text/plain": "[HTML]" }, null, false]),
        json!([{ "image/svg+xml": "<svg/>", "text/plain": "[SVG drawing]" }, null, false]),
        json!([{ "image/png": "AP8=", "text/plain": "[PNG image]" }, null, false]),
        json!([{ "text/markdown": "*4*", "text/plain": "*4*" }, null, false]),
        json!([{ "text/html": "5", "text/plain": "five" }, "an id", false]),
        json!([{ "text/html": "6", "text/plain": "[HTML]" }, "an id", true]),
        json!([{ "text/html": "7", "text/plain": "[HTML]" }, null, false]),
        json!(true),
    ];
    assert_eq!(data, expected);
}

#[test]
fn under_stock_evcxr_it_is_evcxrs_own_format() {
    let name = "display::under_stock_evcxr_it_is_evcxrs_own_format";
    let out = printed(name, &[("EVCXR_IS_RUNTIME", "1")], || {
        display::png(&[0, 255]);
        display::clear(false);
        display::html("<b>\n</b>");
    });
    let content = |mime, content| format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n");
    let png = content("image/png", "AP8=") + &content("text/plain", "[PNG image]");
    let html = content("text/html", "<b>\n</b>") + &content("text/plain", "[HTML]");
    assert_eq!(out, png + &html);
}

#[test]
fn in_a_terminal_it_is_text() {
    let out = printed("display::in_a_terminal_it_is_text", &[], || {
        Display::svg("<svg/>").alt("a circle").show();
        display::markdown("*word*");
        display::clear(false);
    });
    assert_eq!(out, "a circle\n*word*\n");
}

#[test]
fn threads_do_not_mix_their_displays() {
    let out = printed("display::threads_do_not_mix_their_displays", &[("TAPER_DISPLAY", "1")], || {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (0..50).for_each(|_| display::html(&thread.to_string().repeat(100_000))));
            }
        });
    });
    let requests = requests(&out);
    assert_eq!((requests.len(), out.lines().count()), (200, 200));
    for request in requests {
        let format::Request::Display { data, .. } = request else { panic!("{request:?}") };
        let html = data["text/html"].as_str().unwrap();
        assert!(html.len() == 100_000 && html.bytes().all(|byte| byte == html.as_bytes()[0]));
    }
}

/// A prompt must be seen before its question. Without the flush it would be lost when this process ends.
#[test]
fn a_question_hands_on_an_unfinished_line() {
    let out = printed("display::a_question_hands_on_an_unfinished_line", &[], || {
        let events = std::fs::File::create("/dev/null").unwrap();
        // SAFETY: an open file has an open descriptor, and `into_raw_fd` gives up its ownership, so nothing else uses it.
        unsafe { lab::kernel::lab_start(events.into_raw_fd()) };
        print!("no newline");
        lab::kernel::lab_ask();
        print!(" lost");
        let _ = std::io::stderr().flush();
        std::process::abort();
    });
    assert_eq!(out, "no newline");
}
