//! MNIST: its files, and where they are looked for.

use super::{Dataset, Error, Known, download::download, drawn, from_dir, idx, places};
use crate::{check_interrupt, whole_file};
use flate2::read::GzDecoder;
use std::path::{Path, PathBuf};

/// The files of MNIST: images and labels to train on, images and labels to test with.
pub const MNIST: [Known; 4] = [
    Known {
        name: "train-images-idx3-ubyte",
        size: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Known {
        name: "train-labels-idx1-ubyte",
        size: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    Known {
        name: "t10k-images-idx3-ubyte",
        size: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Known {
        name: "t10k-labels-idx1-ubyte",
        size: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Handwritten digits, 60,000 to train on and 10,000 to test on: MNIST, or digits that this crate draws where there is neither
/// MNIST nor a network, which one printed line says. `name` tells which.
///
/// Looks in the folder `MNIST_DIR` if that is set, else in the user's cache, and else downloads MNIST, through the proxy that
/// `http_proxy` or `all_proxy` names unless `no_proxy` names the host. `TAPER_OFFLINE=1` forbids downloads.
///
/// # Errors
/// When `MNIST_DIR` is set but its files are missing or invalid, or the user interrupts.
pub fn mnist() -> Result<Dataset, Error> {
    MnistSource::from_env().load()
}

/// Where [`mnist`] looks.
#[derive(Clone, Debug)]
pub struct MnistSource {
    /// A folder that must have the data. If it is set, no other place is tried.
    pub dir: Option<PathBuf>,
    /// The folder that keeps what was downloaded.
    pub cache: Option<PathBuf>,
    /// The URLs to download from, up to the name of the file. If there are none, nothing is downloaded.
    pub mirrors: Vec<String>,
    /// The files that the cache is to hold: images and labels to train on, images and labels to test on.
    pub files: [Known; 4],
}

impl MnistSource {
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
        let loaded = load(&self.files, self.cache.as_deref(), &self.mirrors);
        check_interrupt()?;
        loaded.or_else(|error| {
            let offline =
                if self.mirrors.is_empty() { ", and TAPER_OFFLINE forbids downloading it" } else { "" };
            println!("Using drawn digits instead of MNIST: {error}{offline}.");
            drawn(0)
        })
    }
}

/// The data set in `files`, from the folder `cache` if there is one. What is missing or damaged there is downloaded from
/// `mirrors`, unless there are none.
fn load(files: &[Known; 4], cache: Option<&Path>, mirrors: &[String]) -> Result<Dataset, Error> {
    let mut loaded = Vec::new();
    for known in files {
        let path = cache.unwrap_or(Path::new("")).join(known.name);
        let bytes = match known.read_file(&path) {
            Err(error) if mirrors.is_empty() => return Err(error),
            Err(error) => {
                if !matches!(error, Error::Missing { .. }) {
                    println!("{error}; downloading it again");
                }
                let bytes = from_mirrors(known, mirrors)?;
                if cache.is_some()
                    && let Err(error) = whole_file::write(&path, &bytes)
                {
                    println!("{}: cannot be kept for the next time: {error}", path.display());
                }
                bytes
            }
            Ok(bytes) => bytes,
        };
        loaded.push((bytes, path));
    }
    idx::dataset("MNIST", loaded)
}

fn from_mirrors(known: &Known, mirrors: &[String]) -> Result<Vec<u8>, Error> {
    let urls: Vec<String> = mirrors.iter().map(|mirror| format!("{mirror}{}.gz", known.name)).collect();
    let known = known.clone();
    download(known.name, &urls, move |input| known.read(GzDecoder::new(input), Path::new(known.name)))
}
