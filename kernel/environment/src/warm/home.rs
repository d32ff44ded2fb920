//! The folder of an environment: where it is, what is written there to be built, and what is left there of the build.

use super::Environment;
use super::build::Built;
use crate::cuda::Cuda;
use crate::files;
use crate::lab::Lab;
use crate::lock_file;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The versions that this program was tested with.
const CARGO_LOCK: &str = include_str!("../../../../Cargo.lock");

/// The package whose build compiles `lab`, but for the list of its features. Cells are compiled with opt-level 2 and debug
/// assertions; what they call should be as fast as it can be.
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

/// The folder for one toolchain and one set of dependencies. Different versions of `lab` share it, with whichever of its
/// features: what they have in common is compiled once.
pub struct Home {
    pub root: PathBuf,
    /// The digest of the sources of `lab`.
    lab: String,
    features: BTreeSet<String>,
    pub cuda: Option<Cuda>,
}

impl Home {
    /// The one below `environments` in which this `lab` is built.
    pub fn of(environments: &Path, toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Self> {
        let versions = lock_file::versions(CARGO_LOCK, "lab")?;
        let mut parts = vec![versions, MANIFEST.to_owned(), toolchain.version.clone()];
        parts.extend(lab.manifests()?.map(|(path, text)| format!("{}\n{text}", path.display())));
        parts.extend(cuda.map(Cuda::identity));
        let key = files::digest(parts.iter().map(String::as_bytes));
        let root = environments.join(key);
        Ok(Self { root, lab: lab.digest(), features: lab.features.clone(), cuda: cuda.cloned() })
    }

    /// `name`, and the features after it.
    fn with_features(&self, name: &str) -> String {
        [name].into_iter().chain(self.features.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
    }

    /// The folder of the package to build.
    pub fn package(&self) -> PathBuf {
        self.root.join(self.with_features("warm"))
    }

    /// Where cargo builds it.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The folder of the result.
    fn labs(&self) -> PathBuf {
        self.root.join("labs").join(self.with_features(&self.lab))
    }

    fn manifest(&self) -> String {
        let features = self.features.iter().map(String::as_str).chain(self.cuda.as_ref().map(|_| "cuda"));
        let features: toml::Value = features.collect::<Vec<_>>().into();
        MANIFEST.replace("FEATURES", &features.to_string())
    }

    /// What was built there, if it is complete.
    pub fn ready(&self) -> Option<Environment> {
        let description = fs::read(self.labs().join("environment.json")).ok()?;
        let environment: Environment = serde_json::from_slice(&description).ok()?;
        environment.is_whole().then_some(environment)
    }

    /// Writes what is to be built.
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

    /// Copies the library, and the compiled crates that lie in the folder of `lab`, to where no later build writes, and
    /// writes down that they are there.
    pub fn finish(&self, built: Built, toolchain: &Toolchain) -> Result<Environment> {
        let Built { library, crates, native } = built;
        let folder = self.labs();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut sizes = BTreeMap::new();
        let mut copy = |file: &Path| -> Result<PathBuf> {
            let copy = folder.join(file.file_name().context("a compiled file has no name")?);
            files::copy(file, &copy)?;
            sizes.insert(copy.clone(), fs::metadata(&copy)?.len());
            Ok(copy)
        };
        let library = copy(&library)?;
        crates.iter().try_for_each(|file| copy(file).map(drop))?;
        let target = self.target();
        let compiled = [target.join(&toolchain.host).join("debug/deps"), target.join("debug/deps")];
        let environment = Environment {
            library,
            sizes,
            dependencies: [folder.clone()].into_iter().chain(compiled).collect(),
            native,
            package: self.package(),
            lab: self.lab.clone(),
            features: self.features.clone(),
        };
        files::write(&folder.join("environment.json"), serde_json::to_string_pretty(&environment)?)?;
        Ok(environment)
    }
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
    fn the_key_depends_on_what_each_crate_of_lab_depends_on() {
        let folder = tempfile::tempdir().unwrap();
        Lab::embedded().write_to(folder.path()).unwrap();
        let toolchain = Toolchain::find().unwrap();
        let root = || {
            let lab = Lab::in_folder(folder.path()).unwrap();
            Home::of(Path::new("/environments"), &toolchain, None, &lab).unwrap().root
        };
        let before = root();
        assert_eq!(before, home(&[]).root);
        fs::write(folder.path().join("ops/src/more.rs"), "").unwrap();
        assert_eq!(root(), before, "sources alone need no other dependencies");
        let manifest = folder.path().join("ops/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, text + "hound = \"3\"\n").unwrap();
        assert_ne!(root(), before);
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
        let [library, ops] = ["liblab.so", "libops-1.rlib"].map(|name| folder.path().join(name));
        fs::write(&library, "library").unwrap();
        fs::write(&ops, "ops").unwrap();
        let toolchain = Toolchain::find().unwrap();
        let built = Built { library, crates: vec![ops.clone()], native: Vec::new() };
        let environment = home.finish(built, &toolchain).unwrap();
        // The next `lab` has another one by this name.
        fs::write(ops, "other ops").unwrap();
        assert!(environment.lab_library().starts_with(home.labs()), "{environment:?}");
        assert!(home.ready().is_none(), "the dependencies are not there");
        for dependencies in
            [home.target().join("debug/deps"), home.target().join(&toolchain.host).join("debug/deps")]
        {
            fs::create_dir_all(dependencies).unwrap();
        }
        let ready = home.ready().unwrap();
        assert!(ready.serves(&Lab::embedded().with(["burn".to_owned()].into())));
        let copy = home.labs().join("libops-1.rlib");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "ops");
        assert!(ready.rustflags().contains(&format!("-Ldependency={}\u{1f}", home.labs().display())));
        fs::remove_file(&copy).unwrap();
        assert!(home.ready().is_none(), "a crate that the library is made of is missing");
        fs::write(&copy, "ops").unwrap();
        assert!(home.ready().is_some());
        fs::write(ready.lab_library(), "libr").unwrap();
        assert!(home.ready().is_none(), "the library is cut short");
    }
}
