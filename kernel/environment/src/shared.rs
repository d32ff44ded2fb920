//! A shared install: `taper install --prefix DIR` puts the program, its kernelspec and its environment where all users of a
//! machine find them. Users only read it. Their own builds and sessions are in their own caches.

use crate::{files, permissions};
use anyhow::{Context, Result};
use cargo_metadata::Metadata;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, io};

/// An install in a prefix, which contains `bin/taper` and `share/taper`.
#[derive(Clone, Debug)]
pub struct SharedInstall {
    prefix: PathBuf,
}

impl SharedInstall {
    /// The install in a prefix, which need not exist yet.
    ///
    /// # Errors
    /// When the path is empty, or is relative and the working directory no longer exists.
    pub fn at(prefix: &Path) -> Result<Self> {
        Ok(Self { prefix: std::path::absolute(prefix)? })
    }

    /// The shared install that this program belongs to, if it belongs to one.
    pub fn current() -> Option<Self> {
        let prefix = env::current_exe().ok()?.parent()?.parent()?.to_owned();
        Some(Self { prefix }).filter(|shared| shared.folder().is_dir())
    }

    /// The path of the program.
    pub fn program(&self) -> PathBuf {
        self.prefix.join("bin/taper")
    }

    /// Jupyter's data folder, with the kernelspecs.
    pub fn data(&self) -> PathBuf {
        self.prefix.join("share/jupyter")
    }

    /// Jupyter's settings folder.
    pub fn settings(&self) -> PathBuf {
        self.prefix.join("etc/jupyter")
    }

    /// The folder in which environments are built. They cannot be moved, because libraries contain absolute paths.
    pub fn environments(&self) -> PathBuf {
        self.folder().join("environments")
    }

    /// The description of the crates that completion shows, in the format of `cargo metadata`.
    pub fn crates(&self) -> PathBuf {
        self.sources().join("crates.json")
    }

    /// The sources of the crates that completion shows.
    fn sources(&self) -> PathBuf {
        self.folder().join("sources")
    }

    /// The folder of everything but the program and the files for Jupyter.
    pub fn folder(&self) -> PathBuf {
        self.prefix.join("share/taper")
    }

    /// The folder with the programs of the toolchain that it was built with. Users need neither a toolchain nor settings of
    /// rustup.
    pub(crate) fn toolchain(&self) -> Option<PathBuf> {
        Some(fs::read_link(self.toolchain_link()).ok()?.join("bin"))
    }

    fn toolchain_link(&self) -> PathBuf {
        self.folder().join("toolchain")
    }

    /// Copies this program into the prefix, and links the toolchain whose folder is `sysroot`.
    ///
    /// # Errors
    /// When the program or the link cannot be written.
    pub fn write_program(&self, sysroot: &Path) -> Result<()> {
        let (this, program) = (env::current_exe()?, self.program());
        fs::create_dir_all(self.prefix.join("bin"))?;
        if this.canonicalize()? != program.canonicalize().unwrap_or_default() {
            files::copy(&this, &program)?;
        }
        let link = self.toolchain_link();
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(symlink(sysroot, link)?),
        }
    }

    /// Allows all users to read the install and the files for Jupyter in `written`, whatever the umask was, and only the owner
    /// to write.
    ///
    /// # Errors
    /// When the permissions of a file cannot be changed, with its path.
    pub fn open_to_all(&self, written: &[PathBuf]) -> Result<()> {
        for path in written.iter().chain([&self.program(), &self.folder()]) {
            // The parent folders may be shared with other programs, so their write permissions stay.
            let around = path.ancestors().skip(1).take_while(|folder| *folder != self.prefix);
            around.into_iter().try_for_each(|folder| permissions::allow_reading(folder, 0))?;
            permissions::share(path)?;
        }
        Ok(())
    }

    /// Why other users cannot use the install with the toolchain in `sysroot`, and what to do about it, in one line. `None` if
    /// they can.
    pub fn obstacle(&self, sysroot: &Path) -> Option<String> {
        if let Some(closed) = permissions::closed_to_others(&self.prefix) {
            return Some(format!(
                "Only you can use {}: other users cannot access {}. To share it, install into a folder that all users can \
                 read, such as /opt/taper or /usr/local.",
                self.prefix.display(),
                closed.display()
            ));
        }
        permissions::closed_to_others(sysroot).map(|closed| {
            format!(
                "Other users cannot compile cells: Rust is in {}, and they cannot access {}. Set RUSTUP_HOME and CARGO_HOME \
                 to folders that all users can read, such as /usr/local/rustup and /usr/local/cargo, install Rust there \
                 with rustup, and run this command again.",
                sysroot.display(),
                closed.display()
            )
        })
    }

    /// Writes the description of the crates that completion shows, and copies their sources next to it.
    ///
    /// # Errors
    /// When a crate cannot be copied, with its folder.
    pub fn write_sources(&self, mut shown: Metadata) -> Result<()> {
        for package in shown.packages.iter_mut().filter(|package| package.source.is_some()) {
            let folder = package.manifest_path.parent().context("the manifest of a crate has no folder")?;
            let copy = self.sources().join(format!("{}-{}", package.name, package.version));
            copy_folder(folder.as_std_path(), &copy).with_context(|| format!("cannot copy {folder}"))?;
            let copied = serde_json::to_string(package)?.replace(folder.as_str(), &copy.to_string_lossy());
            *package = serde_json::from_str(&copied)?;
        }
        files::write(&self.crates(), serde_json::to_string(&shown)?)
    }
}

/// Copies a folder with its contents.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to)?,
            false => fs::copy(entry.path(), to).map(drop)?,
        }
    }
    Ok(())
}
