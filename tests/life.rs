//! The life of a kernel from its start to its end, whoever ends it.

use crate::support::{
    PATIENCE, command_with_cache, is_alive, kernel, kernel_command, run, runner, sessions, wait_until, within,
};
use jupyter_protocol::{
    ConnectionInfo, InterruptRequest, JupyterMessage, JupyterMessageContent as Content, ShutdownRequest,
};
use std::process::Command;
use tokio::time::timeout;
use wire::Client;

#[tokio::test]
async fn two_kernels_do_not_touch_each_other() {
    let (mut one, mut two) = (kernel().await, kernel().await);
    run(&mut one, "let name = \"one\"; fn f() -> i32 { 1 }").await;
    run(&mut two, "let name = \"two\"; fn f() -> i32 { 2 }").await;
    let (first, second) = tokio::join!(run(&mut one, "(name, f())"), run(&mut two, "(name, f())"));
    assert_eq!((first[2].as_str(), second[2].as_str()), ("result 2: (\"one\", 1)", "result 2: (\"two\", 2)"));
    one.shut_down().await.unwrap();
    assert_eq!(run(&mut two, "f() + 1").await[2], "result 3: 3");
    two.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // Paths may contain spaces and letters beyond ASCII.
    let cache = folder.path().join("with space größer");
    let mut kernel = Client::start(&mut command_with_cache(&cache)).await.unwrap();
    let runner = runner(&mut kernel).await;
    assert_eq!(sessions(&cache), 1);
    kernel.control.send(JupyterMessage::new(ShutdownRequest { restart: true }, None)).await.unwrap();
    let reply = timeout(PATIENCE, kernel.control.read()).await.unwrap().unwrap();
    assert!(matches!(reply.content, Content::ShutdownReply(reply) if reply.restart));
    assert!(kernel.process().wait().unwrap().success());
    assert!(!is_alive(runner));
    assert_eq!(sessions(&cache), 0);
}

/// The memory that a process has written to and shares with no other, in KiB. What it has only read, such as its program, counts as
/// its own or as shared by whether another kernel happens to run.
#[cfg(target_os = "linux")]
fn own_memory(process: u32) -> u64 {
    let memory = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let private = memory.lines().filter(|line| line.starts_with("Private_Dirty"));
    private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_long_session_leaves_little_in_memory_and_nothing_on_the_disk() {
    long_session(60).await;
}

#[cfg(target_os = "linux")]
#[needs::time]
#[tokio::test]
async fn so_does_a_session_of_a_thousand_cells() {
    long_session(990).await;
}

/// A session of so many cells after the first ten.
#[cfg(target_os = "linux")]
async fn long_session(cells: u64) {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    let processes = [runner(&mut kernel).await, kernel.process().id()];
    let memory = || processes.map(own_memory).iter().sum::<u64>();
    let mut before = 0;
    for number in 0..cells + 10 {
        let messages = run(&mut kernel, &format!("let n = {number};\nn + 1")).await;
        assert!(messages[2].ends_with(&format!(": {}", number + 1)), "{messages:?}");
        if number == 9 {
            before = memory();
        }
    }
    let each = memory().saturating_sub(before) / cells;
    assert!(each < 128, "each cell has left {each} KiB in memory");
    kernel.shut_down().await.unwrap();
    assert_eq!(sessions(cache.path()), 0);
}

#[tokio::test]
async fn a_kernel_that_is_shut_down_while_it_gets_ready_leaves_nothing_behind() {
    let cache = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
        // It answers while its first compilation is still running.
        kernel.shut_down().await.unwrap();
        assert_eq!(sessions(cache.path()), 0);
    }
}

#[tokio::test]
async fn a_killed_kernel_takes_its_runner_along_and_the_next_one_cleans_up() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    let runner = runner(&mut kernel).await;
    // Also a kernel that is busy and cannot receive anything.
    kernel.execute("loop {}").await.unwrap();
    kernel.process().kill().unwrap();
    kernel.process().wait().unwrap();
    wait_until("the runner outlives its kernel", || !is_alive(runner)).await;
    assert_eq!(sessions(cache.path()), 1, "a killed kernel cannot clean up");
    let next = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    assert_eq!(sessions(cache.path()), 1, "the folder of the new session only");
    next.shut_down().await.unwrap();
    assert_eq!(sessions(cache.path()), 0);
}

#[tokio::test]
async fn a_kernel_ends_with_its_parent() {
    // A shell starts the kernel, says which process it is, and is killed.
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("id");
    let mut command = within(&["sh", "-c", "\"$@\" & echo $! > \"$SAID\"; wait", "sh"], &kernel_command());
    let mut kernel = Client::start(command.env("SAID", &said)).await.unwrap();
    // The kernel may answer before the shell has gone on to write this.
    let id = || std::fs::read_to_string(&said).ok()?.trim().parse::<u32>().ok();
    wait_until("the shell does not say which process the kernel is", || id().is_some()).await;
    let id = id().unwrap();
    assert!(is_alive(id));
    // The shell.
    kernel.process().kill().unwrap();
    kernel.process().wait().unwrap();
    wait_until("the kernel outlives its parent", || !is_alive(id)).await;
}

#[tokio::test]
async fn a_kernel_whose_port_is_taken_is_started_again() {
    // The first start waits until somebody else has taken a port that it was promised.
    let folder = tempfile::tempdir().unwrap();
    let script = "[ -e promised ] || { for file; do :; done; cp \"$file\" new; mv new promised; \
                  until [ -e taken ]; do sleep 0.01; done; }; exec \"$@\"";
    let mut command = within(&["sh", "-c", script, "sh"], &kernel_command());
    let take = async {
        let promised = || std::fs::read(folder.path().join("promised"));
        wait_until("the kernel is not started", || promised().is_ok()).await;
        let connection: ConnectionInfo = serde_json::from_slice(&promised().unwrap()).unwrap();
        let listener = std::net::TcpListener::bind((connection.ip.as_str(), connection.hb_port)).unwrap();
        std::fs::write(folder.path().join("taken"), "").unwrap();
        (listener, connection.hb_port)
    };
    let (kernel, (_listener, taken)) = tokio::join!(Client::start(command.current_dir(folder.path())), take);
    let mut kernel = kernel.unwrap();
    assert_ne!(kernel.connection.hb_port, taken);
    assert_eq!(run(&mut kernel, "1 + 1").await[2], "result 1: 2");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn without_an_environment_a_cell_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = kernel_command();
    command.env("TAPER_CACHE", cache.path());
    let mut kernel = Client::start(&mut command).await.unwrap();
    let messages = run(&mut kernel, "1").await;
    assert_eq!(messages[2], "error KernelError: the warm environment is not built: run `taper install`");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn programs_that_a_cell_has_started_do_not_hold_up_the_kernel() {
    let mut kernel = kernel().await;
    // A program that survives its cell's process keeps the output of that process open.
    let start = "let program = std::process::Command::new(\"sleep\").arg(\"600\").spawn()?.id();\nprintln!(\"{program}\");";
    let program: u32 =
        run(&mut kernel, start).await[2].trim_start_matches("stdout: ").trim().parse().unwrap();
    let messages = timeout(PATIENCE, run(&mut kernel, "std::process::abort()")).await.unwrap();
    assert!(messages[2].starts_with("error ProcessEnded: "), "{messages:?}");
    assert!(is_alive(program), "the user's own programs go on");
    // An interrupt ends what the cell has started, too.
    let wait = "std::process::Command::new(\"sleep\").arg(\"600\").status()?;";
    let id = kernel.execute(&format!("println!(\"running\"); {wait}")).await.unwrap();
    while !matches!(kernel.iopub.read().await.unwrap().content, Content::StreamContent(_)) {}
    kernel.control.send(JupyterMessage::new(InterruptRequest {}, None)).await.unwrap();
    timeout(PATIENCE, kernel.until_idle(&id, |_| Ok(()))).await.expect("the cell goes on").unwrap();
    let messages = run(&mut kernel, "1 + 1").await;
    assert!(messages[2].ends_with(": 2"), "{messages:?}");
    kernel.shut_down().await.unwrap();
    Command::new("kill").arg(program.to_string()).status().unwrap();
}
