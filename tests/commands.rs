//! The commands of cells, on real kernels.

use crate::support::{completions, kernel, kernel_command, run};
use jupyter_protocol::{JupyterMessage, JupyterMessageContent as Content, MediaType};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wire::Client;

/// A crate with a function for each of its features, the default one and `more`.
fn write_crate(folder: &Path, name: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\ndefault = [\"usual\"]\nusual = []\nmore = []\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let source = "pub fn usual() -> bool { cfg!(feature = \"usual\") }\npub fn more() -> bool { cfg!(feature = \"more\") }\n";
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}

/// A kernel that is started in a folder.
async fn kernel_in(folder: &Path) -> Client {
    let mut command = kernel_command();
    command.current_dir(folder).env("EVCXR_CONFIG_DIR", folder.join("no such folder"));
    Client::start(&mut command).await.unwrap()
}

/// What a cell has published between its input and its end.
async fn outputs(kernel: &mut Client, cell: &str) -> Vec<String> {
    let messages = run(kernel, cell).await;
    messages[2..messages.len() - 1].to_vec()
}

/// The lines that an error shows, without colours.
async fn traceback(kernel: &mut Client, cell: &str) -> String {
    let mut lines = Vec::new();
    let note = |message: &JupyterMessage| {
        if let Content::ErrorOutput(error) = &message.content {
            lines = error.traceback.clone();
        }
        Ok(())
    };
    kernel.run(cell, note).await.unwrap();
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    colours.replace_all(&lines.join("\n"), "").into_owned()
}

/// The representations of a cell's result, by their MIME types.
async fn result(kernel: &mut Client, cell: &str) -> Vec<MediaType> {
    let mut media = Vec::new();
    let note = |message: &JupyterMessage| {
        if let Content::ExecuteResult(result) = &message.content {
            media = result.data.content.clone();
        }
        Ok(())
    };
    kernel.run(cell, note).await.unwrap();
    media
}

#[tokio::test]
async fn the_commands_that_help_names_are_those_of_the_stock_kernel_and_the_edition() {
    let mut kernel = kernel().await;
    let help = outputs(&mut kernel, ":help").await.remove(0);
    kernel.shut_down().await.unwrap();
    // Examples are next to the program: cargo builds them for tests.
    let stock = Path::new(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("stock");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(stock);
    command.arg("--control_file").current_dir(folder.path()).env("EVCXR_CONFIG_DIR", folder.path());
    let mut stock = Client::start(&mut command).await.unwrap();
    let stocks = outputs(&mut stock, ":help").await.remove(0);
    stock.shut_down().await.unwrap();
    let lines = |result: &str| -> Vec<String> {
        let (_, text) = result.split_once(": ").unwrap();
        text.trim_end().lines().map(str::to_owned).collect()
    };
    let (mut ours, stocks) = (lines(&help), lines(&stocks));
    let edition = ours.iter().position(|line| line.starts_with(":edition ")).unwrap();
    ours.remove(edition);
    assert_eq!(ours, stocks);
}

#[tokio::test]
async fn a_fault_is_shown_over_its_place_and_nothing_of_the_cell_runs() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(&folder.path().join("tiny"), "tiny");
    let mut kernel = kernel_in(folder.path()).await;
    run(&mut kernel, "let kept = 1;").await;
    let cell = ":efmt {:?}\n  :dep tiny = { path = 'tiny', version = 1 }\nprintln!(\"ran\");";
    assert_eq!(
        traceback(&mut kernel, cell).await,
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

#[tokio::test]
async fn after_clear_the_same_can_be_defined_again() {
    let mut kernel = kernel().await;
    let cell = "use std::fmt::Debug;\nstruct Point(u8);\nimpl Point { fn x(&self) -> u8 { self.0 } }\nlet point = Point(3);\nlet mut v = vec![1];\npoint.x()";
    assert_eq!(outputs(&mut kernel, cell).await, ["result 1: 3"]);
    run(&mut kernel, ":fmt {:#?}").await;
    assert_eq!(completions(&mut kernel, "Poin").await.first().map(String::as_str), Some("Point"));
    assert_eq!(
        outputs(&mut kernel, ":clear\nno_such();").await[0],
        "error CompileError: cannot find function `no_such` in this scope"
    );
    assert_eq!(outputs(&mut kernel, ":vars").await, ["result 4: "]);
    assert!(!completions(&mut kernel, "Poin").await.contains(&"Point".to_owned()));
    let gone = "error CompileError: cannot find value `v` in this scope";
    assert_eq!(outputs(&mut kernel, "v").await, [gone]);
    assert_eq!(outputs(&mut kernel, cell).await, ["result 6: 3"]);
    assert_eq!(outputs(&mut kernel, "(1, 2)").await, ["result 7: (1, 2)"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_restart_names_what_is_gone_and_brings_the_environment() {
    let mut kernel = kernel().await;
    run(&mut kernel, "fn twice(x: u8) -> u8 { 2 * x }\nlet (a, b) = (1, 2);").await;
    let cell = ":env TAPER_TESTS_GREETING=schöne = Grüße\nstd::env::var(\"TAPER_TESTS_GREETING\").is_err()";
    assert_eq!(outputs(&mut kernel, cell).await[1], "result 2: true");
    let restarted = "result 3: Child process restarted. These variables are gone: `a`, `b`. Functions, types and `use` lines are still there.\n";
    assert_eq!(outputs(&mut kernel, ":restart").await, [restarted]);
    let cell = "(std::env::var(\"TAPER_TESTS_GREETING\").unwrap(), twice(4))";
    assert_eq!(outputs(&mut kernel, cell).await, ["result 4: (\"schöne = Grüße\", 8)"]);
    assert_eq!(
        outputs(&mut kernel, ":env =x").await,
        ["error CommandError: a variable needs a name before the `=`"]
    );
    let built = outputs(&mut kernel, ":build_env TAPER=1\n1").await;
    assert_eq!(built[1], "result 6: 1");
    let built = outputs(&mut kernel, ":build_env GREETING=hello\nenv!(\"GREETING\")").await;
    assert_eq!(built[1], "result 7: \"hello\"");
    let refused = outputs(&mut kernel, ":build_env RUSTC_WRAPPER=x").await;
    assert!(refused[0].starts_with("error CommandError: `RUSTC_WRAPPER` is taper's own"), "{refused:?}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn variables_are_listed_and_types_told_of_variables_and_expressions() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let name = \"<a>\".to_owned(); let r#type = [(1u8, None::<f64>)];").await;
    let listed = result(&mut kernel, ":vars").await;
    let text = "name: std::string::String\nr#type: [(u8, std::option::Option<f64>); 1]\n";
    assert!(listed.contains(&MediaType::Plain(text.into())), "{listed:?}");
    let row = "<tr><td>r#type</td><td>[(u8, std::option::Option&lt;f64&gt;); 1]</td></tr>";
    assert!(
        listed.iter().any(|media| matches!(media, MediaType::Html(html) if html.contains(row))),
        "{listed:?}"
    );
    for (count, line, answer) in [
        (3, ":type name", "name: std::string::String"),
        (4, ":t name.len() + 1 // note", "name.len() + 1: usize"),
        (5, ":t |x: u8| x", "|x: u8| x: {closure}"),
        (6, ":t std::process::exit(1)", "std::process::exit(1): !"),
    ] {
        assert_eq!(outputs(&mut kernel, line).await, [format!("result {count}: {answer}")]);
    }
    assert_eq!(
        traceback(&mut kernel, ":t name + other").await,
        "error[E0425]: cannot find value `other` in this scope\n --> [7]:1:11\n  |\n1 | :t name + other\n  |           ^^^^^ not found in this scope"
    );
    assert_eq!(outputs(&mut kernel, "name").await, ["result 8: \"<a>\""]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn results_and_errors_are_shown_as_the_user_has_set() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, ":fmt {:>4}\n7").await, ["display text/plain", "result 1:    7"]);
    let card = ":fmt {:#?}\nstruct Card;\nimpl Card { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\nace\\nEVCXR_END_CONTENT\") } }\nCard";
    assert_eq!(outputs(&mut kernel, card).await[1], "result 2: ace");
    let refused = "error CommandError: `none` is no format for a value: argument never used";
    assert_eq!(outputs(&mut kernel, ":fmt none").await, [refused]);
    assert_eq!(outputs(&mut kernel, ":fmt\n:types\nSome(1)").await[1], "result 4: : Option<i32> = Some(1)");
    assert_eq!(outputs(&mut kernel, ":types").await, ["result 5: Types: false\n"]);
    let code = "let failed: Result<u8, _> = Err(vec![\"ü\"]);\nfailed?;";
    assert_eq!(
        traceback(&mut kernel, &format!(":efmt {{:?}}\n{code}")).await,
        "Error: [\"ü\"]\n --> [6]:3:1\n  |\n3 | failed?;\n  | ^"
    );
    let messages = outputs(&mut kernel, &format!(":efmt {{:#?}}\n{code}")).await;
    assert_eq!(messages[1], "error Error: [\n    \"ü\",\n]");
    let message = &outputs(&mut kernel, &format!(":efmt {{}}\n{code}")).await[1];
    assert!(message.starts_with("error CompileError: ") && message.contains("Display"), "{message}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn timing_says_after_each_cell_how_long_it_took() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, ":timing").await, ["result 1: Timing: true\n"]);
    let took = regex::Regex::new("^stdout: took [0-9]+\\.[0-9]{2} s\n$").unwrap();
    let messages = outputs(&mut kernel, "1 + 1").await;
    assert!(messages[0] == "result 2: 2" && took.is_match(&messages[1]), "{messages:?}");
    let messages = outputs(&mut kernel, "panic!(\"no\")").await;
    assert!(messages.len() == 2 && messages.iter().any(|message| took.is_match(message)), "{messages:?}");
    assert_eq!(outputs(&mut kernel, ":timing").await, ["result 4: Timing: false\n"]);
    assert_eq!(outputs(&mut kernel, "1 + 1").await, ["result 5: 2"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn documentation_is_that_of_help() {
    let mut kernel = kernel().await;
    run(&mut kernel, "/// What is meant.\nfn meant() {}").await;
    for (line, words) in [
        (":doc Vec", "A contiguous growable array type"),
        (":doc meant // note", "What is meant."),
        (":doc Option::map", "Maps an Option<T>"),
        (":doc vec!", "Creates a Vec containing the arguments"),
    ] {
        let answer = result(&mut kernel, line).await;
        let has = |media: &MediaType| matches!(media, MediaType::Plain(text) if text.contains(words));
        assert!(answer.iter().any(has), "{line}: {answer:?}");
        assert!(answer.iter().any(|media| matches!(media, MediaType::Html(_))), "{line}");
    }
    let nothing = ["result 6: No documentation found for `NoSuchThing`\n"];
    assert_eq!(outputs(&mut kernel, ":doc NoSuchThing").await, nothing);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn commands_that_are_not_needed_say_so_and_the_rest_of_the_cell_runs() {
    let mut kernel = kernel().await;
    for (count, line) in [":sccache 1", ":cache 500", ":clear_cache"].into_iter().enumerate() {
        let messages = outputs(&mut kernel, &format!("{line}\n1 + 1")).await;
        let name = line.split(' ').next().unwrap();
        assert!(messages[0].starts_with(&format!("stdout: `{name}` has no effect here: ")), "{messages:?}");
        assert_eq!(messages[1], format!("result {}: 2", count + 1));
    }
    for line in [":time_passes", ":preserve_vars_on_panic 0", ":allow_static_linking 0", ":internal_debug"] {
        let messages = outputs(&mut kernel, line).await;
        assert!(messages.len() == 1 && messages[0].contains("` has no effect here: "), "{messages:?}");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_lab_cannot_be_linked_by_is_refused_and_cells_go_on() {
    let mut kernel = kernel().await;
    for (line, words) in [
        (":toolchain no-such-toolchain", "rustup has no toolchain `no-such-toolchain`"),
        (":linker gold", "a linker is one of system, lld, mold, not `gold`"),
        (":codegen_backend no-such-backend", "nightly"),
    ] {
        let messages = outputs(&mut kernel, line).await;
        assert!(
            messages[0].starts_with("error CommandError: ") && messages[0].contains(words),
            "{messages:?}"
        );
    }
    let version = Command::new("rustc").arg("-V").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    assert_eq!(outputs(&mut kernel, ":toolchain").await, [format!("result 4: Toolchain: {version}")]);
    assert_eq!(outputs(&mut kernel, ":linker").await, ["result 5: linker: system\n"]);
    assert_eq!(outputs(&mut kernel, "2 + 2").await, ["result 6: 4"]);
    let messages = outputs(&mut kernel, ":opt 3\n:offline 1\ncfg!(debug_assertions)").await;
    assert_eq!(messages[1], "result 7: true");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_last_error_is_explained() {
    let mut kernel = kernel().await;
    for line in [":explain", ":last_error_json"] {
        let none = "error CommandError: no cell has failed to compile yet";
        assert_eq!(outputs(&mut kernel, line).await, [none]);
    }
    run(&mut kernel, "let x: u8 = \"text\";").await;
    let explained = &outputs(&mut kernel, ":explain").await[0];
    assert!(explained.contains("Expected type did not match the received type."), "{explained}");
    let json = &outputs(&mut kernel, ":last_error_json").await[0];
    let json: serde_json::Value = serde_json::from_str(json.split_once(": ").unwrap().1).unwrap();
    assert_eq!((&json["code"]["code"], &json["message"]), (&"E0308".into(), &"mismatched types".into()));
    let folder = &outputs(&mut kernel, ":last_compile_dir").await[0];
    let folder = PathBuf::from(folder.split_once(": ").unwrap().1.trim_end());
    assert!(fs::read_to_string(folder.join("src/lib.rs")).unwrap().contains("let x: u8 = \"text\";"));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_shell_shows_what_it_prints_and_its_failure_is_one() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, "!printf 'one\\ntwo ü'").await, ["stdout: one\ntwo ü"]);
    let messages = outputs(&mut kernel, "!echo no >&2; exit 3\n1 + 1").await;
    assert_eq!(messages, ["stderr: no\n", "error CommandError: the command has failed (exit status: 3)"]);
    // What goes on in the background keeps nobody waiting.
    assert_eq!(outputs(&mut kernel, "!echo on; sleep 1000 &\n1 + 1").await, ["stdout: on\n", "result 3: 2"]);
    let quit = &outputs(&mut kernel, "!echo ran\n:quit").await;
    assert!(
        quit.len() == 1 && quit[0].starts_with("error CommandError: `:quit` would end the kernel"),
        "{quit:?}"
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn cells_are_of_the_edition_that_the_session_has() {
    let mut kernel = kernel().await;
    let cell = "let gen = 1; gen";
    let reserved = "error CompileError: expected identifier, found reserved keyword `gen`";
    assert_eq!(outputs(&mut kernel, cell).await, [reserved]);
    assert_eq!(outputs(&mut kernel, &format!(":edition 2021\n{cell}")).await[1], "result 2: 1");
    // Closures of 2018 take the whole of what they use a part of.
    let cell =
        ":edition 2018\nlet pair = (String::new(), 1);\n{ let part = || pair.1; drop(pair.0); part() }";
    let messages = outputs(&mut kernel, cell).await;
    assert_eq!(messages[1], "error CompileError: cannot move out of `pair.0` because it is borrowed");
    let messages = outputs(&mut kernel, &cell.replace("2018", "2021")).await;
    assert_eq!(messages[1], "result 4: 1");
    let refused = "error CommandError: expected `:edition [2018|2021|2024]`, found `2015`";
    assert_eq!(outputs(&mut kernel, ":edition 2015").await, [refused]);
    assert_eq!(outputs(&mut kernel, ":edition").await, ["result 6: Edition: 2021\n"]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_session_starts_with_what_evcxr_toml_says() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(&folder.path().join("tiny"), "tiny");
    let config = folder.path().join("evcxr.toml");
    let text = "[evcxr]\ntmpdir = \"elsewhere\"\nprelude = \"\"\"\nuse tiny::usual as is_usual;\nlet more = tiny::more();\nprintln!(\"prelude\");\n\"\"\"\n\n[dependencies]\ntiny = { path = \"tiny\", features = [\"more\"] }\n";
    fs::write(&config, text).unwrap();
    let mut kernel = kernel_in(folder.path()).await;
    assert_eq!(
        outputs(&mut kernel, "(is_usual(), more)").await,
        ["stdout: prelude\n", "result 1: (true, true)"]
    );
    assert_eq!(outputs(&mut kernel, ":vars").await, ["result 2: more: bool\n"]);
    fs::write(&config, "[evcxr]\nprelude = \"let later = 1;\"\n").unwrap();
    let loaded =
        format!("result 3: Loaded {}\n", folder.path().canonicalize().unwrap().join("evcxr.toml").display());
    assert_eq!(outputs(&mut kernel, ":load_config").await, [loaded]);
    assert_eq!(outputs(&mut kernel, "later").await, ["result 4: 1"]);
    kernel.shut_down().await.unwrap();
    assert!(!folder.path().join("elsewhere").exists());

    fs::write(&config, "[evcxr]\nprelude = 1\n").unwrap();
    let mut kernel = kernel_in(folder.path()).await;
    let messages = outputs(&mut kernel, "1 + 1").await;
    let line = format!(
        "stderr: evcxr.toml was not taken over: {}, line 2: invalid type: integer `1`, expected a string\n",
        folder.path().canonicalize().unwrap().join("evcxr.toml").display()
    );
    assert_eq!(messages, [line.as_str(), "result 1: 2"]);
    assert_eq!(completions(&mut kernel, "5u8.is_pow").await, ["is_power_of_two()"]);
    assert_eq!(outputs(&mut kernel, "1 + 2").await, ["result 2: 3"]);
    kernel.shut_down().await.unwrap();
}
