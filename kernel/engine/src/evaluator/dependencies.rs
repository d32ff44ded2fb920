//! What `:dep` lines need before cargo sees them, and what it says when it fails.

use super::Failed;
use anyhow::{Result, anyhow};
use cell::Dependency;
use environment::Lab;
use evcxr::Error;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Whether it is the crate that the session has compiled already.
pub fn is_lab(dependency: &Dependency) -> bool {
    dependency.name.as_deref() == Some("lab")
}

/// The `lab` that a `:dep` line asks for; `base` is where paths in the notebook start. Where there is none it is the
/// kernel's own.
pub fn wanted_lab(dependency: &Dependency, base: &Path) -> Result<Lab> {
    let folder = dependency.path().map(|path| base.join(path));
    let lab = match folder.filter(|folder| folder.join("Cargo.toml").exists()) {
        Some(folder) => Lab::in_folder(&folder)?,
        None => Lab::embedded(),
    };
    Ok(lab.with(dependency.features().into_iter().map(str::to_owned).collect()))
}

/// The dependency with its name, and with a path that holds wherever cargo is run; otherwise what is wrong with it, in a
/// line. Paths start where the kernel was started.
pub fn resolve(mut dependency: Dependency) -> std::result::Result<Dependency, String> {
    let Some(path) = dependency.path().map(str::to_owned) else { return Ok(dependency) };
    // Where there is no `lab` it is the kernel's own.
    if is_lab(&dependency) {
        return Ok(dependency);
    }
    let folder =
        Path::new(&path).canonicalize().map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))
        .map_err(|error| format!("there is no crate in `{path}`: its Cargo.toml cannot be read ({error})"))?;
    if dependency.name.is_none() {
        let manifest: toml::Table = manifest
            .parse()
            .map_err(|error: toml::de::Error| format!("the Cargo.toml in `{path}`: {}", error.message()))?;
        let name =
            manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let name =
            name.ok_or_else(|| format!("there is no crate in `{path}`: its Cargo.toml has no package"))?;
        dependency.name = Some(name.to_owned());
    }
    dependency.config.insert("path".into(), folder.to_string_lossy().into_owned().into());
    Ok(dependency)
}

/// The failure of a build of crates.
pub fn failed(error: Error) -> Failed {
    let text = match &error {
        Error::Message(text) => cargos_words(text),
        Error::CompilationErrors(errors) => {
            let text = |error: &evcxr::CompilationError| match error.rendered() {
                rendered if rendered.trim().is_empty() => cargos_words(&error.message()),
                rendered => rendered.trim_end().to_owned(),
            };
            errors.iter().map(text).collect::<Vec<_>>().join("\n\n")
        }
        _ => return error.into(),
    };
    Failed::Dependency(anyhow!(text))
}

/// What cargo does while all is well.
const PROGRESS: [&str; 9] = [
    "Adding",
    "Blocking",
    "Checking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Fresh",
    "Locking",
    "Updating",
];

/// What cargo says, without its progress, and without JSON but for the errors that it holds.
fn cargos_words(text: &str) -> String {
    let text = text.split_once("STDERR:\n").map_or(text, |(_, words)| words);
    let text = text.replace("\nSTDOUT:", "\n");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with('{')
            && let Ok(json) = serde_json::from_str::<Value>(line)
        {
            let message = &json["message"];
            let rendered = message["rendered"].as_str().filter(|_| message["level"] == "error");
            lines.extend(rendered.map(|rendered| rendered.trim_end().to_owned()));
        } else if !PROGRESS.contains(&line.split_whitespace().next().unwrap_or_default()) {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(argument: &str) -> Dependency {
        Dependency::parse(argument).unwrap()
    }

    #[test]
    fn the_crate_is_that_of_the_path_or_else_the_kernels_own() {
        let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks"));
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("my features/lab");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("Cargo.toml"), "[package]\nname = \"lab\"\n").unwrap();
        let wanted = |line: &str| {
            let command = cell::commands(line).commands.remove(0);
            wanted_lab(&command.dependency().unwrap().unwrap(), base).unwrap()
        };
        let (own, others) = (Lab::embedded().digest(), Lab::in_folder(&other).unwrap().digest());
        assert_ne!(own, others);
        for (line, digest, features) in [
            (":dep lab", &own, &[][..]),
            (":dep lab = { path = 'lab' }", &own, &[]),
            (":dep lab = {path=\"no such folder\"} // note", &own, &[]),
            (&format!(":dep lab = {{ path = '{}' }}", other.display()), &others, &[]),
            (
                &format!("/* note */ :dep lab = {{ features = ['burn'], path = \"{}\" }}", other.display()),
                &others,
                &["burn"],
            ),
            (
                ":dep \"lab\" = { path = 'features = [\"x\"]', features = [\"cuda\", \"burn\",] }",
                &own,
                &["burn", "cuda"],
            ),
        ] {
            let lab = wanted(line);
            assert_eq!(
                (&lab.digest(), lab.features.iter().map(String::as_str).collect()),
                (digest, features.to_vec()),
                "{line}"
            );
        }
    }

    #[test]
    fn a_crate_in_a_folder_gets_its_name_and_a_path_that_holds_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap().join("my crate");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("Cargo.toml"), "[package]\nname = \"tiny-crate\"\n").unwrap();
        let path = folder.join(".").display().to_string();
        let expected = format!("tiny-crate = {{ path = \"{}\" }}", folder.display());
        assert_eq!(resolve(dependency(&path)).unwrap().to_string(), expected);
        let named = format!("tiny = {{ path = '{path}', package = \"tiny-crate\" }}");
        assert_eq!(resolve(dependency(&named)).unwrap().path(), folder.to_str());
        fs::write(folder.join("Cargo.toml"), "[workspace]\n").unwrap();
        assert!(resolve(dependency(&path)).unwrap_err().ends_with("its Cargo.toml has no package"));
        fs::remove_file(folder.join("Cargo.toml")).unwrap();
        assert!(
            resolve(dependency(&path)).unwrap_err().starts_with(&format!("there is no crate in `{path}`"))
        );
        assert_eq!(
            resolve(dependency("a = { path = 'no/such' }")).unwrap_err(),
            "`no/such` cannot be read: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_is_no_folder_of_another_crate_stays_as_it_is() {
        for argument in ["rand = \"0.9\"", "lab = { path = \"no/such\", features = [\"burn\"] }"] {
            assert_eq!(resolve(dependency(argument)).unwrap(), dependency(argument));
        }
    }

    #[test]
    fn cargos_words_are_without_progress_and_json() {
        let text = "Compilation failed, but no parsable errors were found. STDERR:\n   Compiling a v0.1.0 (/a)\n\
                    error: failed to run custom build command for `a`\n\nCaused by:\n  it stopped\n\n\
                    STDOUT:{\"reason\":\"build-finished\",\"success\":false}\n";
        assert_eq!(
            cargos_words(text),
            "error: failed to run custom build command for `a`\n\nCaused by:\n  it stopped"
        );
        let text = "    Updating crates.io index\nerror: no matching package named `a` found\nlocation searched: crates.io index";
        assert_eq!(
            cargos_words(text),
            "error: no matching package named `a` found\nlocation searched: crates.io index"
        );
        let json = "{\"message\":{\"level\":\"error\",\"rendered\":\"error: no\\n\"}}\n{\"message\":{\"level\":\"warning\",\"rendered\":\"w\"}}";
        assert_eq!(cargos_words(json), "error: no");
    }
}
