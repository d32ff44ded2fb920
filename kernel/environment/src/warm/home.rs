//! The folder of an environment: its path and key, the package that is built in it, and the result of the build.

use super::Environment;
use super::build::{Built, Orders, Progress};
use crate::cuda::Cuda;
use crate::files;
use crate::lab::Lab;
use crate::lock_file;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often to look whether another build has ended.
const INTERVAL: Duration = Duration::from_millis(200);

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
taper-common = { path = "../common", package = "common" }

[profile.dev]
opt-level = 3
debug = false
debug-assertions = false
overflow-checks = false
incremental = false

[workspace]
"#;

/// The manifest of a package that the environment's package and those of sets depend on.
const COMMON: &str = include_str!("common.toml");

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
    /// The folder below `environments` in which this `lab` is built.
    pub fn of(environments: &Path, toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Self> {
        let versions = lock_file::versions(CARGO_LOCK, "lab")?;
        let own = [MANIFEST, COMMON].map(str::to_owned);
        let mut parts = vec![versions, lab.manifest()?, toolchain.version.clone()];
        parts.extend(own);
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

    /// The folder of a set's package and of its result.
    pub fn set(&self, key: &str) -> PathBuf {
        self.root.join("sets").join(key)
    }

    /// Where cargo builds it.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The folder of the finished library.
    fn labs(&self) -> PathBuf {
        self.root.join("labs").join(self.with_features(&self.lab))
    }

    /// The manifest of a package within this folder that depends on `lab`; `up` leads from it to this folder.
    pub fn manifest(&self, up: &str) -> String {
        let features = self.features.iter().map(String::as_str).chain(self.cuda.as_ref().map(|_| "cuda"));
        let features: toml::Value = features.collect::<Vec<_>>().into();
        MANIFEST.replace("FEATURES", &features.to_string()).replace("\"../", &format!("\"{up}/"))
    }

    /// The environment that was built here, if it is complete.
    pub fn ready(&self) -> Option<Environment> {
        Environment::read(&self.labs())
    }

    /// Waits for other builds in this folder; the file is locked until it is closed.
    pub fn lock(&self, orders: &mut Orders) -> Result<File> {
        fs::create_dir_all(&self.root).with_context(|| format!("cannot create {}", self.root.display()))?;
        let lock = File::create(self.root.join("lock"))?;
        let waiting = Progress { doing: "waiting for another build".into(), ..Progress::default() };
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => {
                    return Err(error).context("cannot wait for another build");
                }
                Err(TryLockError::WouldBlock) if (orders.report)(&waiting) => std::thread::sleep(INTERVAL),
                Err(TryLockError::WouldBlock) => bail!("interrupted"),
            }
        }
    }

    /// Writes `lab`, and what else all packages depend on.
    pub fn write_sources(&self, lab: &Lab) -> Result<()> {
        lab.write_to(&self.root.join("lab"))?;
        files::write(&self.root.join("common/Cargo.toml"), COMMON)?;
        files::write(&self.root.join("common/lib.rs"), "")
    }

    /// Writes the package to build.
    pub fn write_package(&self) -> Result<()> {
        let package = self.package();
        files::write(&package.join("Cargo.toml"), self.manifest(".."))?;
        files::write(&package.join("lib.rs"), "pub use lab;\n")?;
        if !package.join("Cargo.lock").exists() {
            files::write(&package.join("Cargo.lock"), CARGO_LOCK)?;
        }
        Ok(())
    }

    /// Copies the library to where no later build writes, and writes down that it is there.
    pub fn finish(&self, built: Built, toolchain: &Toolchain) -> Result<Environment> {
        let folder = self.labs();
        let library = keep(&built.library, &folder)?;
        let environment = self.environment(library, self.package(), built, toolchain)?;
        environment.write(&folder)?;
        Ok(environment)
    }

    /// What has been built in a package, linked with a library of `lab`.
    pub fn environment(
        &self,
        library: PathBuf,
        package: PathBuf,
        Built { native, crates, .. }: Built,
        toolchain: &Toolchain,
    ) -> Result<Environment> {
        let target = self.target();
        Ok(Environment {
            size: fs::metadata(&library)?.len(),
            library,
            dependencies: vec![target.join(&toolchain.host).join("debug/deps"), target.join("debug/deps")],
            native,
            package,
            lab: self.lab.clone(),
            features: self.features.clone(),
            crates,
            sets: Vec::new(),
            named: BTreeMap::new(),
            sources: Vec::new(),
        })
    }
}

/// Copies a library to a folder; returns where it is then.
pub fn keep(library: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("liblab").with_extension(library.extension().context("the library has no name")?);
    files::copy(library, &copy)?;
    Ok(copy)
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
            let manifest: toml::Table = toml::from_str(&home.manifest("../..")).unwrap();
            assert_eq!(manifest["dependencies"]["lab"]["path"].as_str(), Some("../../lab"));
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
        let built = Built { library: built, native: Vec::new(), crates: Vec::new(), direct: BTreeMap::new() };
        let environment = home.finish(built, &toolchain).unwrap();
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
