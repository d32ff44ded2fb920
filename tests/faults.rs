//! Failures around a kernel: killed processes, endless output, a full disk, a read-only home, a clock that jumps. After each
//! the next cell works or says why not, and no process or file remains. (What cells do to their own process is in errors.rs,
//! nonsense on the sockets in sockets.rs, a damaged environment in environment.rs.)

use crate::support::{
    PATIENCE, assert_untouched, command_with_cache, is_alive, kernel, run, runner, sessions, users_folder,
    wait_until, within,
};
use jupyter_protocol::{InterruptRequest, JupyterMessage, JupyterMessageContent as Content};
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use wire::Client;

#[tokio::test]
async fn a_process_that_is_killed_between_two_cells_is_told_of() {
    let mut kernel = kernel().await;
    let runner = runner(&mut kernel).await;
    run(&mut kernel, "let lost = 1; fn kept() -> i32 { 2 }").await;
    Command::new("kill").args(["-9", &runner.to_string()]).status().unwrap();
    wait_until("the process does not die", || !is_alive(runner)).await;
    let messages = run(&mut kernel, "kept()").await;
    assert!(messages[2].contains("it was killed") && messages[2].contains("`lost` is gone"), "{messages:?}");
    assert_eq!(run(&mut kernel, "kept()").await[2], "result 4: 2");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn output_without_end_can_be_stopped() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 1;").await;
    let id = kernel.execute("loop { println!(\"{}\", \"on and on \".repeat(20)); }").await.unwrap();
    let mut bytes = 0;
    while bytes < 50_000_000 {
        if let Content::StreamContent(stream) = kernel.iopub.read().await.unwrap().content {
            bytes += stream.text.len();
        }
    }
    kernel.control.send(JupyterMessage::new(InterruptRequest {}, None)).await.unwrap();
    let stopped = kernel.until_idle(&id, |_| Ok(()));
    timeout(PATIENCE, stopped).await.expect("it goes on").unwrap();
    let messages = run(&mut kernel, "1 + 1").await;
    assert_eq!(messages[2], "result 3: 2", "{messages:?}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_kernels_start_at_once() {
    let cache = tempfile::tempdir().unwrap();
    let mut starting = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut command = command_with_cache(cache.path());
        starting.spawn(async move {
            let mut kernel = Client::start(&mut command).await.unwrap();
            let code = format!(
                ":dep lab = {{ path = \"lab\" }}\nuse lab::candle_core::{{Device, Tensor}};\n\
                 let own = Tensor::new(&[{number}f32; 10], &Device::Cpu)?; own.sum_all()?.to_scalar::<f32>()?"
            );
            let messages = run(&mut kernel, &code).await;
            assert_eq!(messages[2], format!("result 1: {:?}", 10.0 * number as f32), "{messages:?}");
            (runner(&mut kernel).await, kernel)
        });
    }
    let kernels = starting.join_all().await;
    assert_eq!(sessions(cache.path()), 8);
    for (runner, kernel) in kernels {
        kernel.shut_down().await.unwrap();
        assert!(!is_alive(runner));
    }
    assert_eq!(sessions(cache.path()), 0);
}

#[tokio::test]
async fn a_session_goes_on_without_its_cells_and_says_when_it_cannot() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    run(&mut kernel, "let kept = 1;").await;
    let entries = fs::read_dir(cache.path().join("sessions")).unwrap().flatten();
    let session = entries.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    remove(&session.join("cells")).await;
    assert_eq!(run(&mut kernel, "kept + 1").await[2], "result 2: 2");
    remove(&session).await;
    let messages = run(&mut kernel, "kept + 1").await;
    let expected = "error KernelError: the folder of this session has been removed, and no cell can be compiled any more: \
                    restart the kernel";
    assert_eq!(messages[2], expected);
    kernel.shut_down().await.unwrap();
    assert_eq!(fs::read_dir(cache.path().join("sessions")).unwrap().count(), 0);
}

/// Removes a folder, to which the compilers that get ready for the next cell may still be writing.
async fn remove(folder: &Path) {
    wait_until("the folder cannot be removed", || {
        let _ = fs::remove_dir_all(folder);
        !folder.exists()
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    let tomorrow =
        || set_times(&cache.path().join("sessions"), SystemTime::now() + Duration::from_secs(86_400));
    run(&mut kernel, "let kept = 1; println!(\"one\");").await;
    tomorrow();
    assert_eq!(run(&mut kernel, "println!(\"two\");").await[2], "stdout: two\n");
    assert_eq!(run(&mut kernel, "let new = \"text\"; (kept, new)").await[2], "result 3: (1, \"text\")");
    // With a dependency it is cargo that compiles.
    let tiny = cache.path().join("tiny");
    fs::create_dir_all(tiny.join("src")).unwrap();
    fs::write(
        tiny.join("Cargo.toml"),
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    )
    .unwrap();
    fs::write(tiny.join("src/lib.rs"), "pub const NUMBER: i32 = 40;\n").unwrap();
    let dep = format!(":dep tiny = {{ path = {tiny:?} }}\ntiny::NUMBER + kept");
    assert_eq!(run(&mut kernel, &dep).await[2], "result 4: 41");
    tomorrow();
    assert_eq!(run(&mut kernel, "tiny::NUMBER + 2").await[2], "result 5: 42");
    assert_eq!(run(&mut kernel, "let late = 2.5; late + 1.0").await[2], "result 6: 3.5");
    kernel.shut_down().await.unwrap();
}

/// Sets the modification time of everything in a folder.
fn set_times(folder: &Path, time: SystemTime) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            set_times(&entry.path(), time);
        }
        if kind.is_dir() || kind.is_file() {
            File::open(entry.path()).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
        }
    }
}

#[needs::own_mounts]
#[tokio::test]
async fn a_full_disk_is_told_of_and_nothing_is_lost() {
    let (cache, users) = (tempfile::tempdir().unwrap(), users_folder());
    let mut command = command_with_cache(cache.path());
    command.current_dir(users.path());
    let disk = cache.path().join("sessions");
    fs::create_dir(&disk).unwrap();
    // A disk of 2 MiB that only the kernel sees.
    let mount = format!("mount -t tmpfs -o size=2m,mode=700 none {disk:?} && exec \"$@\"");
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let mut kernel = Client::start(&mut within(&wrapper, &command)).await.unwrap();
    run(&mut kernel, "let kept = 1; fn f() -> i32 { 2 }").await;
    let filler = PathBuf::from(format!("/proc/{}/root{}/filler", kernel.process().id(), disk.display()));
    let mut file = File::create(&filler).unwrap();
    for cell in ["kept + f()", "let more = 5;", "fn g() {}", "println!(\"{kept}\");"] {
        while file.write_all(&[1; 4096]).is_ok() {}
        let messages = run(&mut kernel, cell).await;
        if messages[2] == "result 2: 3" {
            // What rustc has kept is removed first, which may be room enough.
            continue;
        }
        assert!(
            messages[2].starts_with("error DiskFull: there is no space left on the disk"),
            "{messages:?}"
        );
        assert!(messages[2].contains("Free some and run the cell again"), "{messages:?}");
    }
    drop(file);
    fs::remove_file(&filler).unwrap();
    assert_eq!(run(&mut kernel, "kept + f()").await[2], "result 6: 3");
    kernel.shut_down().await.unwrap();

    // One that is full from the beginning is not used.
    let full = mount.replace("size=2m", "size=4k");
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &full, "sh"];
    let temporary = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(within(&wrapper, &command).env("TMPDIR", temporary.path())).await.unwrap();
    assert_eq!(run(&mut kernel, "1 + 1").await[2], "result 1: 2");
    kernel.shut_down().await.unwrap();
    let left: Vec<_> = fs::read_dir(temporary.path())
        .unwrap()
        .flatten()
        .flat_map(|own| fs::read_dir(own.path()).unwrap())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_untouched(users.path());
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_no_hindrance() {
    let (home, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cache = home.path().join("cache");
    let mut command = command_with_cache(&cache);
    command
        .env("TMPDIR", temporary.path())
        .env("HOME", home.path())
        .env("RUSTUP_HOME", of_user("RUSTUP_HOME", ".rustup"));
    command.env("CARGO_HOME", of_user("CARGO_HOME", ".cargo"));
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write everywhere unless it gives up that capability.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let wrapper = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"];
    let mut command = if is_root { within(&wrapper, &command) } else { command };
    let mut kernel = Client::start(&mut command).await.unwrap();
    assert_eq!(run(&mut kernel, "let x = 20; x + 1").await[2], "result 1: 21");
    let users = fs::read_dir(temporary.path()).unwrap().flatten().next().unwrap().path();
    assert_eq!(fs::metadata(&users).unwrap().permissions().mode() & 0o777, 0o700);
    kernel.shut_down().await.unwrap();
    assert_eq!(fs::read_dir(users).unwrap().count(), 0, "a session is left");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder of the toolchain's, which is not in the home of a test.
fn of_user(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| std::env::home_dir().unwrap().join(name), PathBuf::from)
}
