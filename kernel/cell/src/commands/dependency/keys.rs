//! The keys of a dependency's table, and what cargo accepts as their values.

use super::{check_version, describe_kind, fault};
use crate::commands::Fault;
use std::ops::Range;
use toml::Table;
use toml::de::DeTable;

/// The type of value that cargo accepts for a key.
enum Expected {
    Text,
    /// Text that is a version requirement.
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

/// Spellings that only older editions accept, each with the one that all editions accept.
const OLD_SPELLINGS: [(&str, &str); 1] = [("default_features", "default-features")];

fn modern(key: &str) -> &str {
    OLD_SPELLINGS.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

/// Checks the keys of a dependency's table. Returns the keys that cargo does not know.
pub fn check_table(name: &str, table: &DeTable, range: Range<usize>) -> Result<Vec<String>, Fault> {
    let mut unused = Vec::new();
    for (key, value) in table {
        let (key, place) = (key.get_ref(), value.span());
        if key == "workspace" {
            return Err(fault(
                place,
                "`workspace` has no meaning here: a notebook is not part of a workspace",
            ));
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
            let given = if is_list { "an array of other values" } else { describe_kind(value) };
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

/// The table with its old spellings replaced. Where both are present, cargo uses the new one.
pub fn normalised(mut config: Table) -> Table {
    for (old, new) in OLD_SPELLINGS {
        if let Some(value) = config.remove(old) {
            config.entry(new).or_insert(value);
        }
    }
    config
}
