//! Files whose content is known in advance.

use super::{Error, idx};
use crate::interrupt;
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

    /// Reads the file at this path.
    pub(super) fn read_file(&self, path: &Path) -> Result<Vec<u8>, Error> {
        match File::open(path) {
            Ok(file) => self.read(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Missing { file: path.into() })
            }
            Err(source) => Err(Error::Unreadable { file: path.into(), source }),
        }
    }
}
