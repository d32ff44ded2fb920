//! Tests of what this crate assumes about evcxr. They run the real evcxr with a shell script as its child, and with a session's
//! stand-ins for cargo, rustc and rustup. If another version of evcxr behaves differently, they fail and say what has changed.

use crate::cargo_for_evcxr::{self, LIBRARY, PATH_FILE, PROGRAM};
use crate::child::{COMPLETE, IS_CHILD, LOAD};
use crate::output::QUESTION;
use crate::{errors, input};
use environment::session_directory as directory;
use environment::{stand_ins, toolchain};
use evcxr::{CommandContext, Error, EvalCallbacks, EvalContext};
use std::any::type_name;
use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;
use std::{env, fs, thread};

/// The environment variable with the folder of a test, for its process and for the scripts below.
const FOLDER: &str = "TAPER_CONTRACT";

/// How long a test may wait for evcxr, which would otherwise wait forever for a line that it does not recognize.
const PATIENCE: Duration = Duration::from_secs(120);

/// The child: records how it was started and the lines that it is sent. To run a cell, it runs the script in the file `cell`.
const CHILD: &str = r#"#!/bin/sh
log=$TAPER_CONTRACT/child.log
echo "start $* $WORD" >> "$log"
env > "$TAPER_CONTRACT/child.env"
while IFS= read -r line; do
    echo "$line" >> "$log"
    . "$TAPER_CONTRACT/cell"
    echo "$COMPLETE"
done
echo end >> "$log"
"#;

/// taper, as the stand-ins call it: does the same as `cargo_for_evcxr`, and records how it was called.
const TAPER: &str = r#"#!/bin/sh
[ "$1" = describe-cells ] && echo "$PWD" >> "$TAPER_CONTRACT/described.log" && exec cat "$TAPER_CONTRACT/description"
echo "$PWD $*" >> "$TAPER_CONTRACT/cargo.log"
env > "$TAPER_CONTRACT/cargo.env"
to_run=$PWD/nothing_to_run
[ "$TAPER_LIBRARY" ] && to_run=$(dirname "$TAPER_LIBRARY")/to_run
echo "$TAPER_LIBRARY" > "$to_run"
eval "path_file=\$$PATH_FILE"
printf %s "$to_run" > "$path_file"
"#;

/// rustc, for the rust-analyzer inside evcxr: records how it was called, and calls the stand-in.
const RUSTC: &str = r#"#!/bin/sh
echo "$*" >> "$TAPER_CONTRACT/rustc.log"
exec "$TAPER_CONTRACT/tools/rustc" "$@"
"#;

/// evcxr with the child above, in the environment of a session.
struct Session {
    folder: PathBuf,
    context: CommandContext,
}

/// Runs the body of a test in a process of its own, because evcxr reads environment variables that no other test may see.
fn in_session<Body: FnOnce(Session)>(body: Body) {
    if let Some(folder) = env::var_os(FOLDER) {
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            eprintln!("evcxr has changed: it waits for something that is not said any more");
            process::exit(1);
        });
        return body(Session::start(folder.into()));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap().join("a folder");
    let (tools, evcxr) = (folder.join("tools"), folder.join(directory::EVCXR));
    stand_ins::write(&tools).unwrap();
    for (name, script) in [("child", CHILD), ("taper", TAPER), ("rustc", RUSTC)] {
        fs::write(folder.join(name), script).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::write(folder.join("cell"), "").unwrap();
    fs::write(folder.join("description"), cargo_for_evcxr::description(&evcxr).to_string()).unwrap();
    // The name of the test, since `Body` is a closure in it.
    let name = type_name::<Body>().trim_start_matches("engine::").trim_end_matches("::{{closure}}");
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .current_dir(&folder)
        .env(FOLDER, &folder)
        .env("CARGO", tools.join("cargo"))
        .env("RUSTC", folder.join("rustc"))
        .env("PATH", toolchain::search_path(&[tools.join(stand_ins::FIRST_ON_PATH)]).unwrap())
        .env("EVCXR_TMPDIR", &evcxr)
        .env("EVCXR_CONFIG_DIR", &folder)
        .env(PROGRAM, folder.join("taper"))
        .env("PATH_FILE", PATH_FILE)
        .output()
        .unwrap();
    let [text, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

impl Session {
    fn start(folder: PathBuf) -> Self {
        let mut command = Command::new(folder.join("child"));
        command.arg("argument").env("WORD", "word").env("COMPLETE", COMPLETE);
        let (context, _) = EvalContext::with_subprocess_command(command)
            .unwrap_or_else(|error| panic!("evcxr has changed: it does not start in a session: {error}"));
        Self { context: CommandContext::with_eval_context(context), folder }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Sets the shell script with which the child runs cells.
    fn cells_do(&self, script: &str) {
        fs::write(self.folder.join("cell"), script).unwrap();
    }

    /// The value of an environment variable in the last call of cargo.
    fn cargo_variable(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        self.read("cargo.env").lines().find_map(|line| Some(line.strip_prefix(&start)?.to_owned()))
    }

    /// How often the child was started with the right argument and variable.
    fn starts(&self) -> usize {
        self.read("child.log").lines().filter(|line| *line == "start argument word").count()
    }

    /// The library of the last cell that the child was told to run.
    fn last_library(&self) -> PathBuf {
        let log = self.read("child.log");
        let line = log.lines().last().unwrap();
        let load = line.strip_prefix(LOAD).and_then(|rest| rest.rsplit_once(' '));
        let (path, _) = load.unwrap_or_else(|| panic!("evcxr has changed: it tells its child `{line}`"));
        path.into()
    }

    /// Runs a cell as the evaluator does, with this library.
    fn run(&mut self, library: &Path) -> Result<(), Error> {
        self.context.execute(&format!(":build_env {LIBRARY}={}\n();", library.display())).map(drop)
    }
}

#[test]
fn the_version_is_the_one_that_the_version_command_names() {
    in_session(|mut session| {
        let version = session.context.execute(":version").unwrap();
        let text = version.get("text/plain").unwrap();
        assert!(text.contains("0.22.0"), "evcxr is `{text}` now: change the text of taper's `:version`");
    });
}

#[test]
fn the_child_is_the_given_program_and_knows_that_it_is_the_child() {
    in_session(|session| {
        let log = session.read("child.log");
        assert_eq!(
            log.lines().next(),
            Some("start argument word"),
            "evcxr has changed how it starts its child"
        );
        let variables = session.read("child.env");
        let is_set = |name: &str| variables.lines().any(|line| line.starts_with(&format!("{name}=")));
        assert!(is_set(IS_CHILD), "evcxr has changed: it does not set {IS_CHILD} for its child");
        assert!(is_set("RUST_BACKTRACE"), "evcxr has changed: nothing needs to remove RUST_BACKTRACE now");
    });
}

#[test]
fn evcxr_and_its_analyzer_call_the_stand_ins() {
    in_session(|session| {
        let folder = session.folder.join(directory::EVCXR);
        let cargo = session.read("cargo.log");
        for line in cargo.lines() {
            let arguments = line.strip_prefix(&format!("{} cargo-of-cells ", folder.display()));
            let arguments = arguments.unwrap_or_else(|| panic!("evcxr runs cargo elsewhere: {line}"));
            let is_known = arguments.split(' ').any(|argument| argument == "build" || argument == "check");
            assert!(is_known, "evcxr has changed: it calls cargo with `{arguments}`");
        }
        let described = session.read("described.log");
        let expected = folder.display().to_string();
        assert!(
            !described.is_empty() && described.lines().all(|line| line == expected),
            "the rust-analyzer inside evcxr has changed where it asks for `cargo metadata`: {described}"
        );
        let rustc = session.read("rustc.log");
        assert!(
            rustc.lines().any(|line| line == "--print sysroot"),
            "the rust-analyzer inside evcxr has changed how it finds std, which it would read now: {rustc}"
        );
    });
}

#[test]
fn a_library_reaches_the_child_by_way_of_build_env_and_cargo() {
    in_session(|mut session| {
        let folder = session.folder.join("7 = 7");
        fs::create_dir(&folder).unwrap();
        let library = folder.join("libctx.so");
        session.run(&library).unwrap();
        let (given, expected) = (session.cargo_variable(LIBRARY), library.display().to_string());
        assert_eq!(
            given.as_deref(),
            Some(expected.as_str()),
            "evcxr has changed: `:build_env` does not reach cargo"
        );
        let loaded = session.last_library();
        assert_eq!(
            loaded.parent(),
            Some(folder.as_path()),
            "evcxr has changed: it moves the library elsewhere"
        );
        let content = fs::read_to_string(&loaded).unwrap();
        assert_eq!(
            content,
            format!("{expected}\n"),
            "evcxr has changed: it loads another file than it is given"
        );
        assert!(!folder.join("to_run").exists(), "evcxr has changed: it copies the library now");
        // Each library needs a new name, because the loader identifies libraries by their paths.
        session.run(&library).unwrap();
        assert_ne!(session.last_library(), loaded, "evcxr has changed: it uses a name again");

        session.context.execute(&format!(":build_env {LIBRARY}=")).unwrap();
        session.context.execute("();").unwrap();
        assert_eq!(
            session.cargo_variable(LIBRARY).as_deref(),
            Some(""),
            "evcxr has changed: no variable can be emptied"
        );
        let nothing = session.last_library();
        assert_eq!(nothing.parent(), Some(session.folder.join(directory::EVCXR).as_path()));
    });
}

#[test]
fn a_cell_lasts_until_the_child_says_that_it_is_complete() {
    in_session(|mut session| {
        let done = session.folder.join("done");
        session.cells_do(&format!(
            "echo ' {COMPLETE}'; echo '{COMPLETE}D'; sleep 0.3; touch '{}'",
            done.display()
        ));
        session.context.execute("();").unwrap();
        assert!(done.exists(), "evcxr has changed: a line other than `{COMPLETE}` ends a cell");
    });
}

#[test]
fn requests_for_input_reach_the_reader_and_its_answers_the_child() {
    in_session(|mut session| {
        session.cells_do(&format!(
            "for request in '{QUESTION}:' '{QUESTION}:Your name?' '{QUESTION}_PASSWORD:Word'; do\n\
             echo \"$request\"; IFS= read -r answer; echo \"$answer\" >> \"$log\"; done"
        ));
        let asked = RefCell::new(Vec::new());
        let mut callbacks = EvalCallbacks {
            input_reader: &|request| {
                asked.borrow_mut().push((request.prompt, request.is_password));
                [" Ada ", input::INTERRUPTED, input::END][asked.borrow().len() - 1].to_owned()
            },
        };
        session.context.execute_with_callbacks("();", &mut callbacks).unwrap();
        let expected = [("", false), ("Your name?", false), ("Word", true)];
        let expected = expected.map(|(prompt, is_password)| (prompt.to_owned(), is_password));
        assert_eq!(*asked.borrow(), expected, "evcxr has changed how a cell asks for input");
        let answers = format!("\n Ada \n{}\n{}\n", input::INTERRUPTED, input::END);
        let log = session.read("child.log");
        assert!(log.ends_with(&answers), "evcxr has changed how it passes on answers: {log:?}");
    });
}

#[test]
fn the_end_of_the_child_is_told_with_its_status_and_followed_by_another_child() {
    in_session(|mut session| {
        let ends = [
            ("kill -SEGV $$", "(signal: 11 (SIGSEGV)", "it accessed invalid memory"),
            ("kill -ABRT $$", "(signal: 6 (SIGABRT)", "it aborted"),
            ("kill -KILL $$", "(signal: 9 (SIGKILL))", "it was killed"),
            ("echo last words; exit 7", "(exit status: 7)", "it called `std::process::exit`"),
        ];
        for (number, (script, status, reason)) in ends.into_iter().enumerate() {
            session.cells_do(script);
            let text = match session.context.execute("();") {
                Err(Error::SubprocessTerminated(text)) => text,
                Err(error) => panic!("evcxr has changed: it says `{error}` of {script}"),
                Ok(_) => panic!("evcxr has changed: it does not notice {script}"),
            };
            let error = errors::process_ended(&text, &[]).evalue;
            let start = format!("the process that runs the cells has ended {status}");
            assert!(
                error.starts_with(&start) && error.contains(reason),
                "evcxr has changed: it says `{text}` of {script}, which is shown as `{error}`"
            );
            session.cells_do("");
            session.context.execute("();").expect("evcxr starts another child");
            assert_eq!(session.starts(), number + 2, "evcxr has changed how it starts another child");
        }
    });
}

#[test]
fn a_child_that_has_ended_between_cells_is_noticed_by_the_next_one() {
    in_session(|mut session| {
        session.context.process_handle().lock().unwrap().kill().unwrap();
        let noticed = session.context.execute("();");
        assert!(
            matches!(noticed, Err(Error::SubprocessTerminated(_))),
            "evcxr has changed: it does not say that the child has ended"
        );
        session.context.execute("();").expect("evcxr starts another child");
    });
}

#[test]
fn restart_and_clear_start_the_same_program_and_keep_the_handle() {
    in_session(|mut session| {
        let handle = session.context.process_handle();
        let mut seen = vec![handle.lock().unwrap().id()];
        for command in [":restart", ":clear"] {
            session.context.execute(command).unwrap();
            session.context.execute("();").unwrap();
            seen.push(handle.lock().unwrap().id());
            assert_eq!(session.starts(), seen.len(), "evcxr has changed what `{command}` does");
            let variables = session.read("child.env");
            assert!(variables.contains(IS_CHILD), "evcxr has changed what a child is told after `{command}`");
        }
        seen.dedup();
        assert_eq!(seen.len(), 3, "evcxr has changed: its handle stays that of the first child");
    });
}

#[test]
fn the_end_of_evcxr_is_the_end_of_the_childs_input() {
    in_session(|Session { context, folder }| {
        drop(context);
        let log = fs::read_to_string(folder.join("child.log")).unwrap();
        assert!(
            log.ends_with("\nend\n"),
            "evcxr has changed: it leaves its child alone when it ends: {log:?}"
        );
    });
}

#[test]
fn evcxr_accepts_all_optimization_levels_of_the_opt_command() {
    in_session(|mut session| {
        for level in ["0", "1", "2", "3", "s", "z"] {
            let set = session.context.execute(&format!(":opt {level}\n();"));
            set.unwrap_or_else(|error| panic!("evcxr has changed: it refuses `:opt {level}`: {error}"));
        }
    });
}
