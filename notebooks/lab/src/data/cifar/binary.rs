//! The files of CIFAR-10's binary version: for each picture a byte for its class, then its red, its green and its blue pixels, row by
//! row; and the names of the classes, each on a line. Described at <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::archive;
use crate::data::{Dataset, Error};
use crate::interrupt;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The channels, rows and columns of a picture.
const SHAPE: [usize; 3] = [3, 32, 32];
/// The bytes of a picture with its class.
const RECORD: usize = 1 + SHAPE[0] * SHAPE[1] * SHAPE[2];

/// The files with the pictures to train on, then the one with the pictures to test on.
const PARTS: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const TEST: usize = 5;
/// The file with the names of the classes.
const NAMES: &str = "batches.meta.txt";
/// The folder in the archive.
const FOLDER: &str = "cifar-10-batches-bin";

/// CIFAR-10's own classes and numbers of pictures.
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const LENGTHS: [usize; 2] = [50_000, 10_000];

/// More than any of the files has.
pub const MOST_BYTES: u64 = 100_000 * RECORD as u64;

/// Reads a data set in the files of CIFAR-10's binary version, `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` and
/// `batches.meta.txt`, or in its archive. It is called `CIFAR-10` if it has the classes and the numbers of pictures of CIFAR-10, else
/// after the folder.
///
/// # Errors
/// Names the file that is missing or invalid.
pub fn from_cifar_dir(dir: impl AsRef<Path>) -> Result<Dataset, Error> {
    from_folder(dir.as_ref(), super::CifarSource::from_env().md5)
}

/// Reads the files in a folder, or in the folder that the archive makes there, or the archive, which has this checksum.
pub fn from_folder(dir: &Path, md5: &'static str) -> Result<Dataset, Error> {
    if !dir.is_dir() {
        return Err(Error::NoFolder { file: dir.into() });
    }
    let has_any = |dir: &Path| PARTS.iter().any(|name| dir.join(name).exists());
    let folders = [dir.to_path_buf(), dir.join(FOLDER)];
    let packed = dir.join(archive::NAME);
    let Some(folder) = folders.iter().find(|folder| has_any(folder)) else {
        if !packed.exists() {
            return Err(Error::Missing { file: dir.join(PARTS[0]) });
        }
        return archive::unpack(&archive::read(&packed, md5)?, &packed);
    };
    let mut files = BTreeMap::new();
    for name in PARTS.into_iter().chain([NAMES]) {
        if let Some(bytes) = read(&folder.join(name))? {
            files.insert(name, bytes);
        }
    }
    let own = dir.canonicalize().ok().and_then(|dir| Some(dir.file_name()?.to_string_lossy().into_owned()));
    dataset(&own.unwrap_or_default(), folder, files)
}

/// `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    let read = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => {
            opened.and_then(|file| interrupt::Reader::new(file).take(MOST_BYTES + 1).read_to_end(&mut bytes))
        }
    };
    read.map_err(|source| Error::Unreadable { file: path.into(), source })?;
    Ok(Some(bytes))
}

/// The name of the file that a path in the archive leads to, if it is needed.
pub fn needed(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?;
    PARTS.into_iter().chain([NAMES]).find(|needed| name == *needed)
}

/// Combines the files of `place`, a folder or an archive. `own` is what to call the data if they are not CIFAR-10.
pub fn dataset(
    own: &str,
    place: &Path,
    mut files: BTreeMap<&'static str, Vec<u8>>,
) -> Result<Dataset, Error> {
    let mut take = |name: &'static str| {
        let file = place.join(name);
        files.remove(name).map(|bytes| (bytes, file.clone())).ok_or(Error::Missing { file })
    };
    let (names, file) = take(NAMES)?;
    let names = class_names(&names).ok_or(Error::ClassNames { file })?;
    let mut parts = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for (at, name) in PARTS.into_iter().enumerate() {
        let (bytes, file) = take(name)?;
        let (pixels, classes) = &mut parts[usize::from(at == TEST)];
        append(&bytes, file, names.len(), pixels, classes)?;
    }
    let is_genuine = names == CLASSES && [0, 1].map(|at| parts[at].1.len()) == LENGTHS;
    let name = if is_genuine { "CIFAR-10".into() } else { format!("pictures from {own}") };
    let [train, test] = parts;
    Ok(Dataset::new(&name, SHAPE, names, train, test))
}

/// One name on each line. There can be 256, as a class is a byte.
fn class_names(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
    (1..=256).contains(&names.len()).then_some(names)
}

/// Appends the pictures of a file, whose classes are checked.
fn append(
    bytes: &[u8],
    file: PathBuf,
    number_of_classes: usize,
    pixels: &mut Vec<u8>,
    classes: &mut Vec<u8>,
) -> Result<(), Error> {
    let found = bytes.len() as u64;
    if found > MOST_BYTES {
        return Err(Error::TooLong { file, expected: MOST_BYTES });
    }
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        let expected = bytes.len().div_ceil(RECORD).max(1) * RECORD;
        return Err(Error::Truncated { file, found, expected: expected as u64 });
    }
    for (position, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[0]) >= number_of_classes {
            let last = number_of_classes - 1;
            return Err(Error::Label { file, label: record[0], position, last });
        }
        classes.push(record[0]);
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(())
}

/// Writes a data set of such pictures to a folder, which is created if need be.
pub fn write(dataset: &Dataset, folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Unwritable { file: folder.into(), source })?;
    let (train, test) = (&dataset.train, &dataset.test);
    for split in [train, test] {
        if split.shape() != SHAPE {
            return Err(Error::Shape { file: folder.into(), found: split.shape(), expected: SHAPE });
        }
    }
    if train.len() < TEST || test.is_empty() {
        let found = train.len().min(test.len());
        return Err(Error::TooFew { file: folder.into(), found });
    }
    let records = |split: &crate::data::Split, range: Range<usize>| -> Vec<u8> {
        range.flat_map(|at| [&split.classes()[at..][..1], split.image(at)].concat()).collect()
    };
    let mut files: Vec<(&str, Vec<u8>)> = (0..TEST)
        .map(|at| (PARTS[at], records(train, at * train.len() / TEST..(at + 1) * train.len() / TEST)))
        .collect();
    files.push((PARTS[TEST], records(test, 0..test.len())));
    files.push((NAMES, format!("{}\n", train.class_names().join("\n")).into_bytes()));
    for (name, bytes) in files {
        let file = folder.join(name);
        fs::write(&file, bytes).map_err(|source| Error::Unwritable { file, source })?;
    }
    Ok(())
}
