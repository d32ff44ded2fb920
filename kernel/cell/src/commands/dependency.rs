//! The argument of `:dep`: a crate, in the TOML of a line in `Cargo.toml`, or a folder.

mod keys;
mod scan;
#[cfg(test)]
mod tests;

use super::{Fault, table};
use keys::{check_table, normalised};
use scan::scan;
use semver::VersionReq;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// A dependency, in the form that current versions of cargo read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The name that code uses for the crate, with hyphens as written. `None` for `:dep ./folder`: then the name is in
    /// the manifest of that folder.
    pub name: Option<String>,
    /// Its table in `Cargo.toml`, with the current spelling of all keys.
    pub config: Table,
    /// Keys that cargo does not know. Cargo warns about them and ignores them.
    pub unused: Vec<String>,
}

impl Dependency {
    /// Parses the argument of `:dep`. Ranges in the fault are bytes of the argument.
    pub fn parse(argument: &str) -> Result<Self, Fault> {
        let argument = without_comment(argument).trim_end();
        if argument.is_empty() {
            return Err(fault(0..0, "`:dep` needs a crate, for example `:dep regex = \"1\"`"));
        }
        if is_address(argument) {
            let message = format!("write a repository as `:dep name = {{ git = \"{argument}\" }}`");
            return Err(fault(0..argument.len(), message));
        }
        if is_path(argument) { in_folder(argument) } else { in_toml(argument) }
    }

    /// The name of the package, if it is known. It differs from the name of the crate if there is a `package = "…"`.
    pub fn package(&self) -> Option<&str> {
        self.text("package").or(self.name.as_deref())
    }

    /// The version requirement.
    pub fn version(&self) -> Option<&str> {
        self.text("version")
    }

    /// The folder of a local crate, as written.
    pub fn path(&self) -> Option<&str> {
        self.text("path")
    }

    /// The features asked for, in the order written.
    pub fn features(&self) -> Vec<&str> {
        let features = self.config.get("features").and_then(Value::as_array);
        features.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether the package's default features are switched on.
    pub fn default_features(&self) -> bool {
        self.config.get("default-features").and_then(Value::as_bool).unwrap_or(true)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }
}

impl Display for Dependency {
    /// A line for `Cargo.toml`, which is also an argument for `:dep`.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Some(name) = &self.name else { return f.write_str(self.path().unwrap_or_default()) };
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let quoted = if name.chars().all(is_bare) { name.clone() } else { format!("\"{name}\"") };
        write!(f, "{quoted} = {}", Value::Table(self.config.clone()))
    }
}

/// The argument of `:dep` without a trailing comment.
pub(super) fn without_comment(argument: &str) -> &str {
    if is_path(argument) || is_address(argument) {
        table::without_separate_comment(argument)
    } else {
        &argument[..scan(argument).end]
    }
}

/// Whether the argument is a folder. The name of a crate cannot contain a slash.
fn is_path(argument: &str) -> bool {
    let word = first_word(argument);
    let comment = word.find("//").unwrap_or(word.len());
    word.starts_with('.') || word[..comment].contains('/')
}

/// Whether the argument is the bare URL of a repository, which users easily write instead of `name = { git = "…" }`.
fn is_address(argument: &str) -> bool {
    first_word(argument).contains("://")
}

/// The argument up to the first space, string, table or `=`.
fn first_word(argument: &str) -> &str {
    argument.split(|c: char| c.is_whitespace() || "=\"'{".contains(c)).next().unwrap_or_default()
}

fn in_folder(argument: &str) -> Result<Dependency, Fault> {
    if let Some(equals) = argument.find('=') {
        let message = "nothing may follow a folder; to set more, write `name = { path = \"…\", … }`";
        return Err(fault(equals..argument.len(), message));
    }
    let config = Table::from_iter([("path".to_owned(), Value::from(argument))]);
    Ok(Dependency { name: None, config, unused: Vec::new() })
}

fn in_toml(argument: &str) -> Result<Dependency, Fault> {
    let scan = scan(argument);
    if let Some(open) = scan.open {
        let c = &argument[open..=open];
        return Err(fault(open..open + 1, format!("`{c}` is not closed; a command must fit on one line")));
    }
    let text = match scan.equals {
        None => name_alone(argument)?,
        Some(equals) => {
            check_quotes(argument, equals)?;
            argument.to_owned()
        }
    };
    let syntax_fault = |error: toml::de::Error| syntax_fault(argument, &error);
    let parsed = DeTable::parse(&text).map_err(syntax_fault)?.into_inner();
    let values: Table = toml::from_str(&text).map_err(syntax_fault)?;
    let (Some((key, value)), Some((name, config))) = (parsed.iter().next(), values.into_iter().next()) else {
        return Err(fault(0..argument.len(), "`:dep` needs a crate"));
    };
    check_name(&name, key.span())?;
    match (value.get_ref(), config) {
        (DeValue::String(version), config) => {
            check_version(version, value.span())?;
            let config = Table::from_iter([("version".to_owned(), config)]);
            Ok(Dependency { name: Some(name), config, unused: Vec::new() })
        }
        (DeValue::Table(table), Value::Table(config)) => {
            let unused = check_table(&name, table, value.span())?;
            Ok(Dependency { name: Some(name), config: normalised(config), unused })
        }
        (other, _) => {
            let message = format!(
                "expected a version in quotes or a table after `{name} =`, found {}",
                describe_kind(other)
            );
            Err(fault(value.span(), message))
        }
    }
}

/// The TOML of a dependency that is only a name.
fn name_alone(argument: &str) -> Result<String, Fault> {
    if let Some((name, version)) = argument.split_once('@') {
        return Err(fault(0..argument.len(), format!("write the version as `:dep {name} = \"{version}\"`")));
    }
    if let Some((name, rest)) = argument.split_once(char::is_whitespace) {
        let start = argument.len() - rest.len();
        let message = format!(
            "unexpected `{}` after `{name}`; each dependency needs its own `:dep` line",
            rest.trim_start()
        );
        return Err(fault(start..argument.len(), message));
    }
    if !argument.starts_with(['"', '\'']) {
        check_name(argument, 0..argument.len())?;
    }
    Ok(format!("{argument} = \"*\""))
}

/// Catches a version without quotes, for which the message of the TOML parser would be about an invalid number.
fn check_quotes(argument: &str, equals: usize) -> Result<(), Fault> {
    let value = argument[equals + 1..].trim();
    let range = argument.len() - argument[equals + 1..].trim_start().len()..argument.len();
    if value.is_empty() {
        return Err(fault(equals..equals + 1, "expected a version in quotes or a table after `=`"));
    }
    let name = argument[..equals].trim();
    let is_version = value.starts_with(|c: char| c.is_ascii_digit() || "^~<>=*".contains(c));
    if is_version && VersionReq::parse(value).is_ok() {
        return Err(fault(range, format!("the version needs quotes: `{name} = \"{value}\"`")));
    }
    Ok(())
}

/// The fault for an error of the TOML parser.
fn syntax_fault(argument: &str, error: &toml::de::Error) -> Fault {
    let range = error.span().unwrap_or(0..argument.len());
    let range = range.start.min(argument.len())..range.end.min(argument.len());
    if error.message().starts_with("unexpected key or value, expected newline") {
        let rest = argument[range.start..].trim_start();
        let message = format!("unexpected `{rest}`; each dependency needs its own `:dep` line");
        return fault(argument.len() - rest.len()..argument.len(), message);
    }
    fault(range, error.message().lines().collect::<Vec<_>>().join(", "))
}

fn check_version(version: &str, range: Range<usize>) -> Result<(), Fault> {
    let refused = |error| fault(range, format!("`{version}` is not a version requirement: {error}"));
    VersionReq::parse(version).map(drop).map_err(refused)
}

/// Checks that cargo accepts the name of a crate.
fn check_name(name: &str, range: Range<usize>) -> Result<(), Fault> {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    if name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_numeric() || c == '-') {
        return Ok(());
    }
    let rule = "names start with a letter or `_` and contain only letters, digits, `-` and `_`";
    Err(fault(range, format!("`{name}` is not a valid crate name: {rule}")))
}

fn describe_kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn fault(range: Range<usize>, message: impl Into<String>) -> Fault {
    Fault { message: message.into(), range }
}
