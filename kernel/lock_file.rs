//! cargo's lock file.

use std::collections::BTreeSet;

/// The part of a lock file that concerns a package: a new version elsewhere is no reason to compile it again.
pub fn versions(lock: &str, package: &str) -> String {
    let entries: Vec<&str> = lock.split("\n\n").filter(|entry| entry.starts_with("[[package]]")).collect();
    let field = |entry: &str, field: &str| -> Option<String> {
        let line = entry.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let mut wanted = vec![package.to_owned()];
    let mut next = 0;
    let mut versions = BTreeSet::new();
    while next < wanted.len() {
        // A dependency reads `name`, or `name version` where there are several.
        let (name, version) =
            wanted[next].split_once(' ').map_or((wanted[next].clone(), None), |(name, version)| {
                (name.to_owned(), Some(version.to_owned()))
            });
        next += 1;
        let of_name = entries.iter().filter(|entry| field(entry, "name").as_deref() == Some(&name));
        for entry in of_name.filter(|entry| version.is_none() || field(entry, "version") == version) {
            if versions.insert(*entry) {
                let dependencies = entry.lines().filter_map(|line| line.trim().strip_prefix('"'));
                wanted.extend(dependencies.map(|line| line.trim_end_matches([',', '"']).to_owned()));
            }
        }
    }
    versions.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_versions_that_a_package_needs_count() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n \"b 2\",\n \"c\",\n]\n\n\
                    [[package]]\nname = \"b\"\nversion = \"1\"\n\n[[package]]\nname = \"b\"\nversion = \"2\"\n\n\
                    [[package]]\nname = \"c\"\nversion = \"3\"\n\n[[package]]\nname = \"other\"\nversion = \"4\"\n";
        let found = versions(lock, "a");
        assert_eq!(found.matches("[[package]]").count(), 3);
        assert!(found.contains("name = \"b\"\nversion = \"2\"") && !found.contains("other"));
        assert!(
            versions(include_str!("../Cargo.lock"), "lab")
                .contains("name = \"candle-core\"\nversion = \"0.11.1\"")
        );
    }
}
