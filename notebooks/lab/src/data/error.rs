use crate::Interrupted;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a data set could not be read. Every message about a file names it and says what is wrong with it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{}: no such folder", .file.display())]
    NoFolder { file: PathBuf },
    #[error("{}: not found", .file.display())]
    Missing { file: PathBuf },
    #[error("{}: cannot be read: {source}", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{}: cannot be written: {source}", .file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    #[error("{}: broken gzip: {source}", .file.display())]
    Gzip { file: PathBuf, source: io::Error },
    #[error("{}: truncated: {found} bytes where {expected} were expected", .file.display())]
    Truncated { file: PathBuf, found: u64, expected: u64 },
    #[error("{}: too long: more than the expected {expected} bytes", .file.display())]
    TooLong { file: PathBuf, expected: u64 },
    #[error("{}: wrong magic number {found:#010x}, expected {expected:#010x}", .file.display())]
    Magic { file: PathBuf, found: u32, expected: u32 },
    #[error("{}: images of {rows} x {columns} pixels, expected 28 x 28", .file.display())]
    Dimensions { file: PathBuf, rows: u32, columns: u32 },
    #[error("{}: a count of {found}, expected 1 to {limit}", .file.display())]
    Count { file: PathBuf, found: u32, limit: u32 },
    #[error("{}: {found} labels for {expected} images", .file.display())]
    Unequal { file: PathBuf, found: usize, expected: usize },
    #[error("{}: label {label} at position {position}, expected 0 to 9", .file.display())]
    Label { file: PathBuf, label: u8, position: usize },
    #[error("{}: wrong SHA-256 {found}, expected {expected}", .file.display())]
    Checksum { file: PathBuf, found: String, expected: &'static str },
    #[error("{}: could not be downloaded: {reasons}", .file.display())]
    Download { file: PathBuf, reasons: String },
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
