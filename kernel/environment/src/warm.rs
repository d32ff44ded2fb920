//! The warm environment: `lab` and everything it brings, compiled once, linked by the cells of every session.
//!
//! Cells are given `--extern lab=…/liblab.so` and the folders of the compiled dependencies. For cargo their crate
//! has no dependencies at all: nothing to resolve, nothing to check, nothing to copy per session, and the folder
//! of the environment is only ever read.

mod build;
mod home;

use crate::cache::environments;
use crate::cuda::Cuda;
use crate::lab::Lab;
use crate::shared::Shared;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use home::Home;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A compiled `lab`, ready to be linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// The shared library.
    library: PathBuf,
    /// How many bytes it has, and each compiled crate next to it.
    #[serde(default)]
    sizes: BTreeMap<PathBuf, u64>,
    /// The folders with the compiled dependencies.
    dependencies: Vec<PathBuf>,
    /// Where the linker finds libraries of other languages, in the form of its option `-L`.
    #[serde(default)]
    native: Vec<String>,
    /// The package whose build this is.
    package: PathBuf,
    /// Which `lab` this is.
    lab: String,
    /// What it was compiled with.
    #[serde(default)]
    features: BTreeSet<String>,
}

/// How far a build is: crates done, crates in total.
pub type Report<'a> = &'a mut dyn FnMut(usize, usize);

impl Environment {
    /// The environment of the `lab` that this program carries, with or without CUDA.
    ///
    /// # Errors
    /// When it is not built, with the command that builds it.
    pub fn open(toolchain: &Toolchain, cuda: Option<&Cuda>) -> Result<Self> {
        let install = if cuda.is_some() { "taper install --cuda" } else { "taper install" };
        let environment = Self::find(toolchain, cuda, &Lab::embedded())?;
        environment.with_context(|| format!("the warm environment is not built: run `{install}`"))
    }

    /// Compiles `lab` in the user's cache, unless it is there or in the shared install.
    ///
    /// # Errors
    /// When it does not compile, with what cargo says.
    pub fn build(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab, report: Report) -> Result<Self> {
        match Self::find(toolchain, cuda, lab)? {
            Some(environment) => Ok(environment),
            None => Self::repair(&environments()?, toolchain, cuda, lab, report),
        }
    }

    /// The environment of a `lab`, of the shared install or in the user's cache.
    fn find(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Option<Self>> {
        if let Some(shared) = Shared::own()
            && let Some(environment) = Home::of(&shared.environments(), toolchain, cuda, lab)?.ready()
        {
            return Ok(Some(environment));
        }
        Ok(Home::of(&environments()?, toolchain, cuda, lab)?.ready())
    }

    /// Compiles what is missing of `lab` below `folder`; what is there is kept, so this can be stopped and started at any
    /// time.
    ///
    /// # Errors
    /// When it does not compile, with what cargo says.
    pub fn repair(
        folder: &Path,
        toolchain: &Toolchain,
        cuda: Option<&Cuda>,
        lab: &Lab,
        report: Report,
    ) -> Result<Self> {
        let home = Home::of(folder, toolchain, cuda, lab)?;
        fs::create_dir_all(&home.root).with_context(|| format!("cannot create {}", home.root.display()))?;
        let lock = File::create(home.root.join("lock"))?;
        lock.lock().context("cannot wait for another build of the environment")?;
        home.write_package(lab)?;
        let built = build::build(&home, toolchain, report)?;
        home.finish(built, toolchain)
    }

    /// Whether nothing of it has been removed or cut short.
    pub fn is_whole(&self) -> bool {
        let has = |path: &Path, size| fs::metadata(path).is_ok_and(|file| file.len() == size);
        self.sizes.contains_key(&self.library)
            && self.sizes.iter().all(|(path, size)| has(path, *size))
            && self.dependencies.iter().all(|folder| folder.is_dir())
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

    /// The compiler flags of cells.
    pub fn rustflags(&self) -> String {
        let folder = self.library.parent().unwrap_or(Path::new("/")).display();
        let mut flags = vec![
            "-Cprefer-dynamic".to_owned(),
            "--extern".to_owned(),
            format!("lab={}", self.library.display()),
            format!("-Clink-arg=-Wl,-rpath,{folder}"),
        ];
        flags.extend(self.dependencies.iter().map(|folder| format!("-Ldependency={}", folder.display())));
        flags.extend(self.native.iter().map(|folder| format!("-L{folder}")));
        // Separated as cargo's CARGO_ENCODED_RUSTFLAGS wants it, for the sake of paths with spaces.
        flags.join("\u{1f}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment whose library is in this folder and has three bytes.
    fn environment(folder: &Path) -> Environment {
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
        assert_eq!(flags.split('\u{1f}').collect::<Vec<_>>(), expected);
    }
}
