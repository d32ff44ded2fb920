//! The warm environment: `lab` and everything it brings, compiled once, linked by the cells of every session.
//!
//! Cells are given `--extern lab=…/liblab.so` and the folders of the compiled dependencies. For cargo their crate
//! has no dependencies at all: nothing to resolve, nothing to check, nothing to copy per session, and the folder
//! of the environment is only ever read.

use crate::cuda::Cuda;
use crate::lab::Lab;
use crate::lock_file;
use crate::shared::Shared;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The versions that this program was tested with.
const CARGO_LOCK: &str = include_str!("../Cargo.lock");

/// The package whose build compiles `lab`. evcxr compiles cells with opt-level 2 and debug assertions; what the
/// cells call should be as fast as it can be.
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

/// A compiled `lab`, ready to be linked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// The shared library.
    library: PathBuf,
    /// How many bytes it has.
    #[serde(default)]
    size: u64,
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

/// Where in the cache they are.
pub const ENVIRONMENTS: &str = "environments";

/// How far a build is: crates done, crates in total.
pub type Report<'a> = &'a mut dyn FnMut(usize, usize);

impl Environment {
    /// The environment of the `lab` that this program carries, with or without CUDA.
    pub fn open(toolchain: &Toolchain, cuda: Option<&Cuda>) -> Result<Self> {
        let install = if cuda.is_some() { "taper install --cuda" } else { "taper install" };
        let environment = Self::find(toolchain, cuda, &Lab::embedded())?;
        environment.with_context(|| format!("the warm environment is not built: run `{install}`"))
    }

    /// Compiles `lab` in the user's cache, unless it is there or in the shared install.
    pub fn build(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab, report: Report) -> Result<Self> {
        match Self::find(toolchain, cuda, lab)? {
            Some(environment) => Ok(environment),
            None => Self::repair(&cache()?.join(ENVIRONMENTS), toolchain, cuda, lab, report),
        }
    }

    /// The environment of a `lab`, of the shared install or in the user's cache.
    fn find(toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Option<Self>> {
        if let Some(shared) = Shared::own()
            && let Some(environment) = Home::of(&shared.environments(), toolchain, cuda, lab)?.ready()
        {
            return Ok(Some(environment));
        }
        Ok(Home::of(&cache()?.join(ENVIRONMENTS), toolchain, cuda, lab)?.ready())
    }

    /// Compiles what is missing of `lab` below `folder`; what is there is kept, so this can be stopped and started at any
    /// time.
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
        let (library, native) = home.compile(toolchain, report)?;
        home.finish(&library, native, toolchain)
    }

    /// Whether nothing of it has been removed or cut short.
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
        // Separated as cargo's CARGO_ENCODED_RUSTFLAGS wants it, for the sake of paths with spaces.
        flags.join("\u{1f}")
    }
}

/// Where taper keeps what it builds: `TAPER_CACHE`, or `taper` in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    let folder = std::env::var_os("TAPER_CACHE").map(PathBuf::from);
    let folder = folder.or_else(|| Some(dirs::cache_dir()?.join("taper")));
    let folder =
        folder.context("there is no cache folder for this user: set TAPER_CACHE to a folder to use")?;
    // Compilers and kernels work in folders of their own.
    Ok(std::path::absolute(folder)?)
}

/// The folder for one toolchain and one set of dependencies. Different versions of `lab` share it, with whichever of its
/// features: what they have in common is compiled once.
struct Home {
    root: PathBuf,
    lab: String,
    features: BTreeSet<String>,
    cuda: Option<Cuda>,
}

impl Home {
    fn of(environments: &Path, toolchain: &Toolchain, cuda: Option<&Cuda>, lab: &Lab) -> Result<Self> {
        let versions = lock_file::versions(CARGO_LOCK, "lab");
        let mut parts = vec![versions, MANIFEST.to_owned(), lab.manifest()?, toolchain.version.clone()];
        parts.extend(cuda.map(Cuda::identity));
        let key = digest(parts.iter().map(String::as_bytes));
        let root = environments.join(key);
        Ok(Self { root, lab: lab.digest(), features: lab.features.clone(), cuda: cuda.cloned() })
    }

    /// `name`, and the features behind it.
    fn with_features(&self, name: &str) -> String {
        [name].into_iter().chain(self.features.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
    }

    /// The folder of the package to build.
    fn package(&self) -> PathBuf {
        self.root.join(self.with_features("warm"))
    }

    /// The folder of the result.
    fn labs(&self) -> PathBuf {
        self.root.join("labs").join(self.with_features(&self.lab))
    }

    fn manifest(&self) -> String {
        let features = self.features.iter().map(String::as_str).chain(self.cuda.as_ref().map(|_| "cuda"));
        let features: Vec<&str> = features.collect();
        MANIFEST.replace("FEATURES", &format!("{features:?}"))
    }

    fn ready(&self) -> Option<Environment> {
        let description = fs::read(self.labs().join("environment.json")).ok()?;
        let environment: Environment = serde_json::from_slice(&description).ok()?;
        environment.is_whole().then_some(environment)
    }

    fn write_package(&self, lab: &Lab) -> Result<()> {
        lab.write_to(&self.root.join("lab"))?;
        let package = self.package();
        write(&package.join("Cargo.toml"), &self.manifest())?;
        write(&package.join("lib.rs"), "pub use lab;\n")?;
        if !package.join("Cargo.lock").exists() {
            write(&package.join("Cargo.lock"), CARGO_LOCK)?;
        }
        Ok(())
    }

    /// Returns the path of the library that cargo has built, and those that what is linked with it needs.
    fn compile(&self, toolchain: &Toolchain, report: Report) -> Result<(PathBuf, Vec<String>)> {
        let total = self.crates(toolchain)?;
        let (package, target) = (self.package(), self.root.join("target"));
        let mut command = toolchain.cargo(&package);
        let mut rustflags = vec!["-Cprefer-dynamic".to_owned(), toolchain.rpath()?];
        if let Some(cuda) = &self.cuda {
            cuda.set(&mut command);
            rustflags.extend(cuda.rustflags());
        }
        command
            .args(["build", "--message-format=json-render-diagnostics", "--target", &toolchain.host])
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_BUILD_BUILD_DIR", &target)
            .stdout(Stdio::piped())
            .stderr(File::create(package.join("build.log"))?);
        let mut cargo = command.spawn().context("cannot run cargo")?;
        let mut done = BTreeSet::new();
        let (mut library, mut native) = (None, Vec::new());
        report(0, total);
        for line in BufReader::new(cargo.stdout.take().context("cargo has no output")?).lines() {
            let message: Value = serde_json::from_str(&line?).unwrap_or_default();
            let is_library = message["target"]["kind"].as_array().is_some_and(|kinds| {
                kinds
                    .iter()
                    .any(|kind| matches!(kind.as_str(), Some("lib" | "rlib" | "dylib" | "proc-macro")))
            });
            if message["reason"] == "compiler-artifact" && is_library {
                done.insert(message["package_id"].to_string());
                report(done.len().min(total), total);
            }
            if message["reason"] == "compiler-artifact" && message["target"]["name"] == "lab" {
                library = shared_library(&message["filenames"]);
            }
            if message["reason"] == "build-script-executed" {
                let paths = message["linked_paths"].as_array().into_iter().flatten();
                native.extend(paths.filter_map(Value::as_str).map(str::to_owned));
            }
        }
        if !cargo.wait()?.success() {
            let log = fs::read_to_string(package.join("build.log")).unwrap_or_default();
            bail!("the warm environment does not compile:\n{}", reason(&log));
        }
        if let Some(cuda) = &self.cuda {
            native.extend(cuda.link_folders().iter().map(|folder| format!("native={}", folder.display())));
        }
        Ok((library.context("cargo built no shared library of `lab`")?, native))
    }

    /// How many crates the environment consists of.
    fn crates(&self, toolchain: &Toolchain) -> Result<usize> {
        let mut command = toolchain.cargo(&self.package());
        command.args(["tree", "--edges", "normal,build", "--prefix", "none", "--target", &toolchain.host]);
        let output = command.output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("the dependencies cannot be had:\n{}", reason(&String::from_utf8_lossy(&output.stderr)));
        }
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        Ok(crates.len())
    }

    /// Moves the library to where no later build writes, and says that it is there.
    fn finish(&self, library: &Path, native: Vec<String>, toolchain: &Toolchain) -> Result<Environment> {
        let folder = self.labs();
        fs::create_dir_all(&folder)?;
        let name = library.file_name().context("the library has no name")?;
        // Whoever has loaded the one before goes on with it.
        let new = folder.join("new");
        let size = fs::copy(library, &new).context("cannot copy the library")?;
        fs::rename(&new, folder.join(name)).context("cannot copy the library")?;
        let target = self.root.join("target");
        let environment = Environment {
            library: folder.join(name),
            size,
            dependencies: vec![target.join(&toolchain.host).join("debug/deps"), target.join("debug/deps")],
            native,
            package: self.package(),
            lab: self.lab.clone(),
            features: self.features.clone(),
        };
        write(&folder.join("environment.json"), &serde_json::to_string_pretty(&environment)?)?;
        Ok(environment)
    }
}

fn shared_library(filenames: &Value) -> Option<PathBuf> {
    let paths = filenames.as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    paths
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "so" || extension == "dylib"))
}

/// The part of cargo's output from the first error on.
fn reason(log: &str) -> &str {
    log.find("error").map_or(log, |start| &log[start..]).trim()
}

/// Writes a file unless it is so already, at once or not at all. cargo goes by the time of change.
pub fn write(path: &Path, content: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let folder = path.parent().context("a file needs a folder")?;
    let wrote = || -> Result<()> {
        fs::create_dir_all(folder)?;
        let mut temporary = OsString::from(path);
        temporary.push(".new");
        fs::write(&temporary, content)?;
        Ok(fs::rename(&temporary, path)?)
    };
    wrote().with_context(|| format!("cannot write {}", path.display()))
}

/// The first 16 hexadecimal digits of the SHA-256 of the parts.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_share_what_is_compiled_and_have_packages_and_results_of_their_own() {
        let toolchain = Toolchain::find().unwrap();
        let home = |features: &[&str]| {
            let features = features.iter().map(|feature| (*feature).to_owned()).collect();
            Home::of(Path::new("/environments"), &toolchain, None, &Lab::embedded().with(features)).unwrap()
        };
        let (plain, both) = (home(&[]), home(&["two", "one"]));
        assert_eq!(plain.root, both.root);
        assert!(plain.package().ends_with("warm") && both.package().ends_with("warm-one-two"));
        assert_eq!(both.labs(), plain.root.join("labs").join(format!("{}-one-two", plain.lab)));
        assert!(plain.manifest().contains("lab = { path = \"../lab\", features = [] }"));
        assert!(both.manifest().contains("lab = { path = \"../lab\", features = [\"one\", \"two\"] }"));
    }
}
