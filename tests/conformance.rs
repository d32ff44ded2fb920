//! Jupyter's own tests of kernels.

use crate::python::Workplace;
use crate::support::root;

#[test]
fn jupyters_own_tests_of_kernels_pass() {
    let script = root().join("tests/conformance.py");
    let (good, text) = Workplace::new().run("python", &[script.to_str().unwrap()]);
    assert!(good, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("Ran 17 tests in")), "{text}");
    // The kernel has no pager: it is an extension of IPython's.
    let skipped: Vec<&&str> = lines.iter().filter(|line| line.contains("skipped '")).collect();
    assert!(matches!(skipped[..], [pager] if pager.starts_with("test_pager ")), "{text}");
    assert_eq!(*lines.last().unwrap(), "OK (skipped=1)");
}
