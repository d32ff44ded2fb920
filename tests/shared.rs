//! `taper install --prefix`: one environment for all users of a machine, who read it and never write.
//!
//! It starts from a copy of the environment that all tests share, so that only `lab` is compiled again.

use crate::environment::unfinished_environment;
use crate::support::{root, run, sessions, taper};
use jupyter_protocol::{CompleteRequest, JupyterMessage, JupyterMessageContent as Content};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use tokio::sync::OnceCell;
use wire::Client;

/// The user `nobody`, and its group.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The prefix of an install for all users, which the tests of this run share: nothing may change it.
pub async fn shared_install() -> &'static Path {
    static PREFIX: OnceCell<PathBuf> = OnceCell::const_new();
    PREFIX.get_or_init(install).await
}

async fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared-install");
    if folder.exists() {
        set_writable(&folder, "u+w");
        fs::remove_dir_all(&folder).unwrap();
    }
    let (prefix, cache) = (folder.join("prefix"), folder.join("cache"));
    unfinished_environment(&prefix.join("share/taper/environments")).await;
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let arguments = ["install", "--pages", "--prefix", prefix.to_str().unwrap()];
    let (good, text) = with_strict_mask(&arguments, &cache);
    assert!(good && text.contains("Jupyter now has the kernel \"Rust (taper)\""), "{text}");
    assert!(!cache.exists(), "nothing of it is in a user's cache");
    prefix
}

/// Runs taper with a umask that hides new files from other users.
fn with_strict_mask(arguments: &[&str], cache: &Path) -> (bool, String) {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(taper().get_program()).args(arguments);
    let output = command.env("TAPER_CACHE", cache).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A program as a user without Rust and without rights runs it: `nobody` if this is root, else the current user in a folder
/// that is read-only. The capability stands for a toolchain that everybody can read; it lets nobody write.
fn as_user(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(if is_root() { Path::new("setpriv") } else { program });
    if is_root() {
        let user = NOBODY.to_string();
        // Without this bit access(2) would judge by the user alone.
        command.args([
            "--reuid",
            &user,
            "--regid",
            &user,
            "--clear-groups",
            "--securebits",
            "+no_setuid_fixup",
        ]);
        command
            .args(["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"])
            .arg(program);
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("TAPER_OFFLINE", "1");
    command.current_dir(root().join("notebooks"));
    command
}

fn home(folder: &Path, name: &str) -> PathBuf {
    let home = folder.join(name);
    fs::create_dir(&home).unwrap();
    if is_root() {
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    home
}

/// The mode, size and modification time of everything in a folder.
fn content(folder: &Path) -> BTreeMap<PathBuf, (u32, u64, SystemTime)> {
    let mut content = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let found = fs::symlink_metadata(entry.path()).unwrap();
            if found.is_dir() {
                folders.push(entry.path());
            }
            content.insert(entry.path(), (found.mode(), found.size(), found.modified().unwrap()));
        }
    }
    content
}

/// Makes a folder read-only for everybody, or writable by its owner again.
fn set_writable(folder: &Path, writable: &str) {
    assert!(Command::new("chmod").args(["-R", writable]).arg(folder).status().unwrap().success());
}

#[tokio::test]
async fn all_users_share_one_environment_and_none_of_them_writes_to_it() {
    let prefix = shared_install().await;
    let before = content(prefix);
    for (path, (mode, ..)) in &before {
        let (is_folder, is_program) = (path.is_dir(), mode & 0o100 != 0);
        let expected = if is_folder || is_program { 0o555 } else { 0o444 };
        let is_link = path.is_symlink();
        assert!(is_link || mode & 0o555 == expected && mode & 0o022 == 0, "{mode:o} {}", path.display());
    }
    let spec = fs::read(prefix.join("share/jupyter/kernels/taper/kernel.json")).unwrap();
    let spec: Value = serde_json::from_slice(&spec).unwrap();
    let program = prefix.join("bin/taper");
    assert_eq!((spec["argv"][0].as_str(), &spec["env"]), (program.to_str(), &Value::Null));

    if !is_root() {
        set_writable(prefix, "a-w");
    }
    let before = content(prefix);
    let users = tempfile::tempdir().unwrap();
    fs::set_permissions(users.path(), Permissions::from_mode(0o755)).unwrap();
    let homes = ["one", "two", "three"].map(|name| home(users.path(), name));
    let start = |home: &Path| {
        let mut command = as_user(&program, home);
        command.args(["kernel", "--connection-file"]);
        command
    };
    let mut commands = homes.each_ref().map(|home| start(home));
    let [one, two, three] = &mut commands;
    let (one, two, three) = tokio::join!(Client::start(one), Client::start(two), Client::start(three));
    let mut kernels = [one.unwrap(), two.unwrap(), three.unwrap()];
    for (kernel, home) in kernels.iter_mut().zip(&homes) {
        let cell = ":dep lab = { path = \"lab\" }\nuse lab::candle_core::{Device, Tensor};\nlet t = Tensor::new(&[1f32, 2.], &Device::Cpu)?;\nt.sum_all()?.to_scalar::<f32>()?";
        assert_eq!(run(kernel, cell).await[2], "result 1: 3.0");
        let request = CompleteRequest { code: "t.to_sca".into(), cursor_pos: 8 };
        let request = JupyterMessage::new(request, None);
        let id = request.header.msg_id.clone();
        kernel.shell.send(request).await.unwrap();
        let Content::CompleteReply(reply) = kernel.reply_to(&id).await.unwrap().content else {
            panic!("no completion")
        };
        assert!(reply.matches.contains(&"to_scalar()".into()), "{:?}", reply.matches);
        assert_eq!(sessions(&home.join(".cache/taper")), 1, "in a cache of its own");
        assert!(!home.join(".cache/taper/environments").exists(), "a second environment");
    }
    for kernel in kernels {
        kernel.shut_down().await.unwrap();
    }
    let doctor = as_user(&program, &homes[0]).arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&doctor.stdout);
    let library =
        format!("ok  environment  built for all users: {}/share/taper/environments/", prefix.display());
    assert!(text.contains(&library), "{text}");
    assert_eq!(content(prefix), before);

    // A copy of it, whose files are links, goes altogether.
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (prefix, source) = (copy.path().join("prefix"), prefix);
    assert!(Command::new("cp").arg("-al").args([source, &prefix]).status().unwrap().success());
    if !is_root() {
        set_writable(&prefix, "u+w");
    }
    let arguments = ["uninstall", "--prefix", prefix.to_str().unwrap()];
    let (good, text) = with_strict_mask(&arguments, &copy.path().join("cache"));
    assert!(good, "{text}");
    let left: Vec<PathBuf> = content(&prefix).into_keys().filter(|path| !path.is_dir()).collect();
    assert!(left.is_empty() && !prefix.join("share/taper").exists(), "{left:?}");
}
