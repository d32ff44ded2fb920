//! The cargo project that a local crate belongs to.
//!
//! Cargo takes patches and locked versions only from the root of the workspace that it builds, which for a set is a package
//! that taper generates. So that a crate is compiled as in its own project, both are copied from there.

use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use cargo_metadata::semver::Version;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What counts only at the root of a workspace.
#[derive(Default)]
pub struct Project {
    /// The table `[patch]`, with absolute paths.
    pub patches: Table,
    /// The text of `Cargo.lock`, if there is one.
    pub lock: Option<String>,
}

impl Project {
    /// The project of the crate in a folder.
    ///
    /// # Errors
    /// When its manifest cannot be parsed.
    pub fn of(folder: &Path, toolchain: &Toolchain) -> Result<Self> {
        // If cargo finds no project, the build will say why.
        let Some(manifest) = root(folder, toolchain) else { return Ok(Self::default()) };
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let parsed: Table = text.parse().with_context(|| manifest.display().to_string())?;
        let patches = parsed.get("patch").and_then(Value::as_table).cloned().unwrap_or_default();
        let root = manifest.parent().context("a manifest is in a folder")?;
        let lock = fs::read_to_string(root.join("Cargo.lock")).ok();
        Ok(Self { patches: with_absolute_paths(patches, root), lock })
    }

    /// Adds its patches to those of a manifest.
    ///
    /// # Errors
    /// When the manifest patches the same crate in another way.
    pub fn patch(&self, manifest: &mut Table) -> Result<()> {
        for (registry, crates) in &self.patches {
            let all = manifest.entry("patch").or_insert_with(|| Table::new().into());
            let all = all.as_table_mut().context("`patch` is a table")?;
            let patched = all.entry(registry).or_insert_with(|| Table::new().into());
            let patched = patched.as_table_mut().context("`patch` has a table for each registry")?;
            for (name, patch) in crates.as_table().into_iter().flatten() {
                if patched.insert(name.clone(), patch.clone()).is_some_and(|other| other != *patch) {
                    bail!(
                        "two of your crates patch `{name}` in different ways, so they cannot be used together"
                    );
                }
            }
        }
        Ok(())
    }
}

/// The manifest of the workspace that the crate in a folder belongs to.
fn root(folder: &Path, toolchain: &Toolchain) -> Option<PathBuf> {
    let mut command = toolchain.cargo(folder);
    command.args(["locate-project", "--workspace", "--message-format", "plain"]);
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
}

fn with_absolute_paths(mut patches: Table, root: &Path) -> Table {
    let crates = patches.iter_mut().filter_map(|(_, crates)| crates.as_table_mut());
    for (_, patch) in crates.flat_map(Table::iter_mut) {
        if let Some(Value::String(path)) = patch.get_mut("path") {
            *path = root.join(&*path).to_string_lossy().into_owned();
        }
    }
    patches
}

/// A lock file with the versions that a project has locked, except of packages that `lab` has in a compatible version, since
/// those are compiled already. `labs` are the packages of `lab`, as in [`lock_file::versions`](crate::lock_file::versions).
///
/// # Errors
/// When one of the texts is not a lock file.
pub fn with_locked(lock: &str, project: &str, labs: &str) -> Result<String> {
    let mut lock = parse(lock)?;
    let project = parse(project)?;
    let lab_has = |(name, _, compatible): Locked| {
        labs.lines().any(|line| {
            let mut words = line.split(' ');
            words.next() == Some(name) && words.next().and_then(compatible_part) == Some(compatible)
        })
    };
    let is_own = |package: &&Value| locked(package).is_some_and(|package| !lab_has(package));
    let own: Vec<&Value> = packages(&project).filter(is_own).collect();
    let all = lock.entry("package").or_insert_with(|| Vec::<Value>::new().into());
    let all = all.as_array_mut().context("`package` is an array")?;
    all.retain(|package| own.iter().all(|own| locked(own) != locked(package)));
    all.extend(own.into_iter().cloned());
    Ok(lock.to_string())
}

fn parse(lock: &str) -> Result<Table> {
    lock.parse().context("this is not a lock file of cargo")
}

fn packages(lock: &Table) -> impl Iterator<Item = &Value> {
    lock.get("package").and_then(Value::as_array).into_iter().flatten()
}

/// The name of a package, where it comes from, and the part of its version in which compatible versions agree.
type Locked<'a> = (&'a str, &'a str, (u64, u64, u64));

/// `None` for a package in a folder, which has no locked version, and for one without a checksum, which cargo would reject.
fn locked(package: &Value) -> Option<Locked<'_>> {
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    let (name, source, compatible) = (text("name")?, text("source")?, compatible_part(text("version")?)?);
    let is_known = source.starts_with("git+") || text("checksum").is_some();
    // The fragment of a Git source is the commit.
    is_known.then_some((name, source.split('#').next().unwrap_or(source), compatible))
}

/// The part of a version in which compatible versions agree.
fn compatible_part(version: &str) -> Option<(u64, u64, u64)> {
    Some(match Version::parse(version).ok()? {
        Version { major: 0, minor: 0, patch, .. } => (0, 0, patch),
        Version { major: 0, minor, .. } => (0, minor, 0),
        Version { major, .. } => (major, 0, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> String {
        let entry = |(name, version): &(&str, &str)| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+x\"\nchecksum = \"0\"\n"
            )
        };
        let local = "[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        format!("version = 4\n{}{local}", packages.iter().map(entry).collect::<String>())
    }

    #[test]
    fn locked_versions_are_those_of_lab_then_of_the_project_then_the_present_ones() {
        let present = lock(&[("a", "1.2.0"), ("b", "0.1.5"), ("b", "0.2.0"), ("c", "1.0.0")]);
        let project = lock(&[("a", "1.1.0"), ("b", "0.1.1"), ("d", "2.0.0")]);
        let merged = parse(&with_locked(&present, &project, "a 1.2.0 0\nb 0.3.1 0\n").unwrap()).unwrap();
        let mut found: Vec<_> = packages(&merged).filter(|package| package.get("source").is_some()).collect();
        found.sort_by_key(|package| package["name"].to_string() + &package["version"].to_string());
        let found = found
            .iter()
            .map(|package| (package["name"].as_str().unwrap(), package["version"].as_str().unwrap()));
        let expected = [("a", "1.2.0"), ("b", "0.1.1"), ("b", "0.2.0"), ("c", "1.0.0"), ("d", "2.0.0")];
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!(packages(&merged).count(), 6, "the package in a folder stays, and is there once");
    }

    #[test]
    fn patches_are_those_of_the_workspace_with_absolute_paths() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let member = root.join("member");
        fs::create_dir_all(member.join("src")).unwrap();
        fs::write(member.join("src/lib.rs"), "").unwrap();
        let patch =
            "[patch.crates-io]\nhex = { path = \"../hex\" }\nurl = { git = \"https://example.com\" }\n";
        fs::write(root.join("Cargo.toml"), format!("[workspace]\nmembers = [\"member\"]\n{patch}")).unwrap();
        fs::write(member.join("Cargo.toml"), "[package]\nname = \"member\"\nedition = \"2024\"\n").unwrap();
        let project = Project::of(&member, &Toolchain::find().unwrap()).unwrap();
        let mut manifest = Table::new();
        project.patch(&mut manifest).unwrap();
        let patched = &manifest["patch"]["crates-io"];
        assert_eq!(patched["hex"]["path"].as_str(), root.join("../hex").to_str());
        assert_eq!(patched["url"]["git"].as_str(), Some("https://example.com"));
        assert!(project.lock.is_none());
        project.patch(&mut manifest).unwrap();
        let mut other = project;
        other.patches["crates-io"]["hex"] = "2".into();
        assert_eq!(
            other.patch(&mut manifest).unwrap_err().to_string(),
            "two of your crates patch `hex` in different ways, so they cannot be used together"
        );
    }
}
