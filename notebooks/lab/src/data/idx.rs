//! IDX, the format of MNIST's files: a magic number, the lengths of the dimensions, and bytes, all big-endian.
//! Described at <https://yann.lecun.com/exdb/mnist/>.

use super::{DIGIT, Dataset, Error, MNIST, Split};
use crate::interrupt;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Reads a data set in the four files of MNIST, such as `train-images-idx3-ubyte` or, as some name it,
/// `train-images.idx3-ubyte`, plain or with `.gz`.
///
/// It is called `MNIST` if all four are MNIST's own by their checksums, else after the folder.
///
/// # Errors
/// Names the file that is missing or invalid.
pub fn from_dir(dir: impl AsRef<Path>) -> Result<Dataset, Error> {
    let dir = dir.as_ref();
    if !dir.is_dir() {
        return Err(Error::NoFolder { file: dir.into() });
    }
    let mut files = Vec::new();
    for (known, kind) in MNIST.iter().zip(KINDS) {
        let path = find(dir, known.name).ok_or_else(|| Error::Missing { file: dir.join(known.name) })?;
        files.push((read(&path, kind)?, path));
    }
    let genuine = files.iter().zip(&MNIST).all(|((bytes, _), known)| sha256(bytes) == known.sha256);
    let folder =
        dir.canonicalize().ok().and_then(|dir| Some(dir.file_name()?.to_string_lossy().into_owned()));
    let name = match folder {
        _ if genuine => "MNIST".into(),
        Some(folder) => format!("digits from {folder}"),
        None => "digits".into(),
    };
    dataset(&name, files)
}

/// Writes images and labels to two files as [`from_dir`] reads them.
pub fn write(split: &Split, images: &Path, labels: &Path) -> Result<(), Error> {
    if split.shape() != DIGIT {
        return Err(Error::Shape { file: images.into(), found: split.shape(), expected: DIGIT });
    }
    let [count, rows, columns] = [split.len(), DIGIT[1], DIGIT[2]].map(|number| number as u32);
    write_file(images, &[Kind::Images.magic(), count, rows, columns], split.pixels())?;
    write_file(labels, &[Kind::Labels.magic(), count], split.classes())
}

fn write_file(path: &Path, header: &[u32], content: &[u8]) -> Result<(), Error> {
    let header: Vec<u8> = header.iter().flat_map(|number| number.to_be_bytes()).collect();
    let written = File::create(path).and_then(|mut file| {
        file.write_all(&header)?;
        file.write_all(content)
    });
    written.map_err(|source| Error::Unwritable { file: path.into(), source })
}

/// Whether a file holds images or labels.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Images,
    Labels,
}

/// The kinds of the four files, in the order of [`MNIST`].
const KINDS: [Kind; 4] = [Kind::Images, Kind::Labels, Kind::Images, Kind::Labels];

/// More images than any such data set has; a header that claims more is damaged.
const MAX_COUNT: u32 = 1_000_000;

impl Kind {
    const fn magic(self) -> u32 {
        match self {
            Kind::Images => 0x803,
            Kind::Labels => 0x801,
        }
    }

    const fn header_len(self) -> usize {
        match self {
            Kind::Images => 16,
            Kind::Labels => 8,
        }
    }

    const fn item_len(self) -> usize {
        match self {
            Kind::Images => DIGIT[1] * DIGIT[2],
            Kind::Labels => 1,
        }
    }
}

/// The file `name` in `dir`, under either of its names, plain or with `.gz`. Some archives have folders of these names.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let names = [name.to_string(), name.replacen("-idx", ".idx", 1)];
    let files = names.iter().flat_map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    files.into_iter().find(|path| path.is_file())
}

/// The uncompressed bytes of a file whose header, length and labels are right.
fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|source| Error::Unreadable { file: path.into(), source })?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        parse(GzDecoder::new(file), kind, path, |file, source| Error::Gzip { file, source })
    } else {
        parse(file, kind, path, |file, source| Error::Unreadable { file, source })
    }
}

/// Reads no more than the header claims, which is limited, so a wrong header costs nothing.
fn parse(
    input: impl Read,
    kind: Kind,
    path: &Path,
    fault: impl Fn(PathBuf, io::Error) -> Error,
) -> Result<Vec<u8>, Error> {
    let file = || path.to_path_buf();
    let mut bytes = Vec::new();
    let mut input = interrupt::Reader::new(input);
    let mut read_to = |bytes: &mut Vec<u8>, len: u64| {
        let missing = len - bytes.len() as u64;
        input.by_ref().take(missing).read_to_end(bytes).map_err(|source| fault(file(), source))
    };
    read_to(&mut bytes, kind.header_len() as u64)?;
    if bytes.len() < kind.header_len() {
        let (found, expected) = (bytes.len() as u64, kind.header_len() as u64);
        return Err(Error::Truncated { file: file(), found, expected });
    }
    let header: Vec<u32> = bytes.chunks(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    if header[0] != kind.magic() {
        return Err(Error::Magic { file: file(), found: header[0], expected: kind.magic() });
    }
    if header[1] == 0 || header[1] > MAX_COUNT {
        return Err(Error::Count { file: file(), found: header[1], limit: MAX_COUNT });
    }
    if let [_, _, rows, columns] = header[..]
        && [rows as usize, columns as usize] != DIGIT[1..]
    {
        return Err(Error::Dimensions { file: file(), rows, columns });
    }
    let expected = (kind.header_len() + header[1] as usize * kind.item_len()) as u64;
    read_to(&mut bytes, expected + 1)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(Error::Truncated { file: file(), found, expected });
    }
    if found > expected {
        return Err(Error::TooLong { file: file(), expected });
    }
    let labels = if kind == Kind::Labels { &bytes[kind.header_len()..] } else { &[] };
    if let Some(position) = labels.iter().position(|&label| label > 9) {
        return Err(Error::Label { file: file(), label: labels[position], position, last: 9 });
    }
    Ok(bytes)
}

/// Combines the bytes of the four files, in the order of [`MNIST`].
pub fn dataset(name: &str, files: Vec<(Vec<u8>, PathBuf)>) -> Result<Dataset, Error> {
    let mut parts = files.into_iter().zip(KINDS).map(|((mut bytes, path), kind)| {
        bytes.drain(..kind.header_len());
        (bytes, path)
    });
    let mut split = || {
        let (pixels, _) = parts.next().unwrap_or_default();
        let (labels, file) = parts.next().unwrap_or_default();
        let (found, expected) = (labels.len(), pixels.len() / Kind::Images.item_len());
        if found == expected { Ok((pixels, labels)) } else { Err(Error::Unequal { file, found, expected }) }
    };
    Ok(Dataset::digits(name, split()?, split()?))
}

/// The checksum in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::drawn_sized;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;

    #[test]
    fn files_are_found_under_all_their_common_names() {
        let digits = drawn_sized(0, 3, 2).unwrap();
        for (dotted, zipped) in [(false, false), (false, true), (true, false), (true, true)] {
            let folder = digits.to_idx().unwrap();
            for name in MNIST.map(|known| known.name) {
                let path = folder.path().join(name);
                let bytes = fs::read(&path).unwrap();
                fs::remove_file(&path).unwrap();
                let name = if dotted { name.replace("-idx", ".idx") } else { name.to_string() };
                if !zipped {
                    fs::write(folder.path().join(name), bytes).unwrap();
                    continue;
                }
                let file = File::create(folder.path().join(format!("{name}.gz"))).unwrap();
                GzEncoder::new(file, Compression::fast()).write_all(&bytes).unwrap();
            }
            if dotted {
                // As in an archive that also has each file in a folder of its name.
                fs::create_dir(folder.path().join(MNIST[0].name)).unwrap();
            }
            let found = from_dir(folder.path()).unwrap();
            assert_eq!(found.train.pixels(), digits.train.pixels(), "dotted {dotted}, zipped {zipped}");
            assert_eq!(found.test.classes(), digits.test.classes(), "dotted {dotted}, zipped {zipped}");
        }
    }

    #[test]
    fn a_file_that_is_missing_is_named_as_mnist_names_it() {
        let folder = drawn_sized(0, 3, 2).unwrap().to_idx().unwrap();
        fs::remove_file(folder.path().join(MNIST[2].name)).unwrap();
        let error = from_dir(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{}: not found", folder.path().join("t10k-images-idx3-ubyte").display()));
    }
}
