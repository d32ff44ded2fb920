//! The sets in the cache: what they take up, when they were last used, and their removal.
//!
//! A session holds a shared lock on the file `used` in each folder that its cells are linked with. A folder is not removed
//! while a session holds the lock. The modification time of the file is the time of the last use.

use super::home::Home;
use super::{DESCRIPTION, Environment};
use crate::files;
use crate::lab::Lab;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The file that sessions lock in the folders that they use.
const USED: &str = "used";

/// Keeps the libraries that a session is linked with from being removed.
pub struct Hold(#[allow(dead_code, reason = "files are unlocked when they are closed")] Vec<File>);

impl Environment {
    /// Marks the environment as in use for as long as the result lives. That fails silently in a shared install, which users
    /// can only read; nothing is ever removed there.
    pub fn hold(&self) -> Hold {
        let libraries = self.sets.iter().map(|set| set.path.as_path()).chain([self.library.as_path()]);
        let folders: BTreeSet<&Path> =
            libraries.filter_map(Path::parent).chain([self.package.as_path()]).collect();
        let hold = |folder: &Path| {
            let file = File::create(folder.join(USED)).ok()?;
            file.set_modified(SystemTime::now()).ok()?;
            file.try_lock_shared().ok()?;
            Some(file)
        };
        Hold(folders.into_iter().filter_map(hold).collect())
    }
}

/// Something compiled in the cache: a set, or everything that was compiled with another version of Rust or taper.
#[derive(Debug)]
pub struct Stored {
    /// The `:dep` lines of a set. `None` for an environment of another version.
    pub lines: Option<Vec<String>>,
    folder: PathBuf,
    /// The size of its own files in bytes; for a set without the crates that it shares with others.
    pub size: u64,
    /// When a session last began to use it.
    pub last_use: SystemTime,
    /// Whether a session is using it.
    pub is_in_use: bool,
}

/// The sets in a folder of environments, and the environments that this program does not use with this toolchain, the most
/// recently used first.
///
/// # Errors
/// When the folder cannot be read.
pub fn stored(environments: &Path, toolchain: &Toolchain) -> Result<Vec<Stored>> {
    let current = Home::of(environments, toolchain, None, &Lab::embedded())?.root;
    let mut stored = Vec::new();
    for root in files::subfolders(&files::canonical(environments))? {
        if root == current {
            stored.extend(
                files::subfolders(&root.join("sets")).unwrap_or_default().into_iter().filter_map(set),
            );
        } else {
            stored.extend(environment(root));
        }
    }
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.last_use));
    Ok(stored)
}

/// The set in a folder.
fn set(folder: PathBuf) -> Option<Stored> {
    let wanted = wanted(&folder)?;
    let lines = wanted.iter().map(|(name, config)| format!("{name} = {config}")).collect();
    let (last_use, is_in_use) = usage(&folder)?;
    Some(Stored { lines: Some(lines), size: files::size(&folder), folder, last_use, is_in_use })
}

/// The environment in a folder, with all its sets.
fn environment(root: PathBuf) -> Option<Stored> {
    let parts =
        ["labs", "sets"].into_iter().flat_map(|kind| files::subfolders(&root.join(kind)).unwrap_or_default());
    let (last_uses, in_use): (Vec<_>, Vec<_>) = parts.filter_map(|part| usage(&part)).unzip();
    let last_use = last_uses.into_iter().max().or_else(|| fs::metadata(&root).ok()?.modified().ok())?;
    let is_being_built = File::open(root.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
    let is_in_use = in_use.contains(&true) || is_being_built;
    Some(Stored { lines: None, size: files::size(&root), folder: root, last_use, is_in_use })
}

/// When a folder was used last, and whether somebody uses it.
fn usage(folder: &Path) -> Option<(SystemTime, bool)> {
    let used = File::open(folder.join(USED)).ok();
    let last_use = used.as_ref().and_then(|used| used.metadata().ok()?.modified().ok());
    let last_use = last_use.or_else(|| fs::metadata(folder).ok()?.modified().ok())?;
    Some((last_use, used.is_some_and(|used| used.try_lock().is_err())))
}

/// What the set in a folder was asked for: the table `[dependencies]` without taper's own packages.
fn wanted(folder: &Path) -> Option<toml::Table> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let mut dependencies = manifest.get("dependencies")?.as_table()?.clone();
    dependencies.retain(|name, _| !["lab", "taper-common"].contains(&name));
    Some(dependencies)
}

/// Whether there is a complete set for these lines, but not in the folder `own`.
pub fn is_built_elsewhere(environments: &Path, lines: &toml::Table, own: &Path) -> bool {
    let roots = files::subfolders(&files::canonical(environments)).unwrap_or_default();
    let is_complete = |set: &Path| set.join(DESCRIPTION).exists();
    let mut sets = roots.iter().flat_map(|root| files::subfolders(&root.join("sets")).unwrap_or_default());
    !is_complete(own) && sets.any(|set| is_complete(&set) && wanted(&set).as_ref() == Some(lines))
}

impl Stored {
    /// The time since the last use.
    pub fn unused_for(&self) -> Duration {
        self.last_use.elapsed().unwrap_or_default()
    }

    /// Removes it, unless somebody uses it; returns whether it is gone.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> Result<bool> {
        // A session that begins to use it during the removal finds it incomplete, and builds it again.
        let now =
            if self.lines.is_some() { set(self.folder.clone()) } else { environment(self.folder.clone()) };
        if now.is_some_and(|now| now.is_in_use) {
            return Ok(false);
        }
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        Ok(true)
    }
}

/// Removes the compiled crates that no environment and no set needs any more, except where a build is running; returns how
/// many bytes they took up.
///
/// # Errors
/// When one of them cannot be removed.
pub fn sweep(environments: &Path) -> Result<u64> {
    let mut freed = 0;
    for root in files::subfolders(&files::canonical(environments))? {
        let Ok(lock) = File::create(root.join("lock")) else { continue };
        // Another process is building there.
        if lock.try_lock().is_err() {
            continue;
        }
        let mut needed = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for kind in ["labs", "sets"] {
            for folder in files::subfolders(&root.join(kind)).unwrap_or_default() {
                if let Some(environment) = Environment::read(&folder) {
                    needed.extend(
                        environment.compiled().filter_map(|found| Some(found.file.file_stem()?.to_owned())),
                    );
                    // The parts of `lab` are kept next to its library.
                    needed.extend(
                        environment.sizes.keys().filter_map(|file| Some(file.file_stem()?.to_owned())),
                    );
                    folders.extend(
                        environment
                            .dependencies
                            .iter()
                            .filter(|folder| folder.ends_with("debug/deps"))
                            .cloned(),
                    );
                }
            }
        }
        // The crates in this folder are for the host: procedural macros and build scripts need them.
        folders.retain(|folder| !folder.ends_with("target/debug/deps"));
        for file in folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
            let path = file.path();
            let is_compiled =
                path.extension().is_some_and(|extension| extension == "rlib" || extension == "rmeta");
            let is_part_of_lab = path.file_stem().is_some_and(|stem| !stem.to_string_lossy().contains('-'));
            if is_compiled && !is_part_of_lab && path.file_stem().is_some_and(|stem| !needed.contains(stem)) {
                freed += file.metadata().map_or(0, |metadata| metadata.len());
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_holds_is_not_removed() {
        let environments = tempfile::tempdir().unwrap();
        let toolchain = Toolchain::find().unwrap();
        let home = Home::of(environments.path(), &toolchain, None, &Lab::embedded()).unwrap();
        let folder = home.set("key");
        files::write(
            &folder.join("Cargo.toml"),
            "[dependencies]\nlab = { path = \"x\" }\ntaper-common = { path = \"y\" }\nrand = \"0.9\"\n",
        )
        .unwrap();
        files::write(&folder.join("libset.so"), [0; 1000]).unwrap();
        let list = || stored(environments.path(), &toolchain).unwrap();
        let found = &list()[0];
        assert_eq!((&found.lines, found.is_in_use), (&Some(vec!["rand = \"0.9\"".to_owned()]), false));
        assert!((1000..1200).contains(&found.size), "{}", found.size);
        let used = File::create(folder.join(USED)).unwrap();
        used.set_modified(SystemTime::now() - Duration::from_secs(100)).unwrap();
        used.try_lock_shared().unwrap();
        let found = &list()[0];
        assert!(found.is_in_use && !found.remove().unwrap());
        assert!((100..110).contains(&found.unused_for().as_secs()));
        drop(used);
        // Another test may be starting a program, which inherits the open file until it calls `exec`.
        let mut removed = found.remove().unwrap();
        for _ in 0..100 {
            removed = removed || found.remove().unwrap();
            std::thread::sleep(Duration::from_millis(5));
            if removed {
                break;
            }
        }
        assert!(removed && !folder.exists() && list().is_empty());
    }

    #[test]
    fn what_was_compiled_with_another_version_is_one_entry_and_is_known_when_it_is_built_again() {
        let environments = tempfile::tempdir().unwrap();
        let old = environments.path().join("other");
        files::write(&old.join("labs/one/liblab.so"), [0; 3000]).unwrap();
        let manifest = "[dependencies]\nlab = { path = \"x\" }\nrand = \"0.9\"\n";
        files::write(&old.join("sets/key/Cargo.toml"), manifest).unwrap();
        let lines: toml::Table = "rand = \"0.9\"".parse().unwrap();
        let new = environments.path().join("new/sets/key");
        let is_again = || is_built_elsewhere(environments.path(), &lines, &new);
        assert!(!is_again(), "its build was not finished");
        files::write(&old.join("sets/key").join(DESCRIPTION), "{}").unwrap();
        assert!(is_again());
        assert!(!is_built_elsewhere(environments.path(), &lines, &old.join("sets/key")));
        let used = File::create(old.join("labs/one").join(USED)).unwrap();
        used.try_lock_shared().unwrap();
        let list = || stored(environments.path(), &Toolchain::find().unwrap()).unwrap();
        let found = &list()[0];
        assert!(found.lines.is_none() && found.size > 3000 && found.is_in_use && !found.remove().unwrap());
    }
}
