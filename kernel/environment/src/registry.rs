//! What cargo has downloaded from registries, which can be had again without a network.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the packages that this user's cargo has downloaded.
pub fn downloaded() -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    home.map_or_else(Vec::new, |home| packages(&home.join("registry/cache")))
}

/// The names of the packages in the cache of registries, which has a folder for each registry.
fn packages(cache: &Path) -> Vec<String> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries(cache).flat_map(|registry| entries(&registry.path()));
    let names = files.filter_map(|file| Some(name(file.file_name().to_str()?)?.to_owned()));
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

/// The name of the package in a file: `serde_json` of `serde_json-1.0.145.crate`.
fn name(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".crate")?;
    let is_version = |text: &str| {
        let part = text.split('-').next().unwrap_or_default();
        part.contains('.') && part.starts_with(|c: char| c.is_ascii_digit())
    };
    let (at, _) = stem.match_indices('-').find(|(at, _)| is_version(&stem[at + 1..]))?;
    Some(&stem[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_listed_once_by_their_names() {
        let cache = tempfile::tempdir().unwrap();
        for file in [
            "one/serde_json-1.0.145.crate",
            "one/md-5-0.10.6.crate",
            "two/serde_json-1.0.2.crate",
            "two/x.tmp",
        ] {
            let file = cache.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        assert_eq!(packages(cache.path()), ["md-5", "serde_json"]);
    }

    #[test]
    fn a_version_is_cut_off_and_nothing_else() {
        for (file, expected) in [
            ("serde_json-1.0.145.crate", Some("serde_json")),
            ("md-5-0.10.6.crate", Some("md-5")),
            ("winapi-x86_64-pc-windows-gnu-0.4.0.crate", Some("winapi-x86_64-pc-windows-gnu")),
            ("a-1.0.0-alpha.3.crate", Some("a")),
            ("a.crate", None),
            ("a-1.0.0.tar", None),
        ] {
            assert_eq!(name(file), expected, "{file}");
        }
    }
}
