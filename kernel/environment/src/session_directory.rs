//! The folder that a session works in, and the removal of folders that killed sessions have left.

use crate::cache::cache;
use crate::stand_ins;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The subfolder in which cells are compiled. It is a crate with the cell in src/lib.rs.
pub const CELLS: &str = "cells";
/// The subfolder in which evcxr works.
pub const EVCXR: &str = "evcxr";
/// The link to the shared library of `lab` that cells are linked with.
pub const LAB: &str = "liblab";

/// A session's folder. As long as the session's process lives, it holds the lock on a file next to the folder.
pub struct SessionDirectory {
    path: PathBuf,
    _lock: File,
}

impl SessionDirectory {
    /// Creates a new folder in taper's cache or, if that is not writable, in the folder for temporary files.
    ///
    /// # Errors
    /// When neither is writable, or files cannot be locked there.
    pub fn create() -> Result<Self> {
        let user = rustix::process::getuid().as_raw();
        let temporary = std::env::temp_dir().join(format!("taper-{user}"));
        let in_cache = cache().and_then(|cache| Self::create_in(&cache.join("sessions")));
        in_cache.or_else(|error| {
            tracing::warn!("{error:#}; trying {} instead", temporary.display());
            Self::create_in(&temporary)
        })
    }

    /// Creates a new folder in `sessions` that only its owner can read, and removes the folders of processes that have died.
    fn create_in(sessions: &Path) -> Result<Self> {
        let created = || -> Result<Self> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(sessions)?;
            make_private(sessions)?;
            sweep(sessions)?;
            loop {
                let name = uuid::Uuid::new_v4().simple().to_string();
                let lock_path = sessions.join(&name).with_extension("lock");
                let lock = File::create(&lock_path)?;
                // Before it was locked, another session may have taken the file for a leftover. Then try again.
                let is_taken = match lock.try_lock() {
                    Ok(()) => !lock_path.exists(),
                    Err(TryLockError::WouldBlock) => true,
                    Err(TryLockError::Error(error)) => {
                        let _ = fs::remove_file(&lock_path);
                        return Err(error).context("the file system does not support locks");
                    }
                };
                if !is_taken {
                    let directory = Self { path: sessions.join(name), _lock: lock };
                    let made = directory.make();
                    return made.inspect_err(|_| remove(&directory.path)).map(|()| directory);
                }
            }
        };
        created().with_context(|| format!("cannot create a session folder in {}", sessions.display()))
    }

    fn make(&self) -> Result<()> {
        fs::DirBuilder::new().mode(0o700).create(&self.path)?;
        stand_ins::write(&self.tools())
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The subfolder with the scripts that take the place of cargo, rustc and rustup.
    pub fn tools(&self) -> PathBuf {
        self.path.join("tools")
    }
}

/// Checks that the folder belongs to this user, and removes the permissions of others.
fn make_private(folder: &Path) -> Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        bail!("this user does not own the folder");
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Runs a closure with another working directory, so that a library does not read files from the folder of the notebook.
///
/// # Errors
/// When the process cannot change to the folder, or back.
pub fn within<T>(folder: &Path, run: impl FnOnce() -> T) -> Result<T> {
    let before = env::current_dir();
    env::set_current_dir(folder).with_context(|| format!("cannot enter {}", folder.display()))?;
    let result = run();
    if let Ok(before) = before {
        env::set_current_dir(&before).with_context(|| format!("cannot return to {}", before.display()))?;
    }
    Ok(result)
}

/// Removes a session's folder. The lock file is removed last: as long as it exists, the next session tries to remove the
/// folder again.
pub fn remove(path: &Path) {
    if !path.exists() || fs::remove_dir_all(path).is_ok() {
        let _ = fs::remove_file(path.with_extension("lock"));
    }
}

/// Removes the folders whose locks nobody holds.
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
    fn only_the_folders_of_ended_processes_are_removed() {
        let sessions = tempfile::tempdir().unwrap();
        let alive = SessionDirectory::create_in(sessions.path()).unwrap();
        let dead = SessionDirectory::create_in(sessions.path()).unwrap();
        let dead_path = dead.path().to_owned();
        fs::write(dead_path.join("file"), "x").unwrap();
        // The end of a process releases its lock. Closing the file is not enough here: another test may be starting a
        // program, which inherits the open file, and with it the lock, until it is executed.
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
            "the folder and the lock of the live session"
        );
    }
}
