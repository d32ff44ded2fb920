//! The crates of `:dep` lines: what `lab` brings is `lab`'s, the others are compiled once for all sessions, and all cells of a
//! session share one copy of each.

use crate::support::{command_with_cache, kernel, kernel_command, note, outputs, taper, wait_until, within};
use jupyter_protocol::{InterruptRequest, JupyterMessage};
use std::fs;
use std::path::Path;
use wire::Client;

fn write_crate(folder: &Path, name: &str, dependencies: &str, source: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
}

/// A kernel without a network, and for which nothing has been downloaded.
async fn without_downloads(cargo_home: &Path) -> Client {
    let mut command = kernel_command();
    command.env("CARGO_NET_OFFLINE", "true").env("CARGO_HOME", cargo_home);
    Client::start(&mut command).await.unwrap()
}

#[tokio::test]
async fn what_lab_brings_is_labs() {
    // Nothing is resolved, downloaded or compiled.
    let empty = tempfile::tempdir().unwrap();
    let mut kernel = without_downloads(empty.path()).await;
    let cell = ":dep candle-core = \"0.11.1\"\n:dep serde_json\n:dep rand = { version = \"0.9\" }\n\
                let same: candle_core::Tensor = lab::candle_core::Tensor::new(&[1f32, 2.], &lab::candle_core::Device::Cpu)?;\n\
                let n: u8 = rand::random_range(3..4);\n\
                serde_json::json!({ \"rank\": same.rank(), \"n\": n }).to_string()";
    assert_eq!(outputs(&mut kernel, cell).await, ["result 1: \"{\\\"n\\\":3,\\\"rank\\\":1}\""]);
}

#[tokio::test]
async fn a_static_of_a_crate_is_the_same_in_all_cells_also_when_crates_are_added() {
    let mut kernel = kernel().await;
    let cell = ":dep tracing = \"0.1\"\nuse tracing::subscriber::{NoSubscriber, set_global_default};\n\
                set_global_default(NoSubscriber::new()).is_ok()";
    assert_eq!(outputs(&mut kernel, cell).await, ["result 1: true"]);
    assert_eq!(
        outputs(&mut kernel, "set_global_default(NoSubscriber::new()).is_ok()").await,
        ["result 2: false"]
    );
    assert!(outputs(&mut kernel, "let level = tracing::Level::INFO;").await.is_empty());
    let cell =
        ":dep hex = \"0.4\"\n(hex::encode([7u8]), set_global_default(NoSubscriber::new()).is_ok(), level)";
    let shown = "result 4: (\"07\", false, Level(Info))";
    assert_eq!(outputs(&mut kernel, cell).await, [shown], "the variable is kept, and so is the subscriber");
}

#[tokio::test]
async fn a_task_goes_on_after_its_cell_and_in_the_next_one() {
    let mut kernel = kernel().await;
    let cell = "let (send, mut receive) = tokio::sync::mpsc::channel::<u32>(1);\n\
                tokio::spawn(async move { for n in 0.. { if send.send(n).await.is_err() { return; } } });\n\
                receive.recv().await";
    let dependency = ":dep tokio = { version = \"1\", features = [\"full\"] }\n";
    assert_eq!(outputs(&mut kernel, &format!("{dependency}{cell}")).await, ["result 1: Some(0)"]);
    assert_eq!(outputs(&mut kernel, "receive.recv().await").await, ["result 2: Some(1)"]);
    let blocking = "tokio::runtime::Handle::current().block_on(receive.recv())";
    assert_eq!(outputs(&mut kernel, blocking).await, ["result 3: Some(2)"]);
}

#[tokio::test]
async fn cells_await_in_an_older_tokio_too() {
    let mut kernel = kernel().await;
    let dependency = ":dep tokio = { version = \"0.2\", features = [\"rt-threaded\"] }\n";
    let cell = "let two = tokio::spawn(async { 2 }).await?;\ntwo + 1";
    assert_eq!(outputs(&mut kernel, &format!("{dependency}{cell}")).await.last().unwrap(), "result 1: 3");
    let without = "let handle = tokio::runtime::Handle::try_current().is_ok();\ntwo";
    assert_eq!(outputs(&mut kernel, without).await, ["result 2: 2"]);
}

#[tokio::test]
async fn a_set_that_has_been_built_needs_neither_cargo_nor_a_network() {
    let cell = ":dep hex = \"0.4\"\n:dep fixedbitset = \"0.5\"\nhex::encode([18u8])";
    let mut first = kernel().await;
    assert_eq!(outputs(&mut first, cell).await.last().unwrap(), "result 1: \"12\"");
    let listed = taper().arg("cache").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let is_listed = |line: &str| {
        line.ends_with(", in use: fixedbitset = { version = \"0.5\" }, hex = { version = \"0.4\" }")
    };
    assert!(listed.lines().any(is_listed), "{listed}");
    let empty = tempfile::tempdir().unwrap();
    let mut second = without_downloads(empty.path()).await;
    assert_eq!(outputs(&mut second, cell).await, ["result 1: \"12\""]);
    let unknown = outputs(&mut second, ":dep hex-literal = \"1\"").await;
    assert!(unknown[0].contains("note: there is no network"), "{unknown:?}");
    assert_eq!(outputs(&mut second, "hex::encode([1u8])").await, ["result 3: \"01\""], "nothing is lost");
}

#[tokio::test]
async fn versions_renames_macros_and_several_versions_are_as_cargo_has_them() {
    let mut kernel = kernel().await;
    let cell = ":dep old = { version = \"0.4\", package = \"itoa\" }\n:dep itoa = \"1\"\n:dep derive-new = \"0.7\"\n\
                #[derive(derive_new::new)]\nstruct P { x: i32 }\n\
                let mut text = Vec::new();\nold::write(&mut text, P::new(5).x)?;\n\
                (text, itoa::Buffer::new().format(6).to_owned())";
    assert_eq!(outputs(&mut kernel, cell).await.last().unwrap(), "result 1: ([53], \"6\")");
    let conflict = outputs(&mut kernel, ":dep itoa = \"=1.0.999\"").await;
    assert!(
        conflict[0].starts_with("error DependencyError: error: failed to select a version"),
        "{conflict:?}"
    );
    assert_eq!(outputs(&mut kernel, "itoa::Buffer::new().format(P::new(1).x).len()").await, ["result 3: 1"]);
}

#[tokio::test]
async fn a_version_can_be_changed_and_changed_back() {
    let mut kernel = kernel().await;
    let new = ":dep hex = \"0.4\"\n";
    let bytes = format!("{new}let bytes: Result<Vec<u8>, hex::FromHexError> = hex::decode(\"07\");");
    assert!(outputs(&mut kernel, &bytes).await.is_empty());
    // It takes its argument in another way.
    let old = ":dep hex = \"=0.3.2\"\nhex::encode(&[2u8])";
    assert_eq!(outputs(&mut kernel, old).await, ["result 2: \"02\""]);
    let more = format!("{new}:dep fixedbitset = \"0.5\"\n(hex::encode([3u8]), bytes)");
    assert_eq!(outputs(&mut kernel, &more).await, ["result 3: (\"03\", Ok([7]))"]);
    assert_eq!(
        outputs(&mut kernel, ":clear\n:dep hex = \"0.4\"\nhex::encode([4u8])").await,
        ["result 4: \"04\""]
    );
}

#[tokio::test]
async fn a_c_library_of_a_crate_can_be_called_from_cells_and_is_one_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let source = "unsafe extern \"C\" { pub fn count() -> i32; }\n#[inline(always)]\npub fn counted() -> i32 { unsafe { count() } }\n";
    write_crate(folder.path(), "counter-sys", "", source);
    fs::write(folder.path().join("count.c"), "static int n; int count(void) { return ++n; }\n").unwrap();
    let build = "use std::process::Command;
fn main() {
    let out = std::env::var(\"OUT_DIR\").unwrap();
    let object = format!(\"{out}/count.o\");
    assert!(Command::new(\"cc\").args([\"-fPIC\", \"-c\", \"count.c\", \"-o\", &object]).status().unwrap().success());
    assert!(Command::new(\"ar\").args([\"rcs\", &format!(\"{out}/libcount.a\"), &object]).status().unwrap().success());
    println!(\"cargo::rustc-link-search=native={out}\");
    println!(\"cargo::rustc-link-lib=static=count\");
}
";
    fs::write(folder.path().join("build.rs"), build).unwrap();
    let mut command = kernel_command();
    command.current_dir(folder.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    assert_eq!(outputs(&mut kernel, ":dep .\nunsafe { counter_sys::count() }").await, ["result 1: 1"]);
    assert_eq!(outputs(&mut kernel, "counter_sys::counted()").await, ["result 2: 2"]);
    // What is compiled as zlib is cannot be exported.
    fs::write(folder.path().join("build.rs"), build.replace("-fPIC", "-fPIC\", \"-fvisibility=hidden"))
        .unwrap();
    let restarted = ":restart\nunsafe { counter_sys::count() > 0 && counter_sys::counted() > 1 }";
    assert_eq!(outputs(&mut kernel, restarted).await.last().unwrap(), "result 3: true");
}

#[tokio::test]
async fn a_changed_source_is_seen_by_the_next_cell_and_what_does_not_compile_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let helper = "helper = { path = \"helper\" }";
    let source = "pub use helper::times;\n#[derive(Debug)]\npub struct Point { pub x: i32 }\npub fn next(x: i32) -> i32 { x + 1 }\n";
    write_crate(folder.path(), "own-crate", helper, source);
    write_crate(&folder.path().join("helper"), "helper", "", "pub fn times(x: i32) -> i32 { x * 2 }\n");
    let mut command = kernel_command();
    command.current_dir(folder.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    let first = ":dep .\nuse own_crate::Point;\nlet n = own_crate::next(own_crate::times(3));\nlet point = Point { x: 1 };\nn";
    assert_eq!(outputs(&mut kernel, first).await, ["result 1: 7"]);
    // A change in the function.
    let main = folder.path().join("src/lib.rs");
    fs::write(&main, source.replace("x + 1", "x + 10")).unwrap();
    let gone = "stderr: `point` is gone: the crate that defines its type has changed. Run the cell that creates it again.\n";
    assert_eq!(outputs(&mut kernel, "(n, own_crate::next(0))").await, [gone, "result 2: (7, 10)"]);
    // A change in what it depends on.
    fs::write(folder.path().join("helper/src/lib.rs"), "pub fn times(x: i32) -> i32 { x * 3 }\n").unwrap();
    assert_eq!(outputs(&mut kernel, "own_crate::times(1)").await, ["result 3: 3"]);
    // Another field, and a mistake.
    fs::write(&main, source.replace("pub x: i32", "pub x: i32, pub y: i32")).unwrap();
    assert_eq!(outputs(&mut kernel, "Point { x: 1, y: 2 }").await, ["result 4: Point { x: 1, y: 2 }"]);
    fs::write(&main, source.replace("x + 1", "x + true")).unwrap();
    let broken = outputs(&mut kernel, "own_crate::times(2)").await;
    assert!(
        broken[0].contains("cannot add `bool` to `i32`") && broken[0].contains("src/lib.rs:4"),
        "{broken:?}"
    );
    assert_eq!(broken[1], "result 5: 6", "cells go on with the crate as it was");
    assert_eq!(outputs(&mut kernel, "Point { x: 1, y: 3 }.y").await, ["result 6: 3"], "it is said once");
    fs::write(&main, source).unwrap();
    assert_eq!(outputs(&mut kernel, "own_crate::next(0)").await, ["result 7: 1"]);
}

#[tokio::test]
async fn a_crate_of_a_workspace_has_what_it_inherits_its_patches_and_its_locked_versions() {
    let root = tempfile::tempdir().unwrap();
    let patched = "pub fn encode(_: &[u8]) -> &'static str { \"patched\" }\n";
    write_crate(&root.path().join("hex"), "hex", "", patched);
    let manifest = root.path().join("hex/Cargo.toml");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("0.1.0", "0.4.9")).unwrap();
    let inherited = "hex = { workspace = true }\nfixedbitset = { workspace = true }";
    let source = "pub fn encoded() -> &'static str { hex::encode(&[]) }\n\
                  pub fn fail() { fixedbitset::FixedBitSet::with_capacity(1).insert(1) }\n";
    write_crate(&root.path().join("member"), "member", inherited, source);
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"member\"]\n\n[workspace.dependencies]\nhex = \"0.4\"\n\
                     fixedbitset = \"0.5\"\n\n[patch.crates-io]\nhex = { path = \"hex\" }\n";
    fs::write(root.path().join("Cargo.toml"), workspace).unwrap();
    // This version was yanked, so cargo takes it only from a lock file.
    let lock = "version = 4\n\n[[package]]\nname = \"fixedbitset\"\nversion = \"0.5.5\"\n\
                source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                checksum = \"9136484f6695ea36060b406c9a15c3b5f5d4724645bba172e2101e9d15398864\"\n";
    fs::write(root.path().join("Cargo.lock"), lock).unwrap();
    let mut command = kernel_command();
    command.current_dir(root.path().join("member"));
    let mut kernel = Client::start(&mut command).await.unwrap();
    let cell = ":dep .\n\
                std::panic::set_hook(Box::new(|panic| println!(\"{}\", panic.location().unwrap().file())));\n\
                assert!(std::panic::catch_unwind(member::fail).is_err());\nmember::encoded()";
    let shown = outputs(&mut kernel, cell).await;
    assert!(shown[shown.len() - 2].contains("fixedbitset-0.5.5"), "{shown:?}");
    assert_eq!(shown.last().unwrap(), "result 1: \"patched\"");
}

#[tokio::test]
async fn a_variable_may_be_of_a_type_of_a_renamed_crate_or_of_what_a_crate_depends_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = "pub struct Outer(pub i32);\npub fn inner() -> inner::Inner { inner::Inner { x: 5 } }\n";
    write_crate(folder.path(), "outer", "inner = { path = \"inner\" }", source);
    write_crate(&folder.path().join("inner"), "inner", "", "pub struct Inner { pub x: i32 }\n");
    let mut command = kernel_command();
    command.current_dir(folder.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    let cell = ":dep far = { package = \"outer\", path = \".\" }\nlet own = vec![far::Outer(1)];\nlet theirs = Some(far::inner());\n1";
    assert_eq!(outputs(&mut kernel, cell).await.last().unwrap(), "result 1: 1");
    assert_eq!(outputs(&mut kernel, "(own[0].0, theirs.as_ref().unwrap().x)").await, ["result 2: (1, 5)"]);
    assert_eq!(
        outputs(&mut kernel, ":dep hex = \"0.4\"\n(own[0].0, theirs.unwrap().x)").await.last().unwrap(),
        "result 3: (1, 5)"
    );
}

#[tokio::test]
async fn a_crate_that_does_not_compile_is_named_with_its_error_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), "broken", "", "pub fn f() -> u8 { \"text\" }\n");
    let mut command = kernel_command();
    command.current_dir(folder.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    assert!(outputs(&mut kernel, ":dep hex = \"0.4\"\nlet kept = hex::encode([1u8]);").await.is_empty());
    let shown = outputs(&mut kernel, ":dep .\nlet lost = 1;").await;
    let words = [
        "error DependencyError: error[E0308]: mismatched types",
        "src/lib.rs:1:20",
        "could not compile `broken`",
    ];
    assert!(words.iter().all(|words| shown.last().unwrap().contains(words)), "{shown:?}");
    assert_eq!(outputs(&mut kernel, "(kept, hex::encode([2u8]))").await, ["result 3: (\"01\", \"02\")"]);
}

#[needs::own_mounts]
#[tokio::test]
async fn a_disk_that_is_full_when_crates_are_linked_is_told_of_and_nothing_is_lost() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let big = "pub static BIG: [u8; 8_000_000] = [1; 8_000_000];\npub fn one() -> u8 { BIG[0] }\n";
    write_crate(folder.path(), "big", "", big);
    let mut command = command_with_cache(cache.path());
    command.current_dir(folder.path());
    // A small disk for sets, which only the kernel sees.
    let environments = cache.path().join("environments").canonicalize().unwrap();
    let mount = format!(
        "for home in {environments:?}/*; do mkdir -p $home/sets && mount -t tmpfs -o size=4m none $home/sets || exit; done; \
         exec \"$@\""
    );
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let mut kernel = Client::start(&mut within(&wrapper, &command)).await.unwrap();
    let first = ":dep hex = \"0.4\"\nlet kept = hex::encode([1u8]);\nhex::encode([2u8])";
    assert_eq!(outputs(&mut kernel, first).await.last().unwrap(), "result 1: \"02\"");
    let full = outputs(&mut kernel, ":dep .\nbig::one()").await;
    assert!(
        full.last().unwrap().starts_with("error DiskFull: there is no space left on the disk"),
        "{full:?}"
    );
    assert_eq!(outputs(&mut kernel, "(&kept, hex::encode([3u8]))").await, ["result 3: (\"01\", \"03\")"]);
    fs::write(folder.path().join("src/lib.rs"), big.replace("8_000_000", "1")).unwrap();
    assert_eq!(
        outputs(&mut kernel, ":dep .\n(kept, big::one())").await.last().unwrap(),
        "result 4: (\"01\", 1)"
    );
}

#[tokio::test]
async fn kernels_that_ask_for_the_same_at_once_build_it_once() {
    let cell = ":dep fixedbitset = \"0.4\"\nfixedbitset::FixedBitSet::with_capacity(9).len()";
    let (mut one, mut other) = (kernel().await, kernel().await);
    let (first, second) = tokio::join!(outputs(&mut one, cell), outputs(&mut other, cell));
    assert_eq!(
        (first.last().unwrap(), second.last().unwrap()),
        (&"result 1: 9".into(), &"result 1: 9".into())
    );
}

#[tokio::test]
async fn an_interrupted_build_leaves_the_session_as_it_was_and_goes_on_later() {
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), "slow", "", "pub fn two() -> i32 { 2 }\n");
    let wait = "fn main() { if !std::path::Path::new(\"go\").exists() { std::fs::write(\"begun\", \"\").unwrap(); \
                std::thread::sleep(std::time::Duration::from_secs(600)); } }";
    fs::write(folder.path().join("build.rs"), wait).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut command = command_with_cache(cache.path());
    command.current_dir(folder.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    assert!(outputs(&mut kernel, "let kept = 1;").await.is_empty());
    let id = kernel.execute(":dep .").await.unwrap();
    let begun = folder.path().join("begun");
    wait_until("the build script does not run", || begun.exists()).await;
    kernel.control.send(JupyterMessage::new(InterruptRequest {}, None)).await.unwrap();
    let mut interrupted = Vec::new();
    kernel.until_idle(&id, |message| note(&mut interrupted, message)).await.unwrap();
    interrupted.pop();
    let words = "error Interrupted: the cell was interrupted before it ran; everything is as it was";
    assert_eq!(interrupted.last().unwrap(), words);
    fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(outputs(&mut kernel, ":dep .\nslow::two() + kept").await.last().unwrap(), "result 3: 3");
}
