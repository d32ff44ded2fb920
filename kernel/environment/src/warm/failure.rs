//! Extracts the reason of a failed build from cargo's output.

/// The status words with which cargo reports normal progress.
const STATUS: [&str; 14] = [
    "Adding",
    "Blocking",
    "Building",
    "Checking",
    "Compiling",
    "Downgrading",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Locking",
    "Removing",
    "Updating",
    "Upgrading",
];
/// How many lines of a build script's output are shown. They are the last ones, which say what went wrong.
const LINES: usize = 15;

/// The messages of build scripts when a program or library is missing on the system, with our advice.
const MISSING: [(&str, &str); 8] = [
    ("is `cmake` not installed?", "cmake is missing: install it, for example with `apt install cmake`"),
    (
        "pkg-config command could not be found",
        "pkg-config is missing: install it, for example with `apt install pkg-config`",
    ),
    (
        "Could not run `PKG_CONFIG",
        "pkg-config is missing: install it, for example with `apt install pkg-config`",
    ),
    (
        "failed to find tool \"c++\"",
        "a C++ compiler is missing: install one, for example with `apt install g++`",
    ),
    (
        "failed to find tool \"cc\"",
        "a C compiler is missing: install one, for example with `apt install gcc`",
    ),
    (
        "linker `cc` not found",
        "a C compiler, which links programs, is missing: install one, for example with `apt install gcc`",
    ),
    (
        "Unable to find libclang",
        "libclang is missing: install it, for example with `apt install libclang-dev`",
    ),
    (
        "Could not find `protoc`",
        "protoc is missing: install it, for example with `apt install protobuf-compiler`",
    ),
];
/// How cargo names the packages that taper generates, where it lists which package requires which.
const OWN: [&str; 2] = ["required by package `set v0.0.0 (", "required by package `warm v0.0.0 ("];
/// cargo's messages when it cannot reach a registry.
const NETWORK: [&str; 6] = [
    "Could not resolve host",
    "failed to download",
    "Couldn't connect to server",
    "attempting to make an HTTP request, but --offline was specified",
    "net.offline",
    "using offline mode",
];

/// The part of cargo's output that says why the build failed, with advice for known causes.
pub fn reason(log: &str) -> String {
    let is_status = |line: &str| {
        STATUS.contains(&line.split_whitespace().next().unwrap_or_default()) && line.starts_with(' ')
    };
    let from_error = log.lines().skip_while(|line| !line.starts_with("error")).collect::<Vec<_>>();
    let lines = if from_error.is_empty() { log.lines().collect() } else { from_error };
    // Leave out the package that taper has generated, which means nothing to the user.
    let is_own = |line: &str| OWN.iter().any(|own| line.contains(own));
    let lines = lines
        .into_iter()
        .filter(|line| !is_status(line) && !is_own(line) && !line.starts_with("warning: build failed"));
    let mut text = without_long_output(lines).trim().to_owned();
    if let Some(library) = missing_library(&text) {
        text.push_str(&format!(
            "\n\nnote: the library {library} is missing on this system: install its development package"
        ));
    } else if let Some((_, advice)) = MISSING.iter().find(|(words, _)| log.contains(words)) {
        text.push_str(&format!("\n\nnote: {advice}"));
    } else if NETWORK.iter().any(|words| log.contains(words)) {
        text.push_str(
            "\n\nnote: there is no network, and these crates have not been built or downloaded before",
        );
    }
    text
}

/// The system library that pkg-config did not find, in backticks.
fn missing_library(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("The system library `")?;
    let (library, rest) = rest.split_once('`')?;
    rest.trim_start().starts_with("required by").then(|| format!("`{library}`"))
}

/// Shortens the output of a build script: keeps the last lines of its standard output and of its standard error.
fn without_long_output<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for line in lines {
        if matches!(line.trim(), "--- stdout" | "--- stderr") {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("there is one").push(line);
    }
    let mut text = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        let skipped = if index == 0 { 0 } else { part.len().saturating_sub(LINES + 1) };
        for (number, line) in part.iter().enumerate() {
            // Line 0 is the heading; lines 1 to `skipped` are left out.
            if number == 0 || number > skipped {
                text.push_str(line);
                text.push('\n');
            } else if number == 1 {
                text.push_str(&format!("  … {skipped} more lines\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_before_the_error_is_left_out() {
        let log = "   Compiling one v1.0.0\n   Compiling two v1.0.0\nerror: no such thing\n  --> lib.rs:1:1\n   Compiling \
                   three v1.0.0\nwarning: build failed, waiting for other jobs to finish...\n\n";
        assert_eq!(reason(log), "error: no such thing\n  --> lib.rs:1:1");
        assert_eq!(reason("killed\n"), "killed");
        let log = "    Updating crates.io index\nerror: no matching package named `a` found\nlocation searched: crates.io index";
        assert_eq!(
            reason(log),
            "error: no matching package named `a` found\nlocation searched: crates.io index"
        );
    }

    #[test]
    fn the_end_of_a_build_scripts_output_is_shown_with_advice() {
        let many: String =
            (0..100).map(|number| format!("  cargo:rerun-if-env-changed=X{number}\n")).collect();
        let log = format!(
            "error: failed to run custom build command for `z v1.0.0`\n\nCaused by:\n  --- stdout\n{many}  --- stderr\n  is \
             `cmake` not installed?\n"
        );
        let reason = reason(&log);
        assert!(
            reason.contains("--- stdout\n  … 85 more lines\n  cargo:rerun-if-env-changed=X85\n"),
            "{reason}"
        );
        assert!(
            reason.ends_with(
                "not installed?\n\nnote: cmake is missing: install it, for example with `apt install cmake`"
            ),
            "{reason}"
        );
    }

    #[test]
    fn a_library_that_pkg_config_cannot_find_is_named() {
        let log = "error: failed to run custom build command for `o v1.0.0`\n  The system library `openssl` required by crate `o` \
                   was not found.\n";
        assert!(reason(log).ends_with(
            "note: the library `openssl` is missing on this system: install its development package"
        ));
    }
}
