//! The archive of CIFAR-10's binary version, as it is downloaded. It is kept as it is, since only it has a published checksum.

use super::binary::{self, MOST_BYTES};
use crate::data::{Dataset, Error, download::download};
use crate::{interrupt, whole_file};
use flate2::read::GzDecoder;
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use tar::Archive;

/// The name of the archive.
pub const NAME: &str = "cifar-10-binary.tar.gz";

/// Its size is 170,052,171 bytes. More are not read.
const MOST: u64 = 200_000_000;

/// The data set in the archive in the folder `cache`, if there is one. If it is missing or damaged there, it is downloaded from
/// `mirrors`, unless there are none.
pub fn load(cache: Option<&Path>, mirrors: &[String], md5: &'static str) -> Result<Dataset, Error> {
    let path = cache.unwrap_or(Path::new("")).join(NAME);
    let bytes = match read(&path, md5) {
        Err(error) if mirrors.is_empty() => return Err(error),
        Err(error) => {
            if !matches!(error, Error::Missing { .. }) {
                println!("{error}; downloading it again");
            }
            let urls: Vec<String> = mirrors.iter().map(|mirror| format!("{mirror}{NAME}")).collect();
            let bytes = download(NAME, &urls, move |input| checked(input, Path::new(NAME), md5))?;
            if cache.is_some()
                && let Err(error) = whole_file::write(&path, &bytes)
            {
                println!("{}: cannot be kept for the next time: {error}", path.display());
            }
            bytes
        }
        Ok(bytes) => bytes,
    };
    unpack(&bytes, &path)
}

/// The bytes of the archive at `path`, which has this checksum.
pub fn read(path: &Path, md5: &'static str) -> Result<Vec<u8>, Error> {
    match File::open(path) {
        Ok(file) => checked(&mut interrupt::Reader::new(file), path, md5),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing { file: path.into() }),
        Err(source) => Err(Error::Unreadable { file: path.into(), source }),
    }
}

fn checked(input: &mut dyn Read, path: &Path, expected: &'static str) -> Result<Vec<u8>, Error> {
    let file = || path.to_path_buf();
    let mut bytes = Vec::new();
    let read = input.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Unreadable { file: file(), source })?;
    if bytes.len() as u64 > MOST {
        return Err(Error::TooLong { file: file(), expected: MOST });
    }
    let found: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != expected {
        return Err(Error::Md5 { file: file(), found, expected });
    }
    Ok(bytes)
}

/// The data set in the bytes of an archive. Files that it does not need are passed over, and nothing is written to the disk.
pub fn unpack(bytes: &[u8], path: &Path) -> Result<Dataset, Error> {
    let fault = |source| Error::Gzip { file: path.into(), source };
    let mut archive = Archive::new(interrupt::Reader::new(GzDecoder::new(bytes)));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let inside = entry.path().map_err(fault)?.into_owned();
        let Some(name) = binary::needed(&inside) else { continue };
        let mut content = Vec::new();
        entry.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(fault)?;
        files.insert(name, content);
    }
    binary::dataset(&path.display().to_string(), path, files)
}
