//! The folder of an environment: its path and cache key, the package that is built in it, and the result of the build.

use super::Environment;
use super::build::{Built, Orders, Progress};
use super::compiled::Crate;
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

/// How often to check whether another build has ended.
const INTERVAL: Duration = Duration::from_millis(200);

/// The versions of the dependencies that this program was tested with.
pub const CARGO_LOCK: &str = include_str!("../../../../Cargo.lock");

/// The manifest of the package that depends on `lab`; `FEATURES` is a placeholder for the list of features. The crates are
/// compiled for speed, unlike cells, which are compiled with opt-level 2 and debug assertions.
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

/// The manifest of a package that the environment's package and the packages of all sets depend on.
const COMMON: &str = include_str!("common.toml");

/// The folder for one toolchain and one set of dependencies. Versions of `lab` with the same dependencies share it, whatever
/// their features, so that their common crates are compiled once.
pub struct Home {
    pub root: PathBuf,
    /// The digest of the sources of `lab`.
    lab: String,
    features: BTreeSet<String>,
    pub cuda: Option<Cuda>,
}

impl Home {
    /// The folder below `environments` in which this `lab` is built.
    ///
    /// # Errors
    /// When the manifests of `lab` cannot be read.
    pub fn of(environments: &Path, toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Self> {
        let versions = lock_file::versions(CARGO_LOCK, "lab")?;
        let mut parts = vec![versions, MANIFEST.to_owned(), COMMON.to_owned(), toolchain.version.clone()];
        parts.extend(lab.manifests()?.map(|(path, text)| format!("{}\n{text}", path.display())));
        parts.extend(cuda.map(Cuda::identity));
        let key = files::digest(parts.iter().map(String::as_bytes));
        let root = files::canonical(environments).join(key);
        Ok(Self { root, lab: lab.digest(), features: lab.features.clone(), cuda: cuda.cloned() })
    }

    /// `name`, followed by the features.
    fn with_features(&self, name: &str) -> String {
        [name].into_iter().chain(self.features.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
    }

    /// The folder of the package to build.
    pub fn package(&self) -> PathBuf {
        self.root.join(self.with_features("warm"))
    }

    /// The folder of a set's package and of the result of its build.
    pub fn set(&self, key: &str) -> PathBuf {
        self.root.join("sets").join(key)
    }

    /// cargo's target folder.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The folder of the finished library.
    fn labs(&self) -> PathBuf {
        self.root.join("labs").join(self.with_features(&self.lab))
    }

    /// The manifest of a package within this folder that depends on `lab`; `up` is the relative path from the package to this
    /// folder.
    pub fn manifest(&self, up: &str) -> String {
        let features = self.features.iter().map(String::as_str).chain(self.cuda.as_ref().map(|_| "cuda"));
        let features: toml::Value = features.collect::<Vec<_>>().into();
        MANIFEST.replace("FEATURES", &features.to_string()).replace("\"../", &format!("\"{up}/"))
    }

    /// The environment that was built here, if it is complete.
    pub fn ready(&self) -> Option<Environment> {
        Environment::read(&self.labs())
    }

    /// Waits until no other process builds in this folder; the lock is held until the file is closed.
    ///
    /// # Errors
    /// When the file system does not support locks, or the wait is interrupted.
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

    /// Writes the sources of `lab` and of the package that all packages depend on.
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

    /// Copies the compiled `lab` to a folder that no later build overwrites, and writes the description of the environment.
    pub fn finish(&self, built: Built, toolchain: &Toolchain) -> Result<Environment> {
        let folder = self.labs();
        self.keep_lab(&built, &folder)?;
        let environment = self.environment(&folder, self.package(), built, toolchain)?;
        environment.write(&folder)?;
        Ok(environment)
    }

    /// Copies the library of `lab`, and the compiled crates in the folder of `lab`, to `folder`, because a build of another `lab`
    /// overwrites them.
    pub fn keep_lab(&self, built: &Built, folder: &Path) -> Result<()> {
        for file in self.files_of_lab(built) {
            files::copy(file, &folder.join(file.file_name().context("a compiled file has no name")?))?;
        }
        Ok(())
    }

    fn files_of_lab<'a>(&'a self, built: &'a Built) -> impl Iterator<Item = &'a Path> {
        let parts = built.crates.iter().filter(|found| self.is_part_of_lab(found));
        parts.map(|found| found.file.as_path()).chain([built.library.as_path()])
    }

    /// Whether the sources of a crate are in the folder of `lab`. Such a crate is linked into the library of `lab`.
    fn is_part_of_lab(&self, found: &Crate) -> bool {
        found.folder().is_some_and(|folder| folder.starts_with(self.root.join("lab")))
    }

    /// The environment that was built in a package; `labs` is the folder to which [`keep_lab`](Self::keep_lab) has copied `lab`.
    pub fn environment(
        &self,
        labs: &Path,
        package: PathBuf,
        built: Built,
        toolchain: &Toolchain,
    ) -> Result<Environment> {
        let kept = |file: &Path| Some(labs.join(file.file_name()?));
        let mut sizes = BTreeMap::new();
        for copy in self.files_of_lab(&built).filter_map(kept) {
            let size = fs::metadata(&copy).with_context(|| copy.display().to_string())?.len();
            sizes.insert(copy, size);
        }
        let target = self.target();
        let folders =
            [labs.to_owned(), target.join(&toolchain.host).join("debug/deps"), target.join("debug/deps")];
        let Built { library, native, mut crates, .. } = built;
        crates.retain(|found| !self.is_part_of_lab(found));
        Ok(Environment {
            library: kept(&library).context("the library has no name")?,
            sizes,
            dependencies: folders.into(),
            native,
            package,
            lab: self.lab.clone(),
            features: self.features.clone(),
            crates,
            sets: Vec::new(),
            named: BTreeMap::new(),
            implied: BTreeMap::new(),
            shown: BTreeMap::new(),
            sources: Vec::new(),
        })
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
    fn sets_of_features_share_the_target_folder_but_not_packages_and_results() {
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
        let [library, ops] = ["liblab.so", "libops-1.rlib"].map(|name| folder.path().join(name));
        fs::write(&library, "library").unwrap();
        fs::write(&ops, "ops").unwrap();
        let toolchain = Toolchain::find().unwrap();
        let part = Crate::for_test(&format!("path+file://{}/lab/ops#0.1.0", folder.path().display()), &ops);
        let built = Built { library, native: Vec::new(), crates: vec![part], direct: BTreeMap::new() };
        let environment = home.finish(built, &toolchain).unwrap();
        // A build of another `lab` overwrites the crate.
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
        assert!(ready.rustflags().contains(&format!("-Ldependency={}", home.labs().display())));
        fs::remove_file(&copy).unwrap();
        assert!(home.ready().is_none(), "a crate that the library is made of is missing");
        fs::write(&copy, "ops").unwrap();
        assert!(home.ready().is_some());
        fs::write(ready.lab_library(), "libr").unwrap();
        assert!(home.ready().is_none(), "the library is cut short");
    }
}
