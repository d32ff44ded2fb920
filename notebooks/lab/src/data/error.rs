//! Errors of data sets.

use crate::Interrupted;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a data set could not be read. Every message about a file names the file and says what is wrong with it.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are what the messages call them")]
pub enum Error {
    /// There is no such folder.
    #[error("{}: no such folder", .file.display())]
    NoFolder { file: PathBuf },
    /// A file is not there.
    #[error("{}: not found", .file.display())]
    Missing { file: PathBuf },
    /// The system cannot read a file.
    #[error("{}: cannot be read: {source}", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// The system cannot write a file.
    #[error("{}: cannot be written: {source}", .file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    /// A file is not in the format of gzip, or of an archive, or damaged.
    #[error("{}: broken gzip: {source}", .file.display())]
    Gzip { file: PathBuf, source: io::Error },
    /// A file ends too early. Sizes are in bytes, uncompressed.
    #[error("{}: truncated: {found} bytes where {expected} were expected", .file.display())]
    Truncated { file: PathBuf, found: u64, expected: u64 },
    /// A file goes on after its end.
    #[error("{}: too long: more than the expected {expected} bytes", .file.display())]
    TooLong { file: PathBuf, expected: u64 },
    /// A file starts with the wrong number for its kind.
    #[error("{}: wrong magic number {found:#010x}, expected {expected:#010x}", .file.display())]
    Magic { file: PathBuf, found: u32, expected: u32 },
    /// The images have the wrong size.
    #[error("{}: images of {rows} x {columns} pixels, expected 28 x 28", .file.display())]
    Dimensions { file: PathBuf, rows: u32, columns: u32 },
    /// The number of images or labels that a file claims is impossible.
    #[error("{}: a count of {found}, expected 1 to {limit}", .file.display())]
    Count { file: PathBuf, found: u32, limit: u32 },
    /// The numbers of labels and images differ.
    #[error("{}: {found} labels for {expected} images", .file.display())]
    Unequal { file: PathBuf, found: usize, expected: usize },
    /// A label is not that of a class.
    #[error("{}: label {label} at position {position}, expected 0 to {last}", .file.display())]
    Label { file: PathBuf, label: u8, position: usize, last: usize },
    /// The names of the classes cannot be read, or there are none or more than 256.
    #[error("{}: expected 1 to 256 names of classes, each on a line", .file.display())]
    ClassNames { file: PathBuf },
    /// The content of a file is not the expected one.
    #[error("{}: wrong SHA-256 {found}, expected {expected}", .file.display())]
    Checksum { file: PathBuf, found: String, expected: &'static str },
    /// The content of a file is not the expected one.
    #[error("{}: wrong MD5 {found}, expected {expected}", .file.display())]
    Md5 { file: PathBuf, found: String, expected: &'static str },
    /// Images have another shape (channels, rows, columns) than a format can hold.
    #[error("{}: images of shape {found:?} cannot be written in this format, which holds {expected:?}", .file.display())]
    Shape { file: PathBuf, found: [usize; 3], expected: [usize; 3] },
    /// CIFAR-10's format has five files to train on and one to test on.
    #[error("{}: {found} images are too few for the five files to train on and the one to test on", .file.display())]
    TooFew { file: PathBuf, found: usize },
    /// A file is not a picture, or damaged.
    #[error("{}: broken picture: {source}", .file.display())]
    Picture { file: PathBuf, source: image::ImageError },
    /// The folder of a data set that comes with the course is not found.
    #[error("no {name} here: they are in the folder assets/{name} of the course; {variable} can name it")]
    NoAssets { name: &'static str, variable: &'static str },
    /// No mirror delivered a file intact, each for a reason of its own.
    #[error("{}: could not be downloaded: {reasons}", .file.display())]
    Download { file: PathBuf, reasons: String },
    /// The user has interrupted the cell.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
