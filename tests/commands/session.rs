//! Commands that change the session.

use crate::support::{completions, failure, kernel, kernel_in, outputs, run, traceback, write_crate};
use std::fs;
use std::process::Command;

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
    assert!(
        refused[0].starts_with("error CommandError: `RUSTC_WRAPPER` is reserved by taper"),
        "{refused:?}"
    );
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn results_and_errors_are_shown_as_the_user_has_set() {
    let mut kernel = kernel().await;
    assert_eq!(outputs(&mut kernel, ":fmt {:>4}\n7").await, ["display text/plain", "result 1:    7"]);
    let card = ":fmt {:#?}\nstruct Card;\nimpl Card { fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\nace\\nEVCXR_END_CONTENT\") } }\nCard";
    assert_eq!(outputs(&mut kernel, card).await[1], "result 2: ace");
    let refused = "error CommandError: `none` is not a valid format: argument never used";
    assert_eq!(outputs(&mut kernel, ":fmt none").await, [refused]);
    assert_eq!(outputs(&mut kernel, ":fmt\n:types\nSome(1)").await[1], "result 4: : Option<i32> = Some(1)");
    assert_eq!(outputs(&mut kernel, ":types").await, ["result 5: Types: false\n"]);
    let code = "let failed: Result<u8, _> = Err(vec![\"ü\"]);\nfailed?;";
    assert_eq!(
        traceback(&failure(&mut kernel, &format!(":efmt {{:?}}\n{code}")).await),
        "Error: [\"ü\"]\n --> [6]:3:1\n  |\n3 | failed?;\n  | ^"
    );
    let messages = outputs(&mut kernel, &format!(":efmt {{:#?}}\n{code}")).await;
    assert_eq!(messages[1], "error Error: [\n    \"ü\",\n]");
    let message = &outputs(&mut kernel, &format!(":efmt {{}}\n{code}")).await[1];
    assert!(message.starts_with("error CompileError: ") && message.contains("Display"), "{message}");
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
async fn cells_are_of_the_edition_that_the_session_has() {
    let mut kernel = kernel().await;
    let cell = "let gen = 1; gen";
    let reserved = "error CompileError: expected identifier, found reserved keyword `gen`";
    assert_eq!(outputs(&mut kernel, cell).await, [reserved]);
    assert_eq!(outputs(&mut kernel, &format!(":edition 2021\n{cell}")).await[1], "result 2: 1");
    // Closures of edition 2018 capture a whole tuple even if they use only a field.
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
        "stderr: evcxr.toml was not loaded: {}, line 2: invalid type: integer `1`, expected a string\n",
        folder.path().canonicalize().unwrap().join("evcxr.toml").display()
    );
    assert_eq!(messages, [line.as_str(), "result 1: 2"]);
    assert_eq!(completions(&mut kernel, "5u8.is_pow").await, ["is_power_of_two()"]);
    assert_eq!(outputs(&mut kernel, "1 + 2").await, ["result 2: 3"]);
    kernel.shut_down().await.unwrap();
}
