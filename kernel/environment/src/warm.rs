//! The warm environment: `lab` and its dependencies, compiled once and linked by the cells of every session.
//!
//! Cells are compiled with `--extern lab=…/liblab.so` and the folders of the compiled dependencies. As far as cargo knows, the
//! crate of a cell has no dependencies, so there is nothing to resolve, check or copy in each session. Sessions only read the
//! folder of the environment.

mod build;
mod home;

use crate::cache::environments;
use crate::cuda::Cuda;
use crate::lab::Lab;
use crate::shared::SharedInstall;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use home::Home;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A compiled `lab`, ready to be linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// The shared library.
    library: PathBuf,
    /// The size of the shared library, in bytes.
    #[serde(default)]
    size: u64,
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
}

/// Called with the progress of a build: crates done, crates in total.
pub type Report<'a> = &'a mut dyn FnMut(usize, usize);

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
    /// When it does not compile. The message contains cargo's output.
    pub fn build(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab, report: Report) -> Result<Self> {
        match Self::find(toolchain, cuda, lab)? {
            Some(environment) => Ok(environment),
            None => Self::repair(&environments()?, toolchain, cuda, lab, report),
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
    /// When it does not compile. The message contains cargo's output.
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

    /// Whether all its files are present and the library has its full size.
    pub fn is_whole(&self) -> bool {
        let size = fs::metadata(&self.library).map(|library| library.len());
        size.is_ok_and(|size| size == self.size) && self.dependencies.iter().all(|folder| folder.is_dir())
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
        // The separator of CARGO_ENCODED_RUSTFLAGS, because paths may contain spaces.
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
            size: 3,
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
