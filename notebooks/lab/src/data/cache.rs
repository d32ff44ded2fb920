//! A data set whose files are known in advance, in a folder that is filled by downloads.

use super::{Dataset, Error, download::download, idx};
use crate::{interrupt, whole_file};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A file whose content is known in advance.
#[derive(Clone, Debug)]
pub struct Known {
    /// The name of the file, without a folder and without `.gz`.
    pub name: &'static str,
    /// The uncompressed size in bytes.
    pub size: u64,
    /// The checksum of the uncompressed bytes, in hexadecimal: gzip headers differ between mirrors.
    pub sha256: &'static str,
}

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

/// The data set in `files`, from the folder `cache` if there is one. What is missing or damaged there is downloaded from
/// `mirrors`, unless there are none.
pub fn load(files: &[Known; 4], cache: Option<&Path>, mirrors: &[String]) -> Result<Dataset, Error> {
    let mut loaded = Vec::new();
    for known in files {
        let path = cache.unwrap_or(Path::new("")).join(known.name);
        let bytes = match from_cache(known, &path) {
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

impl Known {
    /// Reads no more than the known size, and compares the checksum, which makes other checks unnecessary.
    pub(super) fn read(&self, input: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
        let file = || path.to_path_buf();
        let mut bytes = Vec::new();
        let read = interrupt::Reader::new(input).take(self.size + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::Unreadable { file: file(), source })?;
        let (found, expected) = (bytes.len() as u64, self.size);
        if found < expected {
            return Err(Error::Truncated { file: file(), found, expected });
        }
        if found > expected {
            return Err(Error::TooLong { file: file(), expected });
        }
        let found = idx::sha256(&bytes);
        if found != self.sha256 {
            return Err(Error::Checksum { file: file(), found, expected: self.sha256 });
        }
        Ok(bytes)
    }
}

/// A file whose content is known, at this path.
pub fn from_cache(known: &Known, path: &Path) -> Result<Vec<u8>, Error> {
    match File::open(path) {
        Ok(file) => known.read(file, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing { file: path.into() }),
        Err(source) => Err(Error::Unreadable { file: path.into(), source }),
    }
}
