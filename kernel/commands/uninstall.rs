//! `taper uninstall`: removes everything that `taper install` has written.

use crate::jupyter_folders::{InstallScope, data, kernels, settings};
use crate::kernelspec::NAMES;
use crate::nbconvert;
use crate::terminal::say;
use anyhow::{Context, Result};
use environment::SharedInstall;
use environment::cache::{cache, environments};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Remove the kernel from Jupyter, and everything that was built for it
#[derive(clap::Args)]
pub struct Uninstall {
    #[command(flatten)]
    scope: InstallScope,
}

impl Uninstall {
    /// Removes the kernelspecs and everything that was built for them. Downloaded digits stay, and so do the folders of running
    /// kernels.
    pub fn run(&self) -> Result<ExitCode> {
        let data = data(&self.scope)?;
        for name in NAMES {
            remove("kernel", &kernels(&data).join(name))?;
        }
        nbconvert::take_back_default(&settings(&self.scope)?)?;
        remove("nbconvert template", &nbconvert::template_folder(&data))?;
        if let Some(prefix) = &self.scope.prefix {
            let shared = SharedInstall::at(prefix)?;
            if shared.folder().exists() {
                remove("program", &shared.program())?;
            }
            return remove("warm environment", &shared.folder()).map(|()| ExitCode::SUCCESS);
        }
        let cache = cache()?;
        remove("warm environment", &environments()?)?;
        remove("registration for `taper lab`", &cache.join("jupyter"))?;
        for entry in fs::read_dir(&cache).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("python-") {
                remove("Jupyter that was installed for taper", &entry.path())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn remove(what: &str, path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => say!("Removed the {what} in {}.", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say!("There is no {what} in {}.", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}
