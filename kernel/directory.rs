//! The folder that a session works in, and what killed sessions have left behind.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where in it evcxr works: its crate, with the cell in src/lib.rs.
pub const CELLS: &str = "cells";
/// What leads to the shared library of `lab` that cells are linked with.
pub const LAB: &str = "liblab";

/// A session's folder. Its owner holds the lock on the file next to it as long as it lives.
pub struct SessionDirectory {
    path: PathBuf,
    _lock: File,
}

impl SessionDirectory {
    /// Makes a new one in `sessions`, readable by its owner only, and removes those whose owners have died.
    pub fn create(sessions: &Path) -> Result<Self> {
        let created = || -> Result<Self> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(sessions)?;
            sweep(sessions)?;
            loop {
                let name = uuid::Uuid::new_v4().simple().to_string();
                let lock_path = sessions.join(&name).with_extension("lock");
                let lock = File::create(&lock_path)?;
                // Between the two calls another session may have taken it for a leftover: then try again.
                if lock.try_lock().is_ok() && lock_path.exists() {
                    let path = sessions.join(name);
                    fs::DirBuilder::new().mode(0o700).create(&path)?;
                    return Ok(Self { path, _lock: lock });
                }
            }
        };
        created().with_context(|| format!("cannot make a session folder in {}", sessions.display()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
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
        let alive = SessionDirectory::create(sessions.path()).unwrap();
        let dead = SessionDirectory::create(sessions.path()).unwrap();
        let dead_path = dead.path().to_owned();
        fs::write(dead_path.join("file"), "x").unwrap();
        drop(dead);
        let new = SessionDirectory::create(sessions.path()).unwrap();
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
