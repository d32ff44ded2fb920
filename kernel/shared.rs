//! A shared install: `taper install --prefix DIR` puts the program, its kernelspec and its environment where all users of a
//! machine find them. Users only read it; what they build themselves, and their sessions, are in their own caches.

use crate::toolchain::Toolchain;
use crate::warm;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::{env, io};

/// `DIR`, with `bin/taper` and `share/taper` in it.
#[derive(Clone, Debug)]
pub struct Shared {
    prefix: PathBuf,
}

impl Shared {
    /// The one in a folder, which need not be there yet.
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
    pub fn write_program(&self, toolchain: &Toolchain) -> Result<()> {
        let (this, program) = (env::current_exe()?, self.program());
        fs::create_dir_all(self.prefix.join("bin"))?;
        if this.canonicalize()? != program.canonicalize().unwrap_or_default() {
            // Whoever runs the one before goes on with it.
            let new = program.with_extension("new");
            fs::copy(&this, &new).with_context(|| format!("cannot write {}", new.display()))?;
            fs::rename(&new, &program)?;
        }
        let link = self.toolchain_link();
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(symlink(toolchain.sysroot()?, link)?),
        }
    }

    /// Lets all users read it and what was written for Jupyter, whatever the mask of new files was, and nobody but the owner
    /// write.
    pub fn open_to_all(&self, written: &[PathBuf]) -> Result<()> {
        for path in written.iter().chain([&self.program(), &self.folder()]) {
            // Who else may write to the folders around them is not for us to say.
            let around = path.ancestors().skip(1).take_while(|folder| *folder != self.prefix);
            around.into_iter().try_for_each(|folder| allow(folder, 0))?;
            show_all(path)?;
        }
        Ok(())
    }

    /// What keeps other users from it, and what to do, in one line.
    pub fn obstacle(&self, toolchain: &Toolchain) -> Result<Option<String>> {
        if let Some(closed) = closed_to_others(&self.prefix) {
            return Ok(Some(format!(
                "Only you can use {}: other users cannot look into {}. To share it, install into a folder that all can \
                 read, such as /opt/taper or /usr/local.",
                self.prefix.display(),
                closed.display()
            )));
        }
        let sysroot = toolchain.sysroot()?;
        Ok(closed_to_others(&sysroot).map(|closed| {
            format!(
                "Other users cannot compile cells: Rust is in {}, and they cannot look into {}. Install Rust where all \
                 can read it (`export RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo`, rustup anew), and then \
                 this again.",
                sysroot.display(),
                closed.display()
            )
        }))
    }

    /// Writes down what completion has to know of the crates, with copies of their sources next to it.
    pub fn write_sources(&self, shown: &mut serde_json::Value) -> Result<()> {
        let packages = shown["packages"].as_array_mut().context("cargo describes no crates")?;
        for package in packages.iter_mut().filter(|package| package["source"].is_string()) {
            let field = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
            let folder = PathBuf::from(field("manifest_path"));
            let folder = folder.parent().context("a crate has no folder")?;
            let copy = self.sources().join(format!("{}-{}", field("name"), field("version")));
            copy_all(folder, &copy).with_context(|| format!("cannot copy {}", folder.display()))?;
            let (from, to) = (folder.to_string_lossy(), copy.to_string_lossy());
            *package = serde_json::from_str(&package.to_string().replace(&*from, &to))?;
        }
        warm::write(&self.crates(), &shown.to_string())
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

/// Lets all read a folder and what is in it, and only the owner write.
fn show_all(path: &Path) -> Result<()> {
    allow(path, 0o022)?;
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::read_dir(path)?.try_for_each(|entry| show_all(&entry?.path())),
        false => Ok(()),
    }
}

/// Lets all read a file, or look into a folder, and `forbids` what else they may.
fn allow(path: &Path, forbids: u32) -> Result<()> {
    let found = fs::symlink_metadata(path)?;
    let mode = found.permissions().mode() & 0o7777;
    let is_entered = found.is_dir() || mode & 0o100 != 0;
    let shown = (mode | if is_entered { 0o555 } else { 0o444 }) & !forbids;
    if !found.is_symlink() && shown != mode {
        fs::set_permissions(path, Permissions::from_mode(shown))
            .with_context(|| format!("cannot let others read {}", path.display()))?;
    }
    Ok(())
}

/// The first folder on the way to `path`, or itself, that only some users can look into.
fn closed_to_others(path: &Path) -> Option<PathBuf> {
    let mut folders: Vec<&Path> = path.ancestors().collect();
    folders.reverse();
    let is_closed =
        |folder: &&&Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o1 == 0);
    folders.iter().find(is_closed).map(|folder| folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_cannot_look_into_is_named_and_what_is_in_it_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (closed, within) = (folder.path().join("closed"), folder.path().join("closed/a/b"));
        fs::create_dir_all(&within).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o770)).unwrap();
        assert_eq!(closed_to_others(&within), Some(closed.clone()));
        let (text, program) = (within.join("text"), within.join("program"));
        for (file, mode) in [(&text, 0o620), (&program, 0o700)] {
            fs::write(file, "").unwrap();
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
        show_all(&closed).unwrap();
        assert_eq!(closed_to_others(&within), None);
        let modes =
            [&closed, &text, &program].map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o755, 0o644, 0o755]);
    }
}
