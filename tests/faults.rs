//! What may go wrong around a kernel: nonsense on its sockets, other clients, a full disk, a damaged environment, a clock that
//! jumps. After each the next cell works, or says why not, and nothing is left behind.

use crate::client::Client;
use crate::support::{
    command_with_cache, is_alive, kernel, kernel_command, note, run, runner, sessions, taper, wait_until,
};
use crate::wire::{ask, published, read, send};
use jupyter_protocol::{InterruptRequest, JupyterMessage, JupyterMessageContent as Content};
use jupyter_zmq_client::{
    create_client_control_connection, create_client_heartbeat_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, create_client_stdin_connection_with_identity,
    peer_identity_for_session,
};
use serde_json::json;
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend, ZmqMessage};

/// What a ZeroMQ connection starts with, <https://rfc.zeromq.org/spec/23/>.
fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// The greeting and the introduction of a client's socket.
fn introduced(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(kind.len() as u8);
    body.extend(kind.as_bytes());
    [greeting(), vec![4, body.len() as u8], body].concat()
}

/// Bytes without any meaning, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 42u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What no client sends, with what it is; `kind` is the kind of socket that the kernel expects.
fn nonsense(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let announced = |length: u64| [&[2], &length.to_be_bytes()[..]].concat();
    let ready = |rest: Vec<u8>| [introduced(kind), rest].concat();
    vec![
        ("noise", noise(100_000)),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("half a greeting", greeting()[..20].to_vec()),
        ("a greeting alone", greeting()),
        ("a damaged introduction", [greeting(), b"\x04\x05\x10READY".to_vec()].concat()),
        ("noise behind the introduction", ready(noise(100_000))),
        ("an empty message", ready(vec![0, 0])),
        ("a short message", ready(b"\0\x03abc".to_vec())),
        ("a message of ten parts", ready([b"\x01\x03abc".repeat(9), b"\0\x03abc".to_vec()].concat())),
        ("a message without its parts", ready(b"\x01\x09<IDS|MSG>\0\x03abc".to_vec())),
        ("a message of 64 MiB", ready([announced(1 << 26), vec![b'x'; 1 << 26]].concat())),
        ("the announcement of 1 TiB", ready(announced(1 << 40))),
        ("the announcement of all there is", ready(announced(u64::MAX))),
        (
            "half of a large message",
            ready([vec![3], (1u64 << 28).to_be_bytes().to_vec(), noise(1000)].concat()),
        ),
    ]
}

/// Sees to it that all sockets do what they should.
async fn assert_serves(kernel: &mut Client, after: &str) {
    let answers = async {
        assert_eq!(ask(kernel, "kernel_info_request", json!({})).await["status"], "ok");
        let request = send(&mut kernel.control, "kernel_info_request", json!({})).await;
        assert_eq!(read(&mut kernel.control).await.parent, request);
        published(kernel, &request).await;
        let mut heartbeat = create_client_heartbeat_connection(&kernel.connection).await.unwrap();
        heartbeat.socket.send(ZmqMessage::from("beat")).await.unwrap();
        assert_eq!(heartbeat.socket.recv().await.unwrap().get(0).unwrap().as_ref(), b"beat");
    };
    timeout(Duration::from_secs(20), answers).await.unwrap_or_else(|_| panic!("no answer after {after}"));
}

#[tokio::test]
async fn nonsense_on_the_sockets_harms_nobody() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    // One that waits for its answer meanwhile.
    let id = kernel
        .ask_and_execute(
            "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line.trim().len() as i32 + kept",
        )
        .await
        .unwrap();
    let question = timeout(Duration::from_secs(20), kernel.stdin.read()).await.unwrap().unwrap();
    let ports = [
        (kernel.connection.shell_port, "DEALER"),
        (kernel.connection.control_port, "DEALER"),
        (kernel.connection.stdin_port, "DEALER"),
        (kernel.connection.iopub_port, "SUB"),
        (kernel.connection.hb_port, "REQ"),
    ];
    let mut open = Vec::new();
    for index in 0..nonsense("").len() {
        let mut after = "";
        for (port, kind) in ports {
            let (what, bytes) = nonsense(kind).swap_remove(index);
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // The kernel may hang up before it has read all.
            let _ = stream.write_all(&bytes);
            open.push(stream);
            after = what;
        }
        assert_serves(&mut kernel, after).await;
    }
    let forged = jupyter_protocol::ConnectionInfo { key: "not the key".into(), ..kernel.connection.clone() };
    let identity = peer_identity_for_session("stranger").unwrap();
    let mut control = create_client_control_connection(&forged, "stranger").await.unwrap();
    let mut stdin =
        create_client_stdin_connection_with_identity(&forged, "stranger", identity).await.unwrap();
    send(&mut control, "shutdown_request", json!({ "restart": false })).await;
    send(&mut stdin, "input_reply", json!({ "value": "a stranger's answer" })).await;
    assert_serves(&mut kernel, "forged messages").await;

    let answer = jupyter_protocol::InputReply { value: "abc".into(), ..Default::default() };
    kernel.stdin.send(JupyterMessage::new(answer, Some(&question))).await.unwrap();
    let mut messages = Vec::new();
    let result = kernel.until_idle(&id, |message| note(&mut messages, message));
    timeout(Duration::from_secs(20), result).await.expect("the answer has not arrived").unwrap();
    assert!(messages.contains(&"result 2: 10".to_owned()), "{messages:?}");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn two_clients_get_their_own_replies_and_see_what_the_other_does() {
    let mut first = kernel().await;
    let connection = first.connection.clone();
    let identity = peer_identity_for_session("second").unwrap();
    let mut shell =
        create_client_shell_connection_with_identity(&connection, "second", identity).await.unwrap();
    let mut iopub = create_client_iopub_connection(&connection, "", "second").await.unwrap();
    assert_eq!(read(&mut iopub).await.kind(), "iopub_welcome");

    let mine = send(&mut first.shell, "execute_request", json!({ "code": "let x = 3; x" })).await;
    let theirs = send(&mut shell, "execute_request", json!({ "code": "x + 4" })).await;
    assert_eq!(read(&mut shell).await.parent, theirs);
    assert_eq!(read(&mut first.shell).await.parent, mine);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = read(&mut iopub).await;
        if message.kind() == "execute_result" {
            seen.push((message.parent.clone(), message.content["data"]["text/plain"].clone()));
        }
    }
    assert_eq!(seen, [(mine, json!("3")), (theirs, json!("7"))]);

    // One that is gone without a word, in the middle of a cell of its own.
    send(
        &mut shell,
        "execute_request",
        json!({ "code": "for i in 0..1000 { println!(\"{i}\") } let y = 8;" }),
    )
    .await;
    drop((shell, iopub));
    let messages = run(&mut first, "x + y").await;
    assert!(messages[2].ends_with(": 11"), "{messages:?}");
    first.shut_down().await.unwrap();
}

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
    timeout(Duration::from_secs(20), stopped).await.expect("it goes on").unwrap();
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
async fn sessions_are_their_owners_alone() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    run(&mut kernel, "1").await;
    let all = cache.path().join("sessions");
    let session = fs::read_dir(&all).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    for folder in [&all, &session] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    if cfg!(target_os = "linux") {
        let mut wanted: Vec<u16> = [
            kernel.connection.shell_port,
            kernel.connection.iopub_port,
            kernel.connection.stdin_port,
            kernel.connection.control_port,
            kernel.connection.hb_port,
        ]
        .to_vec();
        wanted.sort();
        assert_eq!(
            listening(kernel.process.id()),
            wanted.iter().map(|port| ("0100007F".into(), *port)).collect::<Vec<_>>()
        );
        assert_eq!(listening(runner(&mut kernel).await), []);
    }
    kernel.shut_down().await.unwrap();
    // A folder that others might read is closed to them; one of somebody else is not taken.
    fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).unwrap();
    let kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    assert_eq!(fs::metadata(&all).unwrap().permissions().mode() & 0o777, 0o700);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_session_goes_on_without_its_cells_and_says_when_it_cannot() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    run(&mut kernel, "let kept = 1;").await;
    let entries = fs::read_dir(cache.path().join("sessions")).unwrap().flatten();
    let session = entries.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    fs::remove_dir_all(session.join("cells")).unwrap();
    assert_eq!(run(&mut kernel, "kept + 1").await[2], "result 2: 2");
    fs::remove_dir_all(&session).unwrap();
    let messages = run(&mut kernel, "kept + 1").await;
    let expected = "error KernelError: the folder of this session has been removed, and no cell can be compiled any more: \
                    restart the kernel";
    assert_eq!(messages[2], expected);
    kernel.shut_down().await.unwrap();
    assert_eq!(fs::read_dir(cache.path().join("sessions")).unwrap().count(), 0);
}

/// The addresses, in hexadecimal, and ports where a process listens for TCP connections.
fn listening(process: u32) -> Vec<(String, u16)> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The state "listen", and the number of the socket.
            if fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9])) {
                let (address, port) = fields[1].split_once(':').unwrap();
                found.push((address.to_owned(), u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    found.sort_by_key(|(_, port)| *port);
    found
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

/// Sets the time of change of everything in a folder.
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

/// The command with another in front, which starts it: `unshare …`, `setpriv …`.
fn within(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.current_dir(command.get_current_dir().unwrap());
    wrapped
}

/// A folder of the user's, where the kernel is started, with two files.
fn users_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").unwrap();
    folder
}

/// Sees to it that the folder is as it was.
fn assert_untouched(folder: &Path) {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    files.sort();
    assert_eq!(files, ["Cargo.toml", "notes.txt"]);
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(folder.join("Cargo.toml")).unwrap(), "[workspace]\n");
}

#[tokio::test]
async fn a_full_disk_is_told_of_and_nothing_is_lost() {
    let (cache, users) = (tempfile::tempdir().unwrap(), users_folder());
    let mut command = command_with_cache(cache.path());
    command.current_dir(users.path());
    let disk = cache.path().join("sessions");
    fs::create_dir(&disk).unwrap();
    // A disk of 2 MiB, which only the kernel sees.
    let mount = format!("mount -t tmpfs -o size=2m,mode=700 none {disk:?} && exec \"$@\"");
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let possible = within(&wrapper, Command::new("true").current_dir("/")).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system does not let `unshare` make a small disk");
        return;
    }
    let mut kernel = Client::start(&mut within(&wrapper, &command)).await.unwrap();
    run(&mut kernel, "let kept = 1; fn f() -> i32 { 2 }").await;
    let filler = PathBuf::from(format!("/proc/{}/root{}/filler", kernel.process.id(), disk.display()));
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    for cell in ["kept + f()", "let more = 5;", "fn g() {}", "println!(\"{kept}\");"] {
        let messages = run(&mut kernel, cell).await;
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
    // The administrator may write everywhere, unless told otherwise.
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

/// Copies the environment of all tests to a cache of its own, without the last step of its build; returns its folder.
async fn unfinished_environment(cache: &Path) -> PathBuf {
    let shared = tempfile::tempdir().unwrap();
    let kernel = Client::start(&mut command_with_cache(shared.path())).await.unwrap();
    wait_until("the session is not linked with `lab`", || linked_lab(shared.path()).is_some()).await;
    let link = linked_lab(shared.path()).unwrap();
    kernel.shut_down().await.unwrap();
    // …/environments/KEY/labs/DIGEST/liblab.so
    let original = link.ancestors().nth(3).unwrap();
    let copy = cache.join("environments").join(original.file_name().unwrap());
    fs::create_dir_all(&copy).unwrap();
    let copied = Command::new("cp").arg("-a").arg(original.join(".")).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(copy.join("labs")).unwrap();
    fs::remove_file(copy.join("warm/build.log")).unwrap();
    copy
}

/// Where the link of the one session in a cache leads.
fn linked_lab(cache: &Path) -> Option<PathBuf> {
    let sessions = fs::read_dir(cache.join("sessions")).ok()?.flatten();
    sessions.filter_map(|session| fs::read_link(session.path().join("liblab")).ok()).next()
}

/// The first file in a folder whose name starts and ends so.
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
    let environment = unfinished_environment(cache.path()).await;
    let install = || {
        let mut install = taper();
        install.arg("install").arg("--prefix").arg(cache.path()).env("TAPER_CACHE", cache.path());
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

/// Replaces a file by its first half. The process that has loaded it goes on with the whole one.
fn cut_short(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// The target that this machine is.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
