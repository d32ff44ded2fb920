//! The folder that a session works in, and what killed sessions have left behind.

use crate::cache::cache;
use crate::stand_ins;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where in it cells are compiled: their crate, with the cell in src/lib.rs.
pub const CELLS: &str = "cells";
/// Where in it evcxr works.
pub const EVCXR: &str = "evcxr";
/// What leads to the shared library of `lab` that cells are linked with.
pub const LAB: &str = "liblab";

/// A session's folder. Its owner holds the lock on the file next to it as long as it lives.
pub struct SessionDirectory {
    path: PathBuf,
    _lock: File,
}

impl SessionDirectory {
    /// Makes a new one, in taper's cache or, where that cannot be written to, among the temporary files.
    ///
    /// # Errors
    /// When neither can be written to, or files cannot be locked there.
    pub fn create() -> Result<Self> {
        let user = rustix::process::getuid().as_raw();
        let temporary = std::env::temp_dir().join(format!("taper-{user}"));
        let in_cache = cache().and_then(|cache| Self::create_in(&cache.join("sessions")));
        in_cache.or_else(|error| {
            tracing::warn!("{error:#}; trying {} instead", temporary.display());
            Self::create_in(&temporary)
        })
    }

    /// Makes a new one in `sessions`, readable by its owner only, and removes those whose owners have died.
    fn create_in(sessions: &Path) -> Result<Self> {
        let created = || -> Result<Self> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(sessions)?;
            own(sessions)?;
            sweep(sessions)?;
            loop {
                let name = uuid::Uuid::new_v4().simple().to_string();
                let lock_path = sessions.join(&name).with_extension("lock");
                let lock = File::create(&lock_path)?;
                // Between the two calls another session may have taken it for a leftover: then try again.
                let is_taken = match lock.try_lock() {
                    Ok(()) => !lock_path.exists(),
                    Err(TryLockError::WouldBlock) => true,
                    Err(TryLockError::Error(error)) => {
                        let _ = fs::remove_file(&lock_path);
                        return Err(error).context("files cannot be locked there");
                    }
                };
                if !is_taken {
                    let directory = Self { path: sessions.join(name), _lock: lock };
                    let made = directory.make();
                    return made.inspect_err(|_| remove(&directory.path)).map(|()| directory);
                }
            }
        };
        created().with_context(|| format!("cannot make a session folder in {}", sessions.display()))
    }

    fn make(&self) -> Result<()> {
        fs::DirBuilder::new().mode(0o700).create(&self.path)?;
        stand_ins::write(&self.tools())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The programs that stand in for the real ones.
    pub fn tools(&self) -> PathBuf {
        self.path.join("tools")
    }
}

/// Sees to it that nobody else reads the folder, or has it.
fn own(folder: &Path) -> Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        bail!("it is not a folder of this user");
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Runs something while this process is in another folder: that of the notebook may hold what a library
/// would read there.
///
/// # Errors
/// When either folder cannot be entered.
pub fn within<T>(folder: &Path, run: impl FnOnce() -> T) -> Result<T> {
    let before = env::current_dir();
    env::set_current_dir(folder).with_context(|| format!("cannot enter {}", folder.display()))?;
    let result = run();
    if let Ok(before) = before {
        env::set_current_dir(&before).with_context(|| format!("cannot return to {}", before.display()))?;
    }
    Ok(result)
}

/// Removes a session's folder. The lock goes last: as long as it is there, a folder that could not be removed is tried
/// again later.
pub fn remove(path: &Path) {
    if !path.exists() || fs::remove_dir_all(path).is_ok() {
        let _ = fs::remove_file(path.with_extension("lock"));
    }
}

fn sweep(sessions: &Path) -> Result<()> {
    for entry in fs::read_dir(sessions)?.flatten() {
        let lock_path = entry.path();
        if lock_path.extension().is_some_and(|extension| extension == "lock")
            && let Ok(lock) = File::open(&lock_path)
            && lock.try_lock().is_ok()
        {
            remove(&lock_path.with_extension(""));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_the_dead_are_swept() {
        let sessions = tempfile::tempdir().unwrap();
        let alive = SessionDirectory::create_in(sessions.path()).unwrap();
        let dead = SessionDirectory::create_in(sessions.path()).unwrap();
        let dead_path = dead.path().to_owned();
        fs::write(dead_path.join("file"), "x").unwrap();
        // As its process's end does. Closing alone does not: a test next to this one may be starting a program, and
        // until that begins it has a copy of the open file, with the lock.
        dead._lock.unlock().unwrap();
        drop(dead);
        let new = SessionDirectory::create_in(sessions.path()).unwrap();
        assert!(alive.path().exists() && new.path().exists());
        assert!(!dead_path.exists());
        remove(&new.path);
        assert!(!new.path().exists());
        assert_eq!(
            fs::read_dir(sessions.path()).unwrap().count(),
            2,
            "the folder and the lock of the living"
        );
    }
}
