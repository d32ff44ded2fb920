//! `taper doctor` on this machine, and on one that lacks most of what taper needs.

use crate::models::models;
use crate::support::{installed, taper};
use std::process::Command;

/// The exit code of `taper doctor`, and what it prints.
fn doctor(command: &mut Command) -> (bool, String) {
    let output = command.arg("doctor").output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The line about one thing.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find(|line| line[4..].starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn where_all_is_there_it_says_what_and_where() {
    let (_, text) = doctor(taper().env("JUPYTER_PATH", installed()));
    assert_eq!(text.lines().count(), 10);
    assert!(line(&text, "Rust").starts_with("ok  Rust         rustc 1."), "{text}");
    for name in ["linker", "environment", "kernel"] {
        assert!(line(&text, name).starts_with("ok  "), "{text}");
    }
    assert!(line(&text, "environment").ends_with(".so") || cfg!(target_os = "macos"), "{text}");
    let registered = installed().join("kernels/taper/kernel.json");
    assert!(line(&text, "kernel").ends_with(registered.to_str().unwrap()), "{text}");
}

#[test]
fn where_something_is_missing_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let kernelspec = folder.path().join("jupyter/kernels/taper/kernel.json");
    std::fs::create_dir_all(kernelspec.parent().unwrap()).unwrap();
    std::fs::write(&kernelspec, r#"{ "argv": ["/no/such/taper", "kernel"] }"#).unwrap();
    let (good, text) = doctor(
        taper()
            .env("TAPER_CACHE", folder.path().join("cache"))
            .env("JUPYTER_PATH", folder.path().join("jupyter"))
            .env("MNIST_DIR", folder.path())
            .env("CIFAR_DIR", folder.path())
            .env("TAPER_MODELS", folder.path())
            .env("CUDA_HOME", folder.path().join("no cuda")),
    );
    assert!(!good, "{text}");
    for (name, expected) in [
        ("environment", "BAD environment  the warm environment is not built: run `taper install`"),
        ("kernel", "names the program /no/such/taper, which does not exist: run `taper install` again"),
        (
            "digits",
            "there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz: put it there, or unset MNIST_DIR",
        ),
        ("pictures", "there is no cifar-10-binary.tar.gz: put it there, or unset CIFAR_DIR"),
        ("networks", "there is no all-MiniLM-L6-v2/model.safetensors: put it there, or unset TAPER_MODELS"),
        ("GPU", "--  GPU          notebooks use the CPU: "),
    ] {
        assert!(line(&text, name).contains(expected), "{text}");
    }
    // With an empty PATH.
    let (good, text) =
        doctor(taper().env("PATH", folder.path()).env("TAPER_OFFLINE", "1").env_remove("MNIST_DIR"));
    assert!(!good, "{text}");
    assert!(
        line(&text, "Rust").contains("Rust is not installed, or not on the PATH: see https://rustup.rs"),
        "{text}"
    );
    assert!(line(&text, "linker").contains("there is no `cc`"), "{text}");
    assert!(
        line(&text, "digits").starts_with("--  digits       MNIST_DIR is not set, and TAPER_OFFLINE"),
        "{text}"
    );
    let (_, text) =
        doctor(taper().env("TAPER_MODELS", models()).env("TAPER_OFFLINE", "0").env_remove("CIFAR_DIR"));
    let line = |name| self::line(&text, name);
    assert!(line("networks").starts_with("ok  networks     published networks in /"), "{text}");
    assert!(line("pictures").ends_with("notebooks download CIFAR-10 once, or use emoji"), "{text}");
}
