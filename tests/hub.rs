//! A class on a hub: learners with a home folder each, and one shared install for all of them.

use crate::jupyterlab::chromium;
use crate::python::{Workplace, program, say};
use crate::shared::shared_install;
use crate::support::root;
use serde_json::Value;
use std::fs;
use std::path::Path;

const LEARNERS: [&str; 3] = ["ada", "grace", "mary"];

/// A real JupyterHub with the configuration that the course comes with, but for the accounts.
#[needs::chromium]
#[tokio::test]
async fn learners_log_in_to_a_hub_and_run_the_first_notebook_at_the_same_time() {
    let prefix = shared_install().await;
    let folder = tempfile::tempdir().unwrap();
    let homes = folder.path().join("homes");
    let notebook = fs::read_to_string(root().join("notebooks/01_first_light.ipynb")).unwrap();
    let notebook = notebook.replace("60_000;", "3_000;").replace("= 10_000;", "= 500;");
    for name in LEARNERS {
        fs::create_dir_all(homes.join(name)).unwrap();
        fs::write(homes.join(name).join("01_first_light.ipynb"), &notebook).unwrap();
        fs::write(homes.join(name).join(format!("of_{name}.txt")), name).unwrap();
    }
    let workplace = Workplace::new();
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let mut command = workplace.command("python");
    command.arg(root().join("tests/hub.py")).args([chromium(), &screenshots, &homes]).args(LEARNERS);
    command
        .env("JUPYTER_PATH", prefix.join("share/jupyter"))
        .env("TAPER_OFFLINE", "1")
        .env_remove("MNIST_DIR");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "see {} and\n{text}", screenshots.display());
    say(String::from_utf8_lossy(&output.stdout).trim_end());
    for name in LEARNERS {
        let cache = homes.join(name).join(".cache/taper");
        assert!(cache.join("sessions").exists() && !cache.join("environments").exists(), "{name}");
    }
}

/// The value of the first `ARG name=value` in the container file.
fn argument<'a>(container: &'a str, name: &str) -> &'a str {
    let lines = container.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('='));
    lines.filter(|(found, _)| *found == name).map(|(_, value)| value).next().unwrap()
}

#[test]
fn the_files_for_containers_agree_with_each_other_and_with_the_course() {
    let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let container = text(".binder/Dockerfile");
    let base = format!("rust:{}-slim-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(argument(&container, "BASE").starts_with(&base), "the Rust of Cargo.toml");
    let copied = container
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--"));
    let sources: Vec<&str> = copied.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    assert_eq!(
        sources,
        [".", "notebooks/requirements.txt", "deploy/requirements.txt", "notebooks", "assets"]
    );
    let used = container.split_whitespace().filter_map(|word| word.strip_prefix("/opt/taper/"));
    for path in sources.into_iter().chain(used) {
        assert!(root().join(path).exists(), "{path}");
    }

    let workspace: Value = serde_json::from_str(&text(".devcontainer/devcontainer.json")).unwrap();
    let container_of_workspace =
        root().join(".devcontainer").join(workspace["build"]["dockerfile"].as_str().unwrap());
    assert_eq!(
        container_of_workspace.canonicalize().unwrap(),
        root().join(".binder/Dockerfile").canonicalize().unwrap()
    );
    let user = argument(&container, "NB_USER");
    assert_eq!(workspace["remoteUser"], user);

    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output =
        program("python").args(["-c", script]).arg(root().join("deploy/values.yaml")).output().unwrap();
    let values: Value = serde_json::from_slice(&output.stdout).unwrap();
    let server = &values["singleuser"];
    assert_eq!(server["image"]["tag"], env!("CARGO_PKG_VERSION"));
    let command = &server["lifecycleHooks"]["postStart"]["exec"]["command"];
    assert_eq!((&command[3], &command[4]), (&"/opt/taper".into(), &format!("/home/{user}/").into()));
    assert_eq!(server["networkPolicy"]["egressAllowRules"]["nonPrivateIPs"], false, "no network is needed");
    // A hub and the servers that it starts are of one version.
    let requirements = text("deploy/requirements.txt");
    let version = requirements.lines().find_map(|line| line.strip_prefix("jupyterhub==")).unwrap();
    let page = text("deploy/README.md");
    let minor = version.rsplit_once('.').unwrap().0;
    assert!(
        page.contains(&format!("JupyterHub {minor}")),
        "the page speaks of another JupyterHub than {version}"
    );
    for path in ["values.yaml", "jupyterhub_config.py", "requirements.txt"] {
        assert!(
            page.contains(&format!("deploy/{path}")) && root().join("deploy").join(path).exists(),
            "{path}"
        );
    }
}
