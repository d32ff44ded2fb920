//! What several tests need: kernels, folders, crates, and what cells publish.

mod crates;
mod messages;
mod stock;

pub use crates::{tiny_crate, write_crate};
pub use messages::{
    assert_outputs, completions, failure, note, output, outputs, plain, result, run, traceback, until_idle,
};
pub use stock::stock;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use wire::Client;

/// How long a test waits for what must come, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The program under test.
pub fn taper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_taper"))
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds the warm environment, the one in the user's cache, once for all tests. Returns where Jupyter finds the kernel.
pub fn installed() -> &'static Path {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jupyter");
        let status = taper().arg("install").env("JUPYTER_DATA_DIR", &data).status().unwrap();
        assert!(status.success(), "taper install failed");
        data
    })
}

/// Makes `cache` a separate cache that shares the environments of all tests.
pub fn share_environments(cache: &Path) {
    installed();
    let own = std::env::var_os("TAPER_CACHE").map(PathBuf::from);
    let users = own.unwrap_or_else(|| dirs::cache_dir().unwrap().join("taper"));
    std::fs::create_dir_all(cache).unwrap();
    if !cache.join("environments").exists() {
        std::os::unix::fs::symlink(users.join("environments"), cache.join("environments")).unwrap();
    }
}

/// A command that starts a kernel; the connection file comes as its last argument.
pub fn kernel_command() -> Command {
    installed();
    let mut command = taper();
    command.args(["kernel", "--connection-file"]).current_dir(root().join("notebooks"));
    command
}

/// The id of the process that runs the kernel's cells.
pub async fn runner(kernel: &mut Client) -> u32 {
    let result = &run(kernel, "std::process::id()").await[2];
    result.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap()
}

/// Whether there is a process of this id.
pub fn is_alive(process: u32) -> bool {
    // `kill -0` asks without harm; a process that only waits to be noticed by its parent counts as dead.
    let state = Command::new("ps").args(["-o", "state=", "-p", &process.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// Waits for what must come true within moments.
pub async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A kernel with sessions of its own, in `cache`.
pub fn command_with_cache(cache: &Path) -> Command {
    share_environments(cache);
    let mut command = kernel_command();
    command.env("TAPER_CACHE", cache);
    command
}

/// How many sessions there are in `cache`.
pub fn sessions(cache: &Path) -> usize {
    std::fs::read_dir(cache.join("sessions")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count()
}

/// A folder with two of the user's files, for a kernel to be started in.
pub fn users_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").unwrap();
    folder
}

/// Asserts that the folder is as [`users_folder`] made it.
pub fn assert_untouched(folder: &Path) {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    files.sort();
    assert_eq!(files, ["Cargo.toml", "notes.txt"]);
    assert_eq!(std::fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(folder.join("Cargo.toml")).unwrap(), "[workspace]\n");
}

/// A kernel that is started in a folder, with the evcxr.toml of that folder at most.
pub async fn kernel_in(folder: &Path) -> Client {
    let mut command = kernel_command();
    command.current_dir(folder).env("EVCXR_CONFIG_DIR", folder.join("no such folder"));
    Client::start(&mut command).await.unwrap()
}

/// A kernel of its own.
pub async fn kernel() -> Client {
    Client::start(&mut kernel_command()).await.unwrap()
}

/// The command with another in front, which starts it: `unshare …`, `setpriv …`.
pub fn within(wrapper: &[&str], command: &Command) -> Command {
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
