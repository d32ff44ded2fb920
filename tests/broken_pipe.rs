//! `taper … | head`: whoever reads what a command prints may stop reading.

use crate::support::{root, share_environments, taper};
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a command whose output nobody reads.
fn unread(command: &mut Command) -> Output {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

/// A command that writes to this folder only, with the environments of all tests.
fn in_folder(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = taper();
    command.args(arguments).current_dir(root());
    command.env("JUPYTER_DATA_DIR", folder.join("data")).env("JUPYTER_CONFIG_DIR", folder.join("config"));
    // `install` would note there that the environments are in this folder, which does not stay.
    if arguments[0] != "install" {
        let cache = folder.join("cache");
        share_environments(&cache);
        command.env("TAPER_CACHE", cache);
    }
    command
}

#[test]
fn commands_end_quietly_when_nobody_reads_what_they_print() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let notebook = folder.path().join("n.ipynb");
    let cell = r##"{"cell_type":"markdown","id":"a","metadata":{},"source":["# Title"]}"##;
    let text = format!(r#"{{"cells":[{cell}],"metadata":{{}},"nbformat":4,"nbformat_minor":5}}"#);
    std::fs::write(&notebook, text).unwrap();
    let notebook = notebook.to_str().unwrap();
    for arguments in [
        &["--help"][..],
        &["doctor"],
        &["install"],
        &["run", notebook, "--out", out],
        &["export", notebook, "--out", out],
        &["students", "--out", &format!("{out}/students")],
        &["uninstall"],
    ] {
        let output = unread(&mut in_folder(folder.path(), arguments));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {}, {errors}", output.status);
    }
}

#[needs::dev_full]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = taper().arg("doctor").stdout(full).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.starts_with("taper: cannot print: ") && errors.lines().count() == 1, "{errors}");
}
