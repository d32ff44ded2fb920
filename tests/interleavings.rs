//! The thread pool of `lab`, in every order that the steps of its threads may take.

use crate::support::root;
use std::process::Command;

#[test]
fn the_thread_pool_is_right_in_every_order_of_steps() {
    let output = Command::new(env!("CARGO"))
        .args(["test", "--release", "--locked", "--package", "parallel", "--lib"])
        .current_dir(root())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "--cfg loom")
        // These flags concern all that is compiled, and would have everything else compiled anew.
        .env("CARGO_TARGET_DIR", root().join("target/loom"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    let models = printed.lines().filter(|line| line.starts_with("test models::") && line.ends_with("... ok"));
    assert_eq!(models.count(), 6, "{printed}");
}
