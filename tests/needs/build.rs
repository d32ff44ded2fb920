//! Looks for what the tests need. What is missing reaches the attributes as a variable that holds the reason.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What Chromium is called on the systems that have one.
const CHROMIUM: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Variables that a test is only run with.
const VARIABLES: [&str; 4] = ["MNIST_DIR", "PEERS_PYTHON", "TAPER_CUDA_TESTS", "TAPER_SLOW_TESTS"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    for name in VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
        if env::var_os(name).is_none() {
            missing(name, &format!("{name} is not set"));
        }
    }
    // With this one the tests in a browser fail where there is none.
    println!("cargo::rerun-if-env-changed=TAPER_REQUIRE_BROWSER");
    match chromium() {
        Some(program) => println!("cargo::rustc-env=FOUND_CHROMIUM={}", program.display()),
        None if env::var_os("TAPER_REQUIRE_BROWSER").is_some() => {}
        None => missing("CHROMIUM", "there is no Chromium: install the package `chromium`, or Chrome"),
    }
    for name in ["clippy", "fmt"] {
        let cargo = env::var_os("CARGO").expect("cargo runs build scripts");
        if !succeeds(Command::new(cargo).args([name, "--version"])) {
            missing(
                &name.to_uppercase(),
                &format!("there is no `cargo {name}`: `rustup component add` brings it"),
            );
            println!("cargo::rerun-if-changed={}", toolchain_programs().display());
        }
    }
    let mount = "mount -t tmpfs none /tmp";
    if !succeeds(Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", mount])) {
        missing("OWN_MOUNTS", "this system does not let `unshare` mount a disk");
    }
    if !Path::new("/dev/full").exists() {
        missing("DEV_FULL", "there is no /dev/full");
    }
}

/// The program, or, where it has to be installed first, has cargo look again when one was installed.
fn chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_dir()).collect();
    let programs = CHROMIUM.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = programs.into_iter().find(|program| program.is_file());
    match &found {
        Some(program) => println!("cargo::rerun-if-changed={}", program.display()),
        None => folders.iter().for_each(|folder| println!("cargo::rerun-if-changed={}", folder.display())),
    }
    found
}

/// Where rustup puts the programs of a component.
fn toolchain_programs() -> PathBuf {
    let rustc = env::var_os("RUSTC").expect("cargo says which rustc it runs");
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc runs");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("bin")
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn missing(name: &str, reason: &str) {
    println!("cargo::rustc-env=MISSING_{name}={reason}");
}
