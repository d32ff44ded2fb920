//! The argument of `:dep`: a crate, in the TOML of a line in `Cargo.toml`, or a folder.

use super::{Fault, table};
use semver::VersionReq;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// A dependency as cargo understands it today.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The name that code uses for the crate, with hyphens as written. `None` for `:dep ./folder`, where the manifest in
    /// that folder has the name.
    pub name: Option<String>,
    /// What `Cargo.toml` says of it, always as a table, its keys spelled as cargo spells them now.
    pub config: Table,
    /// Keys that cargo does not know; it warns of them and goes on.
    pub unused: Vec<String>,
}

impl Dependency {
    /// Reads what follows `:dep`. Ranges in the fault are bytes of the argument.
    pub fn parse(argument: &str) -> Result<Self, Fault> {
        let argument = without_comment(argument).trim_end();
        if argument.is_empty() {
            return Err(fault(0..0, "`:dep` names no crate; an example is `:dep regex = \"1\"`"));
        }
        if is_address(argument) {
            let message = format!("a repository is written `:dep name = {{ git = \"{argument}\" }}`");
            return Err(fault(0..argument.len(), message));
        }
        if is_path(argument) { in_folder(argument) } else { in_toml(argument) }
    }

    /// The name of the package, where it is known: with `package = "…"` not that of the crate.
    pub fn package(&self) -> Option<&str> {
        self.text("package").or(self.name.as_deref())
    }

    /// The version requirement.
    pub fn version(&self) -> Option<&str> {
        self.text("version")
    }

    /// The folder of a crate that is no download, as written.
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

/// The argument of `:dep` without the comment after it.
pub(super) fn without_comment(argument: &str) -> &str {
    if is_path(argument) || is_address(argument) {
        table::without_separate_comment(argument)
    } else {
        &argument[..scan(argument).end]
    }
}

/// Whether the argument is a folder. No name of a crate holds a slash.
fn is_path(argument: &str) -> bool {
    let word = first_word(argument);
    let comment = word.find("//").unwrap_or(word.len());
    word.starts_with('.') || word[..comment].contains('/')
}

/// Whether the argument is the address of a repository, which is easily written without what `Cargo.toml` needs.
fn is_address(argument: &str) -> bool {
    first_word(argument).contains("://")
}

/// What the argument has before space, strings, tables and `=`.
fn first_word(argument: &str) -> &str {
    argument.split(|c: char| c.is_whitespace() || "=\"'{".contains(c)).next().unwrap_or_default()
}

fn in_folder(argument: &str) -> Result<Dependency, Fault> {
    if let Some(equals) = argument.find('=') {
        let message = "after a folder nothing may follow; to say more, write `name = { path = \"…\", … }`";
        return Err(fault(equals..argument.len(), message));
    }
    let config = Table::from_iter([("path".to_owned(), Value::from(argument))]);
    Ok(Dependency { name: None, config, unused: Vec::new() })
}

fn in_toml(argument: &str) -> Result<Dependency, Fault> {
    let scan = scan(argument);
    if let Some(open) = scan.open {
        let c = &argument[open..=open];
        return Err(fault(
            open..open + 1,
            format!("`{c}` is not closed in this line, and a command is one line"),
        ));
    }
    let text = match scan.equals {
        None => name_alone(argument)?,
        Some(equals) => {
            check_quotes(argument, equals)?;
            argument.to_owned()
        }
    };
    let broken = |error: toml::de::Error| broken(argument, &error);
    let parsed = DeTable::parse(&text).map_err(broken)?.into_inner();
    let values: Table = toml::from_str(&text).map_err(broken)?;
    let (Some((key, value)), Some((name, config))) = (parsed.iter().next(), values.into_iter().next()) else {
        return Err(fault(0..argument.len(), "`:dep` names no crate"));
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
            let message =
                format!("after `{name} =` comes a version in quotes or a table, not {}", kind(other));
            Err(fault(value.span(), message))
        }
    }
}

/// The TOML of a dependency that is a name and nothing else.
fn name_alone(argument: &str) -> Result<String, Fault> {
    if let Some((name, version)) = argument.split_once('@') {
        return Err(fault(0..argument.len(), format!("a version is written `:dep {name} = \"{version}\"`")));
    }
    if let Some((name, rest)) = argument.split_once(char::is_whitespace) {
        let start = argument.len() - rest.len();
        let message =
            format!("`{}` after the name `{name}`: only `= …` or another line may follow", rest.trim_start());
        return Err(fault(start..argument.len(), message));
    }
    if !argument.starts_with(['"', '\'']) {
        check_name(argument, 0..argument.len())?;
    }
    Ok(format!("{argument} = \"*\""))
}

/// Versions are easily left without quotes, which would be called a wrong number otherwise.
fn check_quotes(argument: &str, equals: usize) -> Result<(), Fault> {
    let value = argument[equals + 1..].trim();
    let range = argument.len() - argument[equals + 1..].trim_start().len()..argument.len();
    if value.is_empty() {
        return Err(fault(equals..equals + 1, "after `=` comes a version in quotes or a table"));
    }
    let name = argument[..equals].trim();
    let is_version = value.starts_with(|c: char| c.is_ascii_digit() || "^~<>=*".contains(c));
    if is_version && VersionReq::parse(value).is_ok() {
        return Err(fault(range, format!("a version stands in quotes: `{name} = \"{value}\"`")));
    }
    Ok(())
}

/// What a TOML parser says of an argument.
fn broken(argument: &str, error: &toml::de::Error) -> Fault {
    let range = error.span().unwrap_or(0..argument.len());
    let range = range.start.min(argument.len())..range.end.min(argument.len());
    if error.message().starts_with("unexpected key or value, expected newline") {
        let rest = argument[range.start..].trim_start();
        let message = format!("`{rest}` is too much; another dependency needs a `:dep` line of its own");
        return fault(argument.len() - rest.len()..argument.len(), message);
    }
    fault(range, error.message().lines().collect::<Vec<_>>().join(", "))
}

/// What cargo accepts as a value of a key.
enum Expected {
    Text,
    Version,
    Flag,
    Texts,
    TextOrTexts,
}

/// The keys of a dependency that cargo knows.
const KEYS: [(&str, Expected); 17] = [
    ("artifact", Expected::TextOrTexts),
    ("base", Expected::Text),
    ("branch", Expected::Text),
    ("default-features", Expected::Flag),
    ("features", Expected::Texts),
    ("git", Expected::Text),
    ("lib", Expected::Flag),
    ("optional", Expected::Flag),
    ("package", Expected::Text),
    ("path", Expected::Text),
    ("public", Expected::Flag),
    ("registry", Expected::Text),
    ("registry-index", Expected::Text),
    ("rev", Expected::Text),
    ("tag", Expected::Text),
    ("target", Expected::Text),
    ("version", Expected::Version),
];

/// A spelling that cargo once accepted, and the one that all editions accept.
const OLD_SPELLINGS: [(&str, &str); 1] = [("default_features", "default-features")];

fn modern(key: &str) -> &str {
    OLD_SPELLINGS.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

/// Checks the keys of a dependency's table; returns those that cargo ignores.
fn check_table(name: &str, table: &DeTable, range: Range<usize>) -> Result<Vec<String>, Fault> {
    let mut unused = Vec::new();
    for (key, value) in table {
        let (key, place) = (key.get_ref(), value.span());
        if key == "workspace" {
            return Err(fault(place, "a notebook is in no workspace, so `workspace` has no meaning here"));
        }
        let Some((_, expected)) = KEYS.iter().find(|(known, _)| *known == modern(key)) else {
            unused.push(key.to_string());
            continue;
        };
        let value = value.get_ref();
        let is_texts =
            || value.as_array().is_some_and(|array| array.iter().all(|item| item.get_ref().is_str()));
        let (is_right, wanted) = match expected {
            Expected::Text | Expected::Version => (value.is_str(), "a string"),
            Expected::Flag => (value.is_bool(), "`true` or `false`"),
            Expected::Texts => (is_texts(), "an array of strings, such as [\"derive\"]"),
            Expected::TextOrTexts => (value.is_str() || is_texts(), "a string or an array of strings"),
        };
        if !is_right {
            let is_list = matches!(expected, Expected::Texts | Expected::TextOrTexts) && value.is_array();
            let given = if is_list { "an array of other values" } else { kind(value) };
            return Err(fault(place, format!("`{key}` must be {wanted}, not {given}")));
        }
        if let (Expected::Version, Some(version)) = (expected, value.as_str()) {
            check_version(version, place)?;
        }
    }
    let has_source = table.keys().any(|key| matches!(key.get_ref().as_ref(), "version" | "path" | "git"));
    let message = || format!("`{name}` needs one of `version`, `path` and `git`");
    if has_source { Ok(unused) } else { Err(fault(range, message())) }
}

fn check_version(version: &str, range: Range<usize>) -> Result<(), Fault> {
    let refused = |error| fault(range, format!("`{version}` is no version requirement: {error}"));
    VersionReq::parse(version).map(drop).map_err(refused)
}

/// The table with old spellings replaced; where there are both, cargo goes by the new one.
fn normalised(mut config: Table) -> Table {
    for (old, new) in OLD_SPELLINGS {
        if let Some(value) = config.remove(old) {
            config.entry(new).or_insert(value);
        }
    }
    config
}

/// Checks that cargo accepts a name.
fn check_name(name: &str, range: Range<usize>) -> Result<(), Fault> {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    if name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_numeric() || c == '-') {
        return Ok(());
    }
    let rule = "it starts with a letter, and has letters, digits, `-` and `_` only";
    Err(fault(range, format!("`{name}` cannot be the name of a crate: {rule}")))
}

fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn fault(range: Range<usize>, message: impl Into<String>) -> Fault {
    Fault { message: message.into(), range }
}

/// What the structure of an argument in TOML is.
struct Scan {
    /// Where the comment starts, or else the end.
    end: usize,
    /// The first `=` outside of strings.
    equals: Option<usize>,
    /// The last bracket, brace or quote that is still open at the end.
    open: Option<usize>,
}

fn scan(argument: &str) -> Scan {
    let mut scan = Scan { end: argument.len(), equals: None, open: None };
    let mut open = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut is_escaped = false;
    for (at, c) in argument.char_indices() {
        match quote {
            Some((_, '"')) if is_escaped => is_escaped = false,
            Some((_, '"')) if c == '\\' => is_escaped = true,
            Some((_, end)) if c == end => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some((at, c)),
                '{' | '[' => open.push(at),
                '}' | ']' => drop(open.pop()),
                '=' => drop(scan.equals.get_or_insert(at)),
                '#' => scan.end = at,
                '/' if argument[at..].starts_with("//") => scan.end = at,
                _ => {}
            },
        }
        if scan.end == at {
            break;
        }
    }
    scan.open = quote.map(|(at, _)| at).or(open.last().copied());
    scan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(argument: &str) -> Dependency {
        Dependency::parse(argument).unwrap_or_else(|fault| panic!("{argument}: {fault}"))
    }

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        for (argument, line) in [
            ("rand", "rand = { version = \"*\" }"),
            ("\"rand\"", "rand = { version = \"*\" }"),
            ("rand = \"0.9\"", "rand = { version = \"0.9\" }"),
            ("rand='^0.9, <0.9.3'", "rand = { version = \"^0.9, <0.9.3\" }"),
            ("rand.version = \"0.9\"", "rand = { version = \"0.9\" }"),
            ("lab={path=\"lab\"}", "lab = { path = \"lab\" }"),
            ("lab = { path = 'lab' }", "lab = { path = \"lab\" }"),
            ("lab = { \"path\" = \"\"\"lab\"\"\", }", "lab = { path = \"lab\" }"),
            ("my-lab = { path = \"../a b\" }", "my-lab = { path = \"../a b\" }"),
            ("\"größe\" = { path = \"x\" }", "\"größe\" = { path = \"x\" }"),
            ("./lab", "./lab"),
            ("..", ".."),
            ("/opt/my lab", "/opt/my lab"),
            ("path/to/crate", "path/to/crate"),
        ] {
            assert_eq!(dependency(argument).to_string(), line, "{argument}");
            assert_eq!(dependency(&dependency(argument).to_string()), dependency(argument), "{argument}");
        }
    }

    #[test]
    fn a_folder_has_its_name_in_its_manifest() {
        let local = dependency("./lab");
        assert_eq!((local.name.as_deref(), local.path(), local.version()), (None, Some("./lab"), None));
    }

    #[test]
    fn values_are_those_of_their_keys_and_not_of_words_in_strings() {
        let lab = dependency("lab = { path = \"my features/lab\", features = [\"burn\"] }");
        assert_eq!((lab.path(), lab.features()), (Some("my features/lab"), vec!["burn"]));
        let lab = dependency("lab = { features = ['path = \"b\"', \"a, b\"], path = 'features = [\"x\"]' }");
        assert_eq!(lab.path(), Some("features = [\"x\"]"));
        assert_eq!(lab.features(), ["path = \"b\"", "a, b"]);
        let renamed = dependency("lab = { package = \"rand\", version = \"1\", default-features = false }");
        assert_eq!((renamed.package(), renamed.version()), (Some("rand"), Some("1")));
        assert!(!renamed.default_features() && dependency("rand").default_features());
        assert_eq!(dependency("rand").package(), Some("rand"));
    }

    #[test]
    fn spellings_that_cargo_accepted_once_become_those_of_today() {
        let plotters = "plotters = { version = \"^0.3.0\", default_features = false, \
                        features = [\"evcxr\", \"all_series\"] }";
        let plotters = dependency(plotters);
        assert!(!plotters.default_features());
        assert_eq!(
            plotters.to_string(),
            "plotters = { default-features = false, features = [\"evcxr\", \"all_series\"], version = \"^0.3.0\" }"
        );
        let both = dependency("a = { version = \"1\", default_features = false, default-features = true }");
        assert!(both.default_features() && both.config.get("default_features").is_none());
    }

    #[test]
    fn keys_that_cargo_ignores_are_named() {
        assert_eq!(dependency("a = { version = \"1\", feature = [\"x\"] }").unused, ["feature"]);
        assert_eq!(dependency("a = { version = \"1\", default_features = false }").unused, [""; 0]);
    }

    #[test]
    fn comments_end_an_argument_unless_they_are_in_a_string() {
        for (argument, without) in [
            ("rand // 1", "rand "),
            ("rand// 1", "rand"),
            ("rand # 1", "rand "),
            ("rand = \"1\" // = {", "rand = \"1\" "),
            ("rand = \"1\"# \"", "rand = \"1\""),
            ("a = { git = \"https://b/c#d\" } # e", "a = { git = \"https://b/c#d\" } "),
            ("a = { path = 'C:\\' } // '", "a = { path = 'C:\\' } "),
            ("a = { path = \"\\\" // \" }", "a = { path = \"\\\" // \" }"),
            ("./lab // here", "./lab "),
            ("./lab#1", "./lab#1"),
            ("// rand", ""),
            ("# rand", ""),
        ] {
            assert_eq!(without_comment(argument), without, "{argument}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_its_place() {
        for (argument, place, message) in [
            ("", "", "`:dep` names no crate; an example is `:dep regex = \"1\"`"),
            ("rand = 0.9", "0.9", "a version stands in quotes: `rand = \"0.9\"`"),
            ("rand = ^0.9.3", "^0.9.3", "a version stands in quotes: `rand = \"^0.9.3\"`"),
            ("rand =", "=", "after `=` comes a version in quotes or a table"),
            ("rand = true", "true", "after `rand =` comes a version in quotes or a table, not a truth value"),
            ("rand@0.9", "rand@0.9", "a version is written `:dep rand = \"0.9\"`"),
            (
                "https://a/b # c",
                "https://a/b",
                "a repository is written `:dep name = { git = \"https://a/b\" }`",
            ),
            (
                "a = { version = \"1\", features = [1] }",
                "[1]",
                "`features` must be an array of strings, such as [\"derive\"], not an array of other values",
            ),
            ("rand serde", "serde", "`serde` after the name `rand`: only `= …` or another line may follow"),
            ("rand = { version = \"1\"", "{", "`{` is not closed in this line, and a command is one line"),
            ("rand = \"1", "\"", "`\"` is not closed in this line, and a command is one line"),
            (
                "rand = \"latest\"",
                "\"latest\"",
                "`latest` is no version requirement: unexpected character 'l' while parsing major version number",
            ),
            ("a = { version = 1 }", "1", "`version` must be a string, not a number"),
            (
                "a = { version = \"1\", features = \"x\" }",
                "\"x\"",
                "`features` must be an array of strings, such as [\"derive\"], not a string",
            ),
            (
                "a = { version = \"1\", default_features = \"no\" }",
                "\"no\"",
                "`default_features` must be `true` or `false`, not a string",
            ),
            ("a = { features = [] }", "{ features = [] }", "`a` needs one of `version`, `path` and `git`"),
            (
                "a = { workspace = true }",
                "true",
                "a notebook is in no workspace, so `workspace` has no meaning here",
            ),
            (
                "1st = \"1\"",
                "1st",
                "`1st` cannot be the name of a crate: it starts with a letter, and has letters, digits, `-` and `_` only",
            ),
            (
                "a!",
                "a!",
                "`a!` cannot be the name of a crate: it starts with a letter, and has letters, digits, `-` and `_` only",
            ),
            (
                "./a = \"1\"",
                "= \"1\"",
                "after a folder nothing may follow; to say more, write `name = { path = \"…\", … }`",
            ),
            ("a = { version \"1\" }", "", "missing assignment between key-value pairs, expected `=`"),
            ("a = { version = \"1\", version = \"2\" }", "version", "duplicate key"),
            (
                "a = \"1\" b = \"2\"",
                "b = \"2\"",
                "`b = \"2\"` is too much; another dependency needs a `:dep` line of its own",
            ),
        ] {
            let fault = Dependency::parse(argument).expect_err(argument);
            assert_eq!((&argument[fault.range.clone()], &*fault.message), (place, message), "{argument}");
            assert!(!fault.message.contains('\n'), "{argument}");
        }
    }
}
