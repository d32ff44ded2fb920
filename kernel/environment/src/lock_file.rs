//! Reads cargo's lock file.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "package")]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    checksum: String,
    /// Each is `name`, or `name version` if there are several versions, or `name version (source)`.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Package {
    /// Whether an entry in a list of dependencies refers to this package.
    fn is_meant_by(&self, dependency: &str) -> bool {
        let mut parts = dependency.split(' ');
        parts.next() == Some(&self.name) && parts.next().is_none_or(|version| version == self.version)
    }
}

/// The part of a lock file that concerns a package: a line `name version checksum` for it and for each of its direct and
/// indirect dependencies. New versions of other packages are no reason to compile it again.
///
/// # Errors
/// When the text is not a lock file.
pub fn versions(lock: &str, package: &str) -> Result<String> {
    let LockFile { packages } = toml::from_str(lock).context("this is not a lock file of cargo")?;
    let mut wanted = vec![package];
    let mut found = BTreeSet::new();
    while let Some(next) = wanted.pop() {
        for package in packages.iter().filter(|package| package.is_meant_by(next)) {
            if found.insert([package.name.as_str(), &package.version, &package.checksum]) {
                wanted.extend(package.dependencies.iter().map(String::as_str));
            }
        }
    }
    Ok(found.into_iter().map(|package| package.join(" ").trim_end().to_owned() + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_versions_that_a_package_needs_count() {
        let lock = r#"
            version = 4
            [[package]]
            name = "a"
            version = "1"
            dependencies = ["b 2", "c", "d 4 (registry+https://example.com)"]
            [[package]]
            name = "b"
            version = "1"
            [[package]]
            name = "b"
            version = "2"
            checksum = "abc"
            [[package]]
            name = "c"
            version = "3"
            dependencies = ["a"]
            [[package]]
            name = "d"
            version = "4"
            [[package]]
            name = "d"
            version = "5"
            [[package]]
            name = "other"
            version = "6"
        "#;
        assert_eq!(versions(lock, "a").unwrap(), "a 1\nb 2 abc\nc 3\nd 4\n");
        assert!(versions("[[package", "a").is_err());
    }

    #[test]
    fn the_lock_file_of_this_repository_names_what_lab_needs() {
        let found = versions(include_str!("../../../Cargo.lock"), "lab").unwrap();
        assert!(found.contains("\ncandle-core 0.11.1 "), "{found}");
        assert!(!found.contains("\nevcxr "), "the kernel's own dependencies are none of `lab`");
    }
}
