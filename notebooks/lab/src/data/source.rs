//! The places where MNIST is looked for.

use super::{Dataset, Error, Known, MNIST, cache, drawn, from_dir, places};
use crate::check_interrupt;
use std::path::PathBuf;

/// Handwritten digits, 60,000 to train on and 10,000 to test on: MNIST, or digits that this crate draws where there is neither
/// MNIST nor a network, which one printed line says. `name` tells which.
///
/// Looks in the folder `MNIST_DIR` if that is set, else in the user's cache, and else downloads MNIST, through the proxy that
/// `http_proxy` or `all_proxy` names unless `no_proxy` names the host. `TAPER_OFFLINE=1` forbids downloads.
///
/// # Errors
/// When `MNIST_DIR` is set but its files are missing or invalid, or the user interrupts.
pub fn mnist() -> Result<Dataset, Error> {
    Source::from_env().load()
}

/// Where [`mnist`] looks.
#[derive(Clone, Debug)]
pub struct Source {
    /// A folder that must have the data. If it is set, no other place is tried.
    pub dir: Option<PathBuf>,
    /// The folder that keeps what was downloaded.
    pub cache: Option<PathBuf>,
    /// The URLs to download from, up to the name of the file. If there are none, nothing is downloaded.
    pub mirrors: Vec<String>,
    /// The files that the cache is to hold: images and labels to train on, images and labels to test on.
    pub files: [Known; 4],
}

impl Source {
    /// From the environment: `MNIST_DIR`, `TAPER_OFFLINE`, and the folder for caches on this system.
    pub fn from_env() -> Self {
        // Plain HTTP is enough, since the files are compared with checksums in this crate.
        let mirrors = [
            "http://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://storage.googleapis.com/cvdf-datasets/mnist/",
        ];
        Self {
            dir: places::from_env("MNIST_DIR"),
            cache: places::cache("mnist"),
            mirrors: if places::is_offline() { vec![] } else { mirrors.map(Into::into).into() },
            files: MNIST,
        }
    }

    /// See [`mnist`].
    ///
    /// # Errors
    /// When `dir` is set but its files are missing or invalid, or the user interrupts.
    pub fn load(&self) -> Result<Dataset, Error> {
        if let Some(dir) = &self.dir {
            return from_dir(dir);
        }
        let loaded = cache::load(&self.files, self.cache.as_deref(), &self.mirrors);
        check_interrupt()?;
        loaded.or_else(|error| {
            let offline =
                if self.mirrors.is_empty() { ", and TAPER_OFFLINE forbids downloading it" } else { "" };
            println!("Using drawn digits instead of MNIST: {error}{offline}.");
            drawn(0)
        })
    }
}
