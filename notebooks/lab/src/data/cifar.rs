//! CIFAR-10: where it is looked for, and how its files are written.

mod archive;
mod binary;

pub use binary::from_cifar_dir;
pub(super) use binary::write;

use super::{Dataset, Error, emoji, places};
use crate::check_interrupt;
use std::path::PathBuf;

/// Colour pictures of 32 x 32 pixels in ten classes, 50,000 to train on and 10,000 to test on: CIFAR-10, by Krizhevsky, "Learning
/// multiple layers of features from tiny images", 2009. Where there is neither CIFAR-10 nor a network these are [`emoji`], which
/// one printed line says; `name` tells which.
///
/// Looks in the folder `CIFAR_DIR` if that is set, for the files of the binary version or its archive; else in the user's cache; and
/// else downloads 163 MiB from [its home page](https://www.cs.toronto.edu/~kriz/cifar.html) or a mirror, as
/// [`mnist`](super::mnist) does. `TAPER_OFFLINE=1` forbids downloads.
///
/// # Errors
/// When `CIFAR_DIR` is set but its files are missing or invalid, when the emoji are needed and cannot be read, or when the user
/// interrupts.
pub fn cifar10() -> Result<Dataset, Error> {
    CifarSource::from_env().load()
}

/// Where [`cifar10`] looks.
#[derive(Clone, Debug)]
pub struct CifarSource {
    /// A folder that must have the data. If it is set, no other place is tried.
    pub dir: Option<PathBuf>,
    /// The folder that keeps what was downloaded.
    pub cache: Option<PathBuf>,
    /// The URLs to download from, up to the name of the archive. If there are none, nothing is downloaded.
    pub mirrors: Vec<String>,
    /// The MD5 of the archive in hexadecimal. CIFAR-10's home page has no other checksum.
    pub md5: &'static str,
}

impl CifarSource {
    /// From the environment: `CIFAR_DIR`, `TAPER_OFFLINE`, and the folder for caches on this system.
    pub fn from_env() -> Self {
        // Plain HTTP is enough, since the archive is compared with its checksum.
        let mirrors = [
            "http://www.cs.toronto.edu/~kriz/",
            "http://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
        ];
        Self {
            dir: places::from_env("CIFAR_DIR"),
            cache: places::cache("cifar-10"),
            mirrors: if places::is_offline() { vec![] } else { mirrors.map(Into::into).into() },
            md5: "c32a1d4ab5d03f1284b67883e8d87530",
        }
    }

    /// See [`cifar10`].
    ///
    /// # Errors
    /// As [`cifar10`].
    pub fn load(&self) -> Result<Dataset, Error> {
        if let Some(dir) = &self.dir {
            return binary::from_folder(dir, self.md5);
        }
        let loaded = archive::load(self.cache.as_deref(), &self.mirrors, self.md5);
        check_interrupt()?;
        loaded.or_else(|error| {
            let offline =
                if self.mirrors.is_empty() { ", and TAPER_OFFLINE forbids downloading it" } else { "" };
            println!("Using emoji instead of CIFAR-10: {error}{offline}.");
            emoji()
        })
    }
}
