//! When the warm environment is unfinished, damaged or removed, cells say so and `taper install` repairs it.

use crate::support::{
    assert_untouched, command_with_cache, kernel_command, run, sessions, taper, users_folder, wait_until,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wire::Client;

/// Copies the environment that all tests share, without the last step of its build, into a folder; returns the copy.
pub async fn unfinished_environment(environments: &Path) -> PathBuf {
    let shared = tempfile::tempdir().unwrap();
    let kernel = Client::start(&mut command_with_cache(shared.path())).await.unwrap();
    wait_until("the session is not linked with `lab`", || linked_lab(shared.path()).is_some()).await;
    let link = linked_lab(shared.path()).unwrap();
    kernel.shut_down().await.unwrap();
    // …/environments/KEY/labs/DIGEST/liblab.so
    let original = link.ancestors().nth(3).unwrap();
    let copy = environments.join(original.file_name().unwrap());
    fs::create_dir_all(&copy).unwrap();
    let copied = Command::new("cp").arg("-a").arg(original.join(".")).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(copy.join("labs")).unwrap();
    fs::remove_file(copy.join("warm/build.log")).unwrap();
    copy
}

/// The target of the link in the only session of a cache.
fn linked_lab(cache: &Path) -> Option<PathBuf> {
    let sessions = fs::read_dir(cache.join("sessions")).ok()?.flatten();
    sessions.filter_map(|session| fs::read_link(session.path().join("liblab")).ok()).next()
}

/// The first file in a folder with this prefix and suffix.
fn file(folder: &Path, start: &str, end: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(start) && name.ends_with(end)
    };
    files.filter(is_it).min().unwrap_or_else(|| panic!("no {start}…{end} in {}", folder.display()))
}

#[tokio::test]
async fn an_environment_that_is_unfinished_damaged_or_removed_is_told_of_and_mended() {
    let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let environment = unfinished_environment(&cache.path().join("environments")).await;
    let install = || {
        let mut install = taper();
        install.arg("install").env("JUPYTER_DATA_DIR", cache.path()).env("TAPER_CACHE", cache.path());
        install.stdout(Stdio::null());
        install
    };
    // Stopped half-way.
    let mut stopped = install().spawn().unwrap();
    wait_until("the build does not start", || environment.join("warm/build.log").exists()).await;
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    let (mut command, users) = (kernel_command(), users_folder());
    command.env("TAPER_CACHE", cache.path()).current_dir(users.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    let messages = run(&mut kernel, "1 + 1").await;
    assert_eq!(messages[2], "error KernelError: the warm environment is not built: run `taper install`");
    assert!(install().status().unwrap().success());
    assert_eq!(run(&mut kernel, "let kept = 2; kept").await[2], "result 2: 2");

    let damaged = "error KernelError: the warm environment has been removed or damaged: run `taper install`, and then this cell again";
    let lab = fs::read_dir(environment.join("labs")).unwrap().flatten().next().unwrap().path();
    let dependencies = environment.join("target").join(host()).join("debug/deps");
    let damages: [(&str, &dyn Fn()); 3] = [
        ("the library is gone", &|| fs::remove_file(file(&lab, "liblab", "")).unwrap()),
        ("the library is cut short", &|| cut_short(&file(&lab, "liblab", ""))),
        ("a dependency is gone", &|| {
            for kind in [".rlib", ".rmeta"] {
                fs::remove_file(file(&dependencies, "libtypeid-", kind)).unwrap();
            }
        }),
    ];
    for (number, (what, damage)) in (3..).step_by(2).zip(damages) {
        damage();
        assert_eq!(run(&mut kernel, "kept + 1").await[2], damaged, "{what}");
        assert!(install().status().unwrap().success());
        assert_eq!(run(&mut kernel, "kept + 1").await[2], format!("result {}: 3", number + 1), "{what}");
    }
    fs::remove_dir_all(&environment).unwrap();
    assert_eq!(run(&mut kernel, "kept + 1").await[2], damaged);
    kernel.shut_down().await.unwrap();
    assert_eq!(sessions(cache.path()), 0);
    assert_untouched(users.path());
}

/// Replaces a file by its first half. A process that has loaded it keeps the whole one.
fn cut_short(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// The target triple of this machine.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
