//! The Python that stands beside the Rust of the notebooks 05 to 08 is that of the scripts in `peers`, line for line.

use crate::support::root;
use crate::worksheets::{cells, text};
use std::collections::BTreeSet;
use std::fs;

/// The notebooks, each with the script of which every section stands in it.
const PAIRS: [(&str, &str); 4] = [
    ("05_keras_style.ipynb", "keras_sequential.py"),
    ("06_torch_style.ipynb", "pytorch.py"),
    ("07_tensorflow_style.ipynb", "tensorflow_native.py"),
    ("08_tensorflow2_style.ipynb", "tensorflow2.py"),
];

/// What stands between two marks, and what follows the second.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(start)?.1.split_once(end)
}

fn script(name: &str) -> String {
    fs::read_to_string(root().join("notebooks/peers").join(name)).unwrap()
}

/// The heading under which lines stand in a script: what follows `# %%` before them. None if they are not in it.
fn section<'a>(script: &'a str, lines: &str) -> Option<&'a str> {
    // Whole lines: after a line break, and with the one at their end.
    let start = script.find(&format!("\n{lines}"))?;
    let heading = script[..=start].rsplit_once("\n# %% ")?.1;
    heading.lines().next()
}

#[test]
fn the_python_beside_the_rust_is_that_of_the_scripts() {
    for (notebook, its_script) in PAIRS {
        let cells = cells(&root().join("notebooks").join(notebook));
        let mut shown = BTreeSet::new();
        for (at, cell) in cells.iter().enumerate() {
            let source = text(&cell["source"]);
            if cell["cell_type"] != "markdown" || !source.contains("```python") {
                continue;
            }
            let place = format!("{notebook}, cell {at}");
            let (name, rest) = between(&source, "<code>peers/", "</code>)</summary>\n\n").expect(&place);
            let (lines, rest) = between(rest, "```python\n", "```\n").expect(&place);
            assert!(source.starts_with("<details open>\n<summary>") && rest == "\n</details>", "{place}");
            assert_eq!(cells[at + 1]["cell_type"], "code", "{place}: the Rust follows");
            let script = script(name);
            let section = section(&script, lines);
            let section = section.unwrap_or_else(|| panic!("{place}: not in {name}:\n{lines}"));
            if name == its_script {
                shown.insert(section.to_owned());
            }
        }
        let script = script(its_script);
        let sections = script.lines().filter_map(|line| line.strip_prefix("# %% ").map(str::to_owned));
        assert_eq!(shown, sections.collect(), "{notebook}: the sections of {its_script}");
    }
}

#[test]
fn lines_are_found_whole_and_in_their_section() {
    let script = "import x\n\n# %% Data\n\na = 1\n\n# %% Network\n\n\ndef b():\n    return 2\n";
    assert_eq!(section(script, "a = 1\n"), Some("Data"));
    assert_eq!(section(script, "def b():\n    return 2\n"), Some("Network"));
    assert_eq!(section(script, "    return 2\n"), Some("Network"));
    for none in ["return 2\n", "a =\n", "a = 1\ndef b():\n"] {
        assert_eq!(section(script, none), None, "{none}");
    }
}
