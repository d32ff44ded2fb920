//! Compiled crates, and whether they satisfy what a cell asks for.

use cargo_metadata::semver::{Version, VersionReq};
use cargo_metadata::{Artifact, TargetKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use toml::Value;

/// A crate that has been compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crate {
    /// cargo's [identifier](https://doc.rust-lang.org/cargo/reference/pkgid-spec.html) of the package.
    pub id: String,
    /// The features that it was compiled with.
    features: BTreeSet<String>,
    /// The file for the compiler's `--extern`: an `.rlib`, or the shared library of a procedural macro.
    pub file: PathBuf,
    /// Whether it is a procedural macro, which the compiler loads but nothing links.
    pub is_macro: bool,
    /// Whether its build script has compiled a library that is written in another language.
    #[serde(default)]
    pub has_native: bool,
}

impl Crate {
    /// The crate of an artifact that cargo reports. `None` if cells cannot use it.
    pub fn of(artifact: &Artifact, has_native: bool) -> Option<Self> {
        let is_macro = artifact.target.kind.contains(&TargetKind::ProcMacro);
        let extension = if is_macro { std::env::consts::DLL_EXTENSION } else { "rlib" };
        let file = artifact.filenames.iter().find(|file| file.extension() == Some(extension))?;
        Some(Self {
            id: artifact.package_id.repr.clone(),
            features: artifact.features.iter().cloned().collect(),
            file: file.clone().into_std_path_buf(),
            is_macro,
            has_native,
        })
    }

    /// A crate without features.
    #[cfg(test)]
    pub fn for_test(id: &str, file: &std::path::Path) -> Self {
        Self {
            id: id.into(),
            features: BTreeSet::new(),
            file: file.to_owned(),
            is_macro: false,
            has_native: false,
        }
    }

    /// Whether it comes from a registry, rather than from a folder or a Git repository.
    fn is_from_registry(&self) -> bool {
        self.id.starts_with("registry+")
    }

    /// Whether it is a path dependency, whose sources may change.
    pub fn is_local(&self) -> bool {
        self.id.starts_with("path+")
    }

    /// The folder of its package, if it is local.
    pub fn folder(&self) -> Option<PathBuf> {
        let url = self.id.strip_prefix("path+")?;
        super::sources::folder(url.split('#').next()?)
    }

    /// The crate's name in code.
    pub fn name(&self) -> Option<&str> {
        let stem = self.file.file_stem()?.to_str()?;
        let name = stem.strip_prefix("lib").unwrap_or(stem);
        Some(name.rsplit_once('-').map_or(name, |(name, _)| name))
    }

    /// The name of its package.
    pub fn package(&self) -> Option<&str> {
        self.name_and_version().map(|(name, _)| name)
    }

    /// The name of its package, and its version.
    pub fn name_and_version(&self) -> Option<(&str, Version)> {
        let (_, name) = self.id.rsplit_once('#')?;
        let (name, version) = name.split_once('@')?;
        Some((name, Version::parse(version).ok()?))
    }

    /// Its version, if it satisfies a line of `[dependencies]`. `None` also in doubtful cases, which are left to cargo.
    pub fn version_for(&self, name: &str, config: &Value) -> Option<Version> {
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        let known = ["version", "features", "default-features", "package"];
        if !self.is_from_registry()
            || config.as_table().is_some_and(|table| table.keys().any(|key| !known.contains(&key.as_str())))
        {
            return None;
        }
        let wanted = VersionReq::parse(config.as_str().or(text("version"))?).ok()?;
        let (package, version) = self.name_and_version()?;
        let features = config.get("features").and_then(Value::as_array);
        let mut features: Vec<&str> = features.into_iter().flatten().filter_map(Value::as_str).collect();
        if config.get("default-features").and_then(Value::as_bool) != Some(false) {
            features.push("default");
        }
        let has_all = features.iter().all(|feature| self.features.contains(*feature));
        (package == text("package").unwrap_or(name) && wanted.matches(&version) && has_all).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rand() -> Crate {
        Crate {
            id: "registry+https://example.com/index#rand@0.9.5".into(),
            features: ["default", "std"].map(str::to_owned).into(),
            file: "librand.rlib".into(),
            is_macro: false,
            has_native: false,
        }
    }

    fn is_served(line: &str) -> bool {
        let table: toml::Table = line.parse().unwrap();
        let (name, config) = table.iter().next().unwrap();
        rand().version_for(name, config).is_some()
    }

    #[test]
    fn a_crate_serves_compatible_versions_with_no_more_features() {
        for line in [
            "rand = \"0.9\"",
            "rand = \"*\"",
            "rand = { version = \"0.9.1\", features = [\"std\"] }",
            "rand = { version = \"0.9\", default-features = false }",
            "dice = { version = \"0.9\", package = \"rand\" }",
        ] {
            assert!(is_served(line), "{line}");
        }
        for line in [
            "rand = \"0.8\"",
            "rand = \"=0.9.4\"",
            "rand = { version = \"0.9\", features = [\"small_rng\"] }",
            "rand = { version = \"0.9\", path = \"rand\" }",
            "rand = { git = \"https://example.com/rand\" }",
            "rand_core = \"0.9\"",
        ] {
            assert!(!is_served(line), "{line}");
        }
        let without_defaults = Crate { features: BTreeSet::new(), ..rand() };
        assert!(without_defaults.version_for("rand", &"0.9".into()).is_none());
    }
}
