//! The warm environment: `lab` and its dependencies, compiled once and linked by the cells of every session.
//!
//! Cells are compiled with `--extern lab=…/liblab.so` and the folders of the compiled dependencies. As far as cargo knows, the
//! crate of a cell has no dependencies, so there is nothing to resolve, check or copy in each session. Sessions only read the
//! folder of the environment.

mod build;
mod compiled;
mod failure;
mod home;
mod project;
mod set;
mod sources;
pub mod stored;

pub use build::{Orders, Progress, Report};

use crate::cache::environments;
use crate::cuda::Cuda;
use crate::files;
use crate::lab::Lab;
use crate::shared::SharedInstall;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use compiled::Crate;
use home::Home;
use serde::{Deserialize, Serialize};
use sources::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A compiled `lab`, ready to be linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// The shared library.
    library: PathBuf,
    /// The size in bytes of each file that this environment needs: the library, compiled crates and other shared libraries.
    #[serde(default)]
    sizes: BTreeMap<PathBuf, u64>,
    /// The folders with the compiled dependencies.
    dependencies: Vec<PathBuf>,
    /// The folders of native libraries, in the form of rustc's option `-L`.
    #[serde(default)]
    native: Vec<String>,
    /// The folder of the package that was built.
    package: PathBuf,
    /// The digest of the sources of `lab`.
    lab: String,
    /// The features that `lab` was compiled with.
    #[serde(default)]
    features: BTreeSet<String>,
    /// Everything that was compiled for it.
    #[serde(default)]
    crates: Vec<Crate>,
    /// The shared libraries that hold what `lab` does not bring. Each is linked with those before it.
    #[serde(default)]
    sets: Vec<SetLibrary>,
    /// The crates that cells may name beside `lab`, with the files for the compiler.
    #[serde(default)]
    named: BTreeMap<String, PathBuf>,
    /// Crates that no line asks for, but that the types of variables are spelled with.
    #[serde(skip)]
    implied: BTreeMap<String, PathBuf>,
    /// The crates with traits by which cells show the types of other crates, with their files.
    #[serde(default)]
    shown: BTreeMap<String, PathBuf>,
    /// The sources that local crates were compiled from.
    #[serde(default)]
    sources: Vec<Source>,
}

/// A shared library of crates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SetLibrary {
    /// The name by which code is linked with it.
    name: String,
    path: PathBuf,
    /// The crates that it holds.
    crates: Vec<Crate>,
    /// Whether it was made of sources that may change.
    is_local: bool,
}

/// The name of the file that describes an environment, in the folder of its library.
const DESCRIPTION: &str = "environment.json";

impl Environment {
    /// Opens the environment of the `lab` that is embedded in this program, with or without CUDA.
    ///
    /// # Errors
    /// When it is not built. The message names the command that builds it.
    pub fn open(toolchain: &Toolchain, cuda: Option<&Cuda>) -> Result<Self> {
        let install = if cuda.is_some() { "taper install --cuda" } else { "taper install" };
        let environment = Self::find(toolchain, cuda, &Lab::embedded())?;
        environment.with_context(|| format!("the warm environment is not built: run `{install}`"))
    }

    /// Opens the environment of a `lab`. If neither the shared install nor the user's cache has it, it is built in the cache.
    ///
    /// # Errors
    /// When it does not compile; the error has cargo's message.
    pub fn build(lab: &Lab, orders: Orders) -> Result<Self> {
        match Self::find(orders.toolchain, orders.cuda, lab)? {
            Some(environment) => Ok(environment),
            None => Self::repair(&environments()?, lab, orders),
        }
    }

    /// The environment of a `lab`, from the shared install or the user's cache.
    fn find(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Option<Self>> {
        if let Some(shared) = SharedInstall::current()
            && let Some(environment) = Home::of(&shared.environments(), toolchain, cuda, lab)?.ready()
        {
            return Ok(Some(environment));
        }
        Ok(Home::of(&environments()?, toolchain, cuda, lab)?.ready())
    }

    /// Builds the environment of a `lab` below `folder`. What is already compiled is kept, so a build can be stopped at any time
    /// and goes on from there.
    ///
    /// # Errors
    /// When it does not compile; the error has cargo's message.
    pub fn repair(folder: &Path, lab: &Lab, mut orders: Orders) -> Result<Self> {
        let home = Home::of(folder, orders.toolchain, orders.cuda, lab)?;
        let _lock = home.lock(&mut orders)?;
        home.write_sources(lab)?;
        home.write_package()?;
        let built = build::build(&home.package(), &home.target(), &mut orders)?;
        home.finish(built, orders.toolchain)
    }

    /// The environment whose cells can name these crates, and no others beside `lab`; `wanted` is the table
    /// `[dependencies]` of a manifest. Crates that are missing are compiled in the user's cache. Those that this environment
    /// already has are compiled again only if new features are asked of them.
    ///
    /// # Errors
    /// When a crate cannot be downloaded or does not compile; the error has cargo's message.
    pub fn with(&self, lab: &Lab, wanted: &toml::Table, orders: Orders) -> Result<Self> {
        let shared = SharedInstall::current().map(|shared| shared.environments());
        set::with(self, lab, wanted, &environments()?, shared.as_deref(), orders)
    }

    /// Builds the environment of [`with`](Self::with) ahead of time, in `folder`.
    ///
    /// # Errors
    /// Those of [`with`](Self::with).
    pub fn build_with(&self, folder: &Path, lab: &Lab, wanted: &toml::Table, orders: Orders) -> Result<Self> {
        set::with(self, lab, wanted, folder, None, orders)
    }

    /// The description in a folder, if it is there and what it describes is whole.
    fn read(folder: &Path) -> Option<Self> {
        let environment: Self = serde_json::from_slice(&fs::read(folder.join(DESCRIPTION)).ok()?).ok()?;
        environment.is_whole().then_some(environment)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        files::write(&folder.join(DESCRIPTION), serde_json::to_string_pretty(self)?)
    }

    /// Whether all its files are present and the library has its full size.
    pub fn is_whole(&self) -> bool {
        let has = |path: &Path, size| fs::metadata(path).is_ok_and(|file| file.len() == size);
        self.sizes.contains_key(&self.library)
            && self.sizes.iter().all(|(path, size)| has(path, *size))
            && self.dependencies.iter().all(|folder| folder.is_dir())
            && self.named.values().all(|file| file.exists())
    }

    /// Whether cells that ask for this `lab` can be linked with it.
    pub fn serves(&self, lab: &Lab) -> bool {
        self.lab == lab.digest() && self.features.is_superset(&lab.features)
    }

    /// The shared library of `lab`.
    pub fn lab_library(&self) -> &Path {
        &self.library
    }

    /// The folder of the package that depends on `lab`.
    pub fn package(&self) -> &Path {
        &self.package
    }

    /// Whether a source of a local crate has changed since [`look_at_sources`](Self::look_at_sources).
    pub fn is_outdated(&self) -> bool {
        self.sources.iter().any(|source| source.now() != *source)
    }

    /// Notes the present state of the sources of local crates.
    pub fn look_at_sources(&mut self) {
        self.sources.iter_mut().for_each(|source| *source = source.now());
    }

    /// The local crates that `other` lacks or has compiled from other sources.
    pub fn changed<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let is_kept = |found: &Crate| other.crates.iter().any(|kept| kept.file == found.file);
        let local = self.crates.iter().filter(|found| found.is_local());
        local.filter(move |found| !is_kept(found)).filter_map(Crate::name)
    }

    /// All compiled crates: those of `lab` and the latest set, and those of the sets before it, which stay linked.
    fn compiled(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().chain(self.sets.iter().flat_map(|set| &set.crates))
    }

    /// Whether all crates of a shared library are still the ones that have been compiled.
    fn has_all_of(&self, set: &SetLibrary) -> bool {
        set.crates.iter().all(|found| self.crates.iter().any(|kept| kept.file == found.file))
    }

    /// Whether code can name this crate.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// Lets code name a crate that the others depend on, or that it knows under another name: types are spelled with the crate
    /// that defines them. Returns whether that is new. Of several versions, none is chosen but one that code knows.
    pub fn imply(&mut self, name: &str) -> bool {
        if self.named.contains_key(name) || self.implied.contains_key(name) {
            return false;
        }
        let is_meant = |found: &&Crate| !found.is_macro && found.name() == Some(name);
        let mut files: BTreeSet<PathBuf> =
            self.compiled().filter(is_meant).map(|found| found.file.clone()).collect();
        if files.len() > 1 {
            files.retain(|file| self.named.values().any(|named| named == file));
        }
        let file = if files.len() == 1 { files.pop_first() } else { None };
        file.is_some_and(|file| self.implied.insert(name.to_owned(), file).is_none())
    }

    /// The crates that code can name beside `lab`, each with cargo's identifier of its package.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let id =
            |file: &Path| self.compiled().find(|found| found.file == file).map(|found| found.id.as_str());
        self.named.iter().filter_map(move |(name, file)| Some((name.as_str(), id(file)?)))
    }

    /// The names of all packages that have been compiled.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.compiled().filter_map(Crate::package)
    }

    /// The names of the shared libraries that code has to be linked with.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().map(|set| set.name.as_str())
    }

    /// The files that code is linked with: shared libraries, and archives from which it takes what it needs.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let sets = self.sets.iter().map(|set| &set.path);
        let shared = [&self.library].into_iter().chain(sets).chain(self.shown.values()).cloned();
        shared.chain(self.native_archives()).collect()
    }

    /// The crates with C libraries. Some of these are compiled so that a shared library cannot export their functions. So cells are
    /// linked with them as well, and the linker takes from them only what a cell calls.
    fn native_archives(&self) -> impl Iterator<Item = PathBuf> {
        self.compiled().filter(|found| found.has_native).map(|found| found.file.clone())
    }

    /// The names of the crates whose trait `Shown` shows types of other crates.
    pub fn shown(&self) -> impl Iterator<Item = &str> {
        self.shown.keys().map(String::as_str)
    }

    /// The crates that code can name.
    pub fn crates(&self) -> impl Iterator<Item = &str> {
        let others = self.named.keys().chain(self.implied.keys()).chain(self.shown.keys());
        ["lab"].into_iter().chain(others.map(String::as_str))
    }

    /// The compiler flags of cells.
    pub fn rustflags(&self) -> Vec<String> {
        let mut flags = self.link_flags();
        for (name, file) in self.named.iter().chain(&self.implied).chain(&self.shown) {
            flags.extend(["--extern".to_owned(), format!("{name}={}", file.display())]);
        }
        flags.extend(self.native_archives().map(|file| format!("-Clink-arg={}", file.display())));
        flags
    }

    /// The compiler flags that link shared libraries.
    fn link_flags(&self) -> Vec<String> {
        let mut flags = vec!["-Cprefer-dynamic".to_owned()];
        let sets = self.sets.iter().map(|set| (set.name.as_str(), &set.path));
        for (name, library) in [("lab", &self.library)].into_iter().chain(sets) {
            flags.extend(["--extern".to_owned(), format!("{name}={}", library.display())]);
            if let Some(folder) = library.parent() {
                flags.push(format!("-Clink-arg=-Wl,-rpath,{}", folder.display()));
            }
        }
        flags.extend(self.dependencies.iter().map(|folder| format!("-Ldependency={}", folder.display())));
        flags.extend(self.native.iter().map(|folder| format!("-L{folder}")));
        flags
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An environment whose library is in this folder and has three bytes.
    pub fn environment(folder: &Path) -> Environment {
        fs::write(folder.join("liblab.so"), "lab").unwrap();
        fs::create_dir(folder.join("deps")).unwrap();
        Environment {
            library: folder.join("liblab.so"),
            sizes: [(folder.join("liblab.so"), 3)].into(),
            dependencies: vec![folder.join("deps")],
            native: vec!["native=/opt/a b".into()],
            package: folder.join("warm"),
            lab: Lab::embedded().digest(),
            features: ["burn".to_owned()].into(),
            crates: Vec::new(),
            sets: Vec::new(),
            named: BTreeMap::new(),
            implied: BTreeMap::new(),
            shown: BTreeMap::new(),
            sources: Vec::new(),
        }
    }

    #[test]
    fn an_environment_is_whole_until_something_is_removed_or_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        assert!(environment.is_whole());
        fs::write(&environment.library, "la").unwrap();
        assert!(!environment.is_whole());
        fs::write(&environment.library, "lab").unwrap();
        fs::remove_dir(&environment.dependencies[0]).unwrap();
        assert!(!environment.is_whole());
    }

    #[test]
    fn an_environment_serves_the_same_lab_with_no_more_features() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let with = |features: &[&str]| {
            Lab::embedded().with(features.iter().map(|feature| (*feature).to_owned()).collect())
        };
        assert!(environment.serves(&with(&[])) && environment.serves(&with(&["burn"])));
        assert!(!environment.serves(&with(&["burn", "cuda"])));
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"lab\"\n").unwrap();
        assert!(!environment.serves(&Lab::in_folder(folder.path()).unwrap()));
    }

    #[test]
    fn a_crate_is_implied_if_there_is_no_doubt_which() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = environment(folder.path());
        let files = ["libbytes-1.rlib", "libold-1.rlib", "libold-2.rlib", "libtwo-1.rlib", "libtwo-2.rlib"];
        environment.crates = files.map(|file| Crate::for_test(file, Path::new(file))).into();
        environment.named.insert("ancient".into(), "libold-1.rlib".into());
        let implied =
            ["bytes", "bytes", "ancient", "old", "two", "no_such"].map(|name| environment.imply(name));
        assert_eq!(implied, [true, false, false, true, false, false]);
        let flags = environment.rustflags();
        for flag in ["bytes=libbytes-1.rlib", "old=libold-1.rlib", "ancient=libold-1.rlib"] {
            assert!(flags.iter().any(|other| other == flag), "{flags:?}");
        }
    }

    #[test]
    fn flags_keep_the_spaces_in_paths() {
        let folder = tempfile::tempdir().unwrap();
        let flags = environment(folder.path()).rustflags();
        let folder = folder.path().display();
        let expected = [
            "-Cprefer-dynamic".to_owned(),
            "--extern".to_owned(),
            format!("lab={folder}/liblab.so"),
            format!("-Clink-arg=-Wl,-rpath,{folder}"),
            format!("-Ldependency={folder}/deps"),
            "-Lnative=/opt/a b".to_owned(),
        ];
        assert_eq!(flags, expected);
    }
}
