//! The folder of an environment: its path and key, the package that is built in it, and the result of the build.

use super::Environment;
use crate::cuda::Cuda;
use crate::files;
use crate::lab::Lab;
use crate::lock_file;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The versions of the dependencies that this program was tested with.
const CARGO_LOCK: &str = include_str!("../../../../Cargo.lock");

/// The manifest of the package that depends on `lab`, with `FEATURES` in the place of the list of features. Cells are compiled
/// with opt-level 2 and debug assertions; the crates that they call are compiled to be as fast as possible.
const MANIFEST: &str = r#"[package]
name = "warm"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
lab = { path = "../lab", features = FEATURES }

[profile.dev]
opt-level = 3
debug = false
debug-assertions = false
overflow-checks = false
incremental = false

[workspace]
"#;

/// The folder for one toolchain and one set of dependencies. All versions of `lab` share it, with all their features, so that
/// what they have in common is compiled once.
pub struct Home {
    pub root: PathBuf,
    /// The digest of the sources of `lab`.
    lab: String,
    features: BTreeSet<String>,
    pub cuda: Option<Cuda>,
}

impl Home {
    /// The folder below `environments` in which this `lab` is built.
    pub fn of(environments: &Path, toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Self> {
        let versions = lock_file::versions(CARGO_LOCK, "lab")?;
        let mut parts = vec![versions, MANIFEST.to_owned(), lab.manifest()?, toolchain.version.clone()];
        parts.extend(cuda.map(Cuda::identity));
        let key = files::digest(parts.iter().map(String::as_bytes));
        let root = environments.join(key);
        Ok(Self { root, lab: lab.digest(), features: lab.features.clone(), cuda: cuda.cloned() })
    }

    /// A name for this set of features: `name`, followed by the features.
    fn with_features(&self, name: &str) -> String {
        [name].into_iter().chain(self.features.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
    }

    /// The folder of the package to build.
    pub fn package(&self) -> PathBuf {
        self.root.join(self.with_features("warm"))
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The folder of the finished library.
    fn labs(&self) -> PathBuf {
        self.root.join("labs").join(self.with_features(&self.lab))
    }

    fn manifest(&self) -> String {
        let features = self.features.iter().map(String::as_str).chain(self.cuda.as_ref().map(|_| "cuda"));
        let features: toml::Value = features.collect::<Vec<_>>().into();
        MANIFEST.replace("FEATURES", &features.to_string())
    }

    /// The environment that was built here, if it is complete.
    pub fn ready(&self) -> Option<Environment> {
        let description = fs::read(self.labs().join("environment.json")).ok()?;
        let environment: Environment = serde_json::from_slice(&description).ok()?;
        environment.is_whole().then_some(environment)
    }

    /// Writes the sources of `lab` and of the package that depends on it.
    pub fn write_package(&self, lab: &Lab) -> Result<()> {
        lab.write_to(&self.root.join("lab"))?;
        let package = self.package();
        files::write(&package.join("Cargo.toml"), self.manifest())?;
        files::write(&package.join("lib.rs"), "pub use lab;\n")?;
        if !package.join("Cargo.lock").exists() {
            files::write(&package.join("Cargo.lock"), CARGO_LOCK)?;
        }
        Ok(())
    }

    /// Copies the library to a place where no later build overwrites it, and writes the description of the environment.
    pub fn finish(&self, Built { library, native }: Built, toolchain: &Toolchain) -> Result<Environment> {
        let folder = self.labs();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let copy = folder.join(library.file_name().context("the library has no name")?);
        files::copy(&library, &copy)?;
        let target = self.target();
        let environment = Environment {
            size: fs::metadata(&copy)?.len(),
            library: copy,
            dependencies: vec![target.join(&toolchain.host).join("debug/deps"), target.join("debug/deps")],
            native,
            package: self.package(),
            lab: self.lab.clone(),
            features: self.features.clone(),
        };
        files::write(&folder.join("environment.json"), serde_json::to_string_pretty(&environment)?)?;
        Ok(environment)
    }
}

/// The result of a build.
pub struct Built {
    /// The shared library of `lab`.
    pub library: PathBuf,
    /// The folders of the native libraries that it needs, in the form of rustc's option `-L`.
    pub native: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(features: &[&str]) -> Home {
        let toolchain =
            Toolchain::find().unwrap_or_else(|error| panic!("these tests need a toolchain: {error:#}"));
        let features = features.iter().map(|feature| (*feature).to_owned()).collect();
        Home::of(Path::new("/environments"), &toolchain, None, &Lab::embedded().with(features)).unwrap()
    }

    #[test]
    fn features_share_what_is_compiled_and_have_packages_and_results_of_their_own() {
        let (plain, both) = (home(&[]), home(&["two", "one"]));
        assert_eq!(plain.root, both.root);
        assert!(plain.package().ends_with("warm") && both.package().ends_with("warm-one-two"));
        assert_eq!(both.labs(), plain.root.join("labs").join(format!("{}-one-two", plain.lab)));
    }

    #[test]
    fn the_manifest_lists_the_features_whatever_their_names() {
        let features = |home: &Home| -> toml::Value {
            let manifest: toml::Table = toml::from_str(&home.manifest()).unwrap();
            manifest["dependencies"]["lab"]["features"].clone()
        };
        assert_eq!(features(&home(&[])), Vec::<&str>::new().into());
        let names = ["a\u{7f}b", "one", "two"];
        assert_eq!(features(&home(&names)), names.to_vec().into());
    }

    #[test]
    fn an_environment_is_ready_when_all_of_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { root: folder.path().to_owned(), ..home(&["burn"]) };
        assert!(home.ready().is_none());
        let built = folder.path().join("liblab.so");
        fs::write(&built, "library").unwrap();
        let toolchain = Toolchain::find().unwrap();
        let environment =
            home.finish(Built { library: built.clone(), native: Vec::new() }, &toolchain).unwrap();
        assert!(environment.lab_library().starts_with(home.labs()), "{environment:?}");
        assert!(home.ready().is_none(), "the dependencies are not there");
        for dependencies in
            [home.target().join("debug/deps"), home.target().join(&toolchain.host).join("debug/deps")]
        {
            fs::create_dir_all(dependencies).unwrap();
        }
        let ready = home.ready().unwrap();
        assert!(ready.serves(&Lab::embedded().with(["burn".to_owned()].into())));
        fs::write(ready.lab_library(), "libr").unwrap();
        assert!(home.ready().is_none(), "the library is cut short");
    }
}
