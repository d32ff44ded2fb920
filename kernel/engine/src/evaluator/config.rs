//! Reads `evcxr.toml`, the dependencies and code that every session starts with.
//!
//! The file is next to the notebook, or else in evcxr's configuration folder. There, `init.evcxr` and `prelude.rs` replace the
//! parts that the file lacks. evcxr does not read the file itself: it would fail to start if the file were broken.

use super::{Ask, Evaluator, Failed};
use anyhow::{Context, Result, anyhow};
use cell::Dependency;
use cell::code::Source;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

const FILE: &str = "evcxr.toml";

/// The commands and code that a session starts with.
#[derive(Debug, Default, PartialEq)]
pub struct Config {
    /// The file that it was read from, if there is one.
    path: Option<PathBuf>,
    /// The commands, in the form of a cell.
    commands: String,
    /// The code, in the form of a cell.
    prelude: Option<String>,
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    evcxr: Table,
    #[serde(default)]
    dependencies: toml::Table,
}

/// The supported keys. The others configure how evcxr compiles cells, which it does not do here.
#[derive(Default, Deserialize)]
struct Table {
    #[serde(default)]
    offline_mode: bool,
    opt_level: Option<String>,
    prelude: Option<String>,
}

impl Config {
    /// Reads the file from the notebook's folder, or else from the user's configuration folder. The error is one line.
    fn read(notebook: &Path, user: Option<&Path>) -> Result<Self> {
        let mut config = Self::default();
        let mut file = File::default();
        let folders = [Some(notebook), user];
        let mut paths = folders.into_iter().flatten().map(|folder| folder.join(FILE));
        if let Some(path) = paths.find(|path| path.exists()) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            file = toml::from_str(&text).map_err(|error: toml::de::Error| {
                let line =
                    error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
                anyhow!("{}, line {line}: {}", path.display(), error.message().replace('\n', ", "))
            })?;
            config.path = Some(path);
        }
        if let Some(level) = file.evcxr.opt_level {
            config.commands.push_str(&format!(":opt {level}\n"));
        }
        if file.evcxr.offline_mode {
            config.commands.push_str(":offline 1\n");
        }
        for (name, value) in &file.dependencies {
            let line = format!("{name} = {value}");
            let dependency = Dependency::parse(&line).map_err(|fault| anyhow!("{FILE}: {fault}"))?;
            config.commands.push_str(&format!(":dep {dependency}\n"));
        }
        let beside = |name: &str| fs::read_to_string(user?.join(name)).ok();
        if file.dependencies.is_empty() {
            config.commands.extend(beside("init.evcxr"));
        }
        config.prelude = file.evcxr.prelude.or_else(|| beside("prelude.rs"));
        Ok(config)
    }
}

impl Evaluator {
    /// Loads evcxr.toml before the first cell. A failure is a warning: the cell runs anyway.
    pub(super) fn start_with_config(&mut self, ask: Ask) {
        if !std::mem::replace(&mut self.settings.has_config, true)
            && let Err(failed) = self.load_config(ask)
        {
            let error = failed.into_reply();
            self.warn(&format!("{FILE} was not loaded: {}", error.evalue));
        }
    }

    /// Loads evcxr.toml; returns its path. The answers of its commands are not shown.
    pub(super) fn load_config(&mut self, ask: Ask) -> Result<Option<PathBuf>, Failed> {
        let users = self.own_variables.users("EVCXR_CONFIG_DIR").map(PathBuf::from);
        let users = users.or_else(|| Some(dirs::config_dir()?.join("evcxr")));
        let folder = env::current_dir().map_err(|error| Failed::Kernel(error.into()))?;
        let config = Config::read(&folder, users.as_deref()).map_err(Failed::Config)?;
        if std::mem::replace(&mut self.settings.is_loading, true) {
            return Ok(None);
        }
        let loaded = self.apply(config, ask);
        self.settings.is_loading = false;
        loaded
    }

    fn apply(&mut self, config: Config, ask: Ask) -> Result<Option<PathBuf>, Failed> {
        for (name, code) in [(FILE, Some(config.commands)), ("prelude", config.prelude)] {
            if let Some(code) = code.filter(|code| !code.trim().is_empty()) {
                let source = Arc::new(Source { name: name.to_owned(), code });
                let ran = self.run_source(&source, ask)?;
                if let Some(failure) = ran.failure {
                    return Err(Failed::Config(anyhow!("{name}: {}", failure.evalue)));
                }
            }
        }
        Ok(config.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_and_settings_become_commands_before_the_prelude() {
        let (notebook, user) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let read = || Config::read(notebook.path(), Some(user.path()));
        assert_eq!(read().unwrap(), Config::default());
        fs::write(user.path().join("init.evcxr"), ":dep serde\n").unwrap();
        fs::write(user.path().join("prelude.rs"), "use std::fmt;").unwrap();
        let config = read().unwrap();
        assert_eq!((&*config.commands, config.prelude.as_deref()), (":dep serde\n", Some("use std::fmt;")));

        let text = "[evcxr]\nprelude = \"let x = 1;\"\nopt_level = \"0\"\ntmpdir = \"/no/such\"\n[dependencies]\n\
                    tiny = { path = \"t\", default_features = false }\nrand = \"0.9\"\n";
        let path = notebook.path().join(FILE);
        fs::write(&path, text).unwrap();
        let commands = ":opt 0\n:dep rand = { version = \"0.9\" }\n:dep tiny = { default-features = false, path = \"t\" }\n";
        let expected =
            Config { path: Some(path), commands: commands.into(), prelude: Some("let x = 1;".into()) };
        assert_eq!(read().unwrap(), expected);
    }

    #[test]
    fn errors_fit_on_one_line() {
        let notebook = tempfile::tempdir().unwrap();
        let path = notebook.path().join(FILE);
        for (text, words) in [
            (
                "[dependencies]\nrand = true\n",
                "expected a version in quotes or a table after `rand =`, found a boolean",
            ),
            ("[evcxr]\nopt_level = 2\n", "line 2: invalid type: integer `2`, expected a string"),
            ("[evcxr]\nprelude = \"\n", "line 2: "),
        ] {
            fs::write(&path, text).unwrap();
            let error = Config::read(notebook.path(), None).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains('\n'), "{error}");
        }
    }
}
