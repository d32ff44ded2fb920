//! A shared install: `taper install --prefix DIR` puts the program, its kernelspec and its environment where all users of a
//! machine find them. Users only read it; what they build themselves, and their sessions, are in their own caches.

use crate::toolchain::Toolchain;
use crate::{files, permissions};
use anyhow::{Context, Result};
use cargo_metadata::Metadata;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, io};

/// `DIR`, with `bin/taper` and `share/taper` in it.
#[derive(Clone, Debug)]
pub struct Shared {
    prefix: PathBuf,
}

impl Shared {
    /// The one in a folder, which need not be there yet.
    ///
    /// # Errors
    /// When the path is empty, or relative to a folder that is gone.
    pub fn at(prefix: &Path) -> Result<Self> {
        Ok(Self { prefix: std::path::absolute(prefix)? })
    }

    /// The one that this program belongs to, if it belongs to any.
    pub fn own() -> Option<Self> {
        let prefix = env::current_exe().ok()?.parent()?.parent()?.to_owned();
        Some(Self { prefix }).filter(|shared| shared.folder().is_dir())
    }

    /// The program that all users start.
    pub fn program(&self) -> PathBuf {
        self.prefix.join("bin/taper")
    }

    /// Jupyter's data folder there, with the kernels.
    pub fn data(&self) -> PathBuf {
        self.prefix.join("share/jupyter")
    }

    /// Jupyter's settings there.
    pub fn settings(&self) -> PathBuf {
        self.prefix.join("etc/jupyter")
    }

    /// Where its environments are built, and stay: libraries hold absolute paths.
    pub fn environments(&self) -> PathBuf {
        self.folder().join("environments")
    }

    /// What completion has to know of the crates, as cargo says it.
    pub fn crates(&self) -> PathBuf {
        self.sources().join("crates.json")
    }

    fn sources(&self) -> PathBuf {
        self.folder().join("sources")
    }

    /// Everything that is not a kernelspec or the program.
    pub fn folder(&self) -> PathBuf {
        self.prefix.join("share/taper")
    }

    /// The programs of the toolchain that it was built with. Users need not have one of their own, nor rustup's settings.
    pub fn toolchain(&self) -> Option<PathBuf> {
        Some(fs::read_link(self.toolchain_link()).ok()?.join("bin"))
    }

    fn toolchain_link(&self) -> PathBuf {
        self.folder().join("toolchain")
    }

    /// Copies this program there, and notes which toolchain it goes with.
    ///
    /// # Errors
    /// Names what cannot be written.
    pub fn write_program(&self, toolchain: &Toolchain) -> Result<()> {
        let (this, program) = (env::current_exe()?, self.program());
        fs::create_dir_all(self.prefix.join("bin"))?;
        if this.canonicalize()? != program.canonicalize().unwrap_or_default() {
            files::copy(&this, &program)?;
        }
        let link = self.toolchain_link();
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(symlink(toolchain.sysroot()?, link)?),
        }
    }

    /// Lets all users read it and what was written for Jupyter, whatever the mask of new files was, and nobody but the owner
    /// write.
    ///
    /// # Errors
    /// Names what cannot be opened to them.
    pub fn open_to_all(&self, written: &[PathBuf]) -> Result<()> {
        for path in written.iter().chain([&self.program(), &self.folder()]) {
            // Who else may write to the folders around them is not for us to say.
            let around = path.ancestors().skip(1).take_while(|folder| *folder != self.prefix);
            around.into_iter().try_for_each(|folder| permissions::allow(folder, 0))?;
            permissions::show_all(path)?;
        }
        Ok(())
    }

    /// What keeps other users from it, and what to do, in one line.
    ///
    /// # Errors
    /// When the toolchain does not tell where it is.
    pub fn obstacle(&self, toolchain: &Toolchain) -> Result<Option<String>> {
        if let Some(closed) = permissions::closed_to_others(&self.prefix) {
            return Ok(Some(format!(
                "Only you can use {}: other users cannot look into {}. To share it, install into a folder that all can \
                 read, such as /opt/taper or /usr/local.",
                self.prefix.display(),
                closed.display()
            )));
        }
        let sysroot = toolchain.sysroot()?;
        Ok(permissions::closed_to_others(&sysroot).map(|closed| {
            format!(
                "Other users cannot compile cells: Rust is in {}, and they cannot look into {}. Install Rust where all \
                 can read it (`export RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo`, rustup anew), and then \
                 this again.",
                sysroot.display(),
                closed.display()
            )
        }))
    }

    /// Writes down what completion has to know of the crates, as cargo says it, with copies of their sources next to it.
    ///
    /// # Errors
    /// Names the crate that cannot be copied.
    pub fn write_sources(&self, mut shown: Metadata) -> Result<()> {
        for package in shown.packages.iter_mut().filter(|package| package.source.is_some()) {
            let folder = package.manifest_path.parent().context("a crate has no folder")?;
            let copy = self.sources().join(format!("{}-{}", package.name, package.version));
            copy_all(folder.as_std_path(), &copy).with_context(|| format!("cannot copy {folder}"))?;
            let copied = serde_json::to_string(package)?.replace(folder.as_str(), &copy.to_string_lossy());
            *package = serde_json::from_str(&copied)?;
        }
        files::write(&self.crates(), serde_json::to_string(&shown)?)
    }
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_all(&entry.path(), &to)?,
            false => fs::copy(entry.path(), to).map(drop)?,
        }
    }
    Ok(())
}
