//! The command line: the kernelspec in and out, and clear words for what is wrong.

use crate::support::{installed, taper};
use serde_json::Value;
use std::path::Path;

fn output(arguments: &[&str], variables: &[(&str, &Path)]) -> (bool, String) {
    let mut command = taper();
    command
        .args(arguments)
        .env_remove("JUPYTER_DATA_DIR")
        .env_remove("JUPYTER_PATH")
        .env("TAPER_OFFLINE", "1");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_kernelspec_is_what_jupyter_reads() {
    let folder = installed().join("kernels/taper");
    let spec: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("kernel.json")).unwrap()).unwrap();
    assert_eq!(spec["display_name"], "Rust (taper)");
    assert_eq!((&spec["language"], &spec["interrupt_mode"]), (&"rust".into(), &"message".into()));
    assert_eq!(spec["argv"][0], env!("CARGO_BIN_EXE_taper"));
    assert_eq!(spec["argv"][3], "{connection_file}");
    for (name, side) in [("logo-32x32.png", 32), ("logo-64x64.png", 64)] {
        let logo = lab::image::open(folder.join(name)).unwrap();
        assert_eq!((logo.width(), logo.height()), (side, side));
    }
    assert!(folder.join("logo-svg.svg").exists());
}

#[test]
fn jupyters_own_variables_decide_where_it_goes() {
    installed();
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("with space"), folder.path().join("ü"));
    for (variable, place) in [("JUPYTER_DATA_DIR", &one), ("JUPYTER_PATH", &two)] {
        let (good, text) = output(&["install"], &[(variable, place)]);
        assert!(good && text.contains("Rust (taper)"), "{text}");
        assert!(place.join("kernels/taper/kernel.json").exists());
    }
}

#[test]
fn what_is_uninstalled_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, cache) = (folder.path().join("jupyter"), folder.path().join("cache"));
    let kernels = ["taper", "taper-cuda"].map(|name| data.join("kernels").join(name));
    let built = ["environments/x", "jupyter/kernels/taper", "python-x/bin"].map(|folder| cache.join(folder));
    let digits = cache.join("mnist");
    for folder in kernels.iter().chain(&built).chain([&digits]) {
        std::fs::create_dir_all(folder).unwrap();
    }
    let variables = [("TAPER_CACHE", cache.as_path()), ("JUPYTER_DATA_DIR", &data)];
    let (good, text) = output(&["uninstall"], &variables);
    assert!(good && text.matches("Removed the kernel").count() == 2, "{text}");
    assert!(kernels.iter().all(|kernel| !kernel.exists()) && data.join("kernels").exists());
    assert!(
        built.iter().all(|folder| !folder.exists()) && digits.exists(),
        "what was downloaded is not built"
    );
    let (good, text) = output(&["uninstall"], &variables);
    assert!(good && text.contains("There is no kernel"), "{text}");
}

#[test]
fn mistakes_get_one_clear_line() {
    let cases: [(&[&str], &str); 4] = [
        (&["kernel", "--connection-file", "no/such.json"], "cannot read the connection file no/such.json"),
        (&["kernel", "--connection-file", "Cargo.toml"], "Cargo.toml is not a connection file"),
        (&["run", "no/such.ipynb"], "cannot read no/such.ipynb"),
        (&["run", "Cargo.toml"], "Cargo.toml is not a notebook"),
    ];
    installed();
    let out = tempfile::tempdir().unwrap();
    for (arguments, expected) in cases {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "run" {
            arguments.extend(["--out", out.path().to_str().unwrap()]);
        }
        let (good, text) = output(&arguments, &[]);
        assert!(!good && text.starts_with(&format!("taper: {expected}")), "{arguments:?}: {text}");
    }
}
