//! MNIST's files, good and damaged.

use flate2::{Compression, write::GzEncoder};
use lab::candle_core::{DType, Device, Result};
use lab::data::{Dataset, from_dir};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// An empty folder.
pub fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder for the test");
    path
}

fn idx(magic: u32, dimensions: &[u32], content: &[u8]) -> Vec<u8> {
    let header = [magic].into_iter().chain(dimensions.iter().copied());
    header.flat_map(u32::to_be_bytes).chain(content.iter().copied()).collect()
}

/// The four files of a set of three and two images; pixel p of image i is (p + i) mod 256.
pub fn small_files() -> [Vec<u8>; 4] {
    let images = |n: u32| {
        let pixels: Vec<u8> =
            (0..n).flat_map(|image| (0..784).map(move |pixel| (pixel + image) as u8)).collect();
        idx(0x803, &[n, 28, 28], &pixels)
    };
    [images(3), idx(0x801, &[3], &[5, 0, 9]), images(2), idx(0x801, &[2], &[7, 2])]
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

pub fn check_small(digits: &Dataset) -> Result<()> {
    assert_eq!((digits.train.len(), digits.test.len()), (3, 2));
    assert_eq!((digits.train.classes(), digits.test.classes()), (&[5, 0, 9][..], &[7, 2][..]));
    assert_eq!(digits.train.image(2)[..3], [2, 3, 4]);
    let images = digits.train.images(&Device::Cpu)?;
    assert_eq!((images.dims(), images.dtype()), (&[3, 1, 28, 28][..], DType::F32));
    assert_eq!(images.get(1)?.flatten_all()?.to_vec1::<f32>()?[254..257], [1.0, 0.0, 1.0 / 255.0]);
    let labels = digits.test.labels(&Device::Cpu)?;
    assert_eq!(labels.to_vec1::<u32>()?, [7, 2]);
    Ok(())
}

#[test]
fn a_folder_of_plain_or_gzip_files_is_a_data_set() -> Result<()> {
    for zipped in [false, true] {
        let dir = folder(if zipped { "zipped" } else { "plain" });
        for (name, bytes) in NAMES.iter().zip(small_files()) {
            let (name, bytes) =
                if zipped { (format!("{name}.gz"), gzip(&bytes)) } else { (name.to_string(), bytes) };
            fs::write(dir.join(name), bytes)?;
        }
        let digits = from_dir(&dir).expect("four good files");
        let name = if zipped { "digits from zipped" } else { "digits from plain" };
        assert_eq!((digits.name.as_str(), digits.test.name()), (name, format!("{name}, test").as_str()));
        check_small(&digits)?;
    }
    Ok(())
}

/// Reads the small set with file number `at` replaced by `bytes`: the error must start with the path of that file and
/// contain `fault`.
fn check(case: &str, at: usize, name: &str, bytes: Option<&[u8]>, fault: &str) {
    let dir = folder(&format!("damaged/{case}"));
    for (name, bytes) in NAMES.iter().zip(small_files()) {
        fs::write(dir.join(name), bytes).expect("a file for the test");
    }
    fs::remove_file(dir.join(NAMES[at])).expect("it was just written");
    if let Some(bytes) = bytes {
        fs::write(dir.join(name), bytes).expect("a file for the test");
    }
    let error = from_dir(&dir).expect_err(case).to_string();
    let path = dir.join(NAMES[at]).display().to_string();
    assert!(error.starts_with(&path) && error.contains(fault), "{case}: {error}");
}

#[test]
fn damaged_files_are_errors_that_name_file_and_fault() {
    let [images, labels, ..] = small_files();
    let cut = |bytes: &[u8], by: usize| bytes[..bytes.len() - by].to_vec();
    check("missing", 2, NAMES[2], None, ": not found");

    let is_images = |case, bytes: &[u8], fault| check(case, 0, NAMES[0], Some(bytes), fault);
    is_images("empty", &[], "truncated: 0 bytes where 16 were expected");
    is_images("truncated", &cut(&images, 1), "truncated: 2367 bytes where 2368 were expected");
    is_images("too long", &[&images[..], &[0]].concat(), "too long: more than the expected 2368 bytes");
    is_images("magic", &labels.repeat(2), "wrong magic number 0x00000801, expected 0x00000803");
    is_images("rows", &idx(0x803, &[1, 27, 28], &[0; 756]), "images of 27 x 28 pixels, expected 28 x 28");
    is_images("lie", &idx(0x803, &[1_000_000, 28, 28], &[]), "16 bytes where 784000016 were expected");

    let is_labels = |case, bytes: &[u8], fault| check(case, 1, NAMES[1], Some(bytes), fault);
    is_labels("header", &labels[..7], "truncated: 7 bytes where 8 were expected");
    is_labels("page", b"<!DOCTYPE html>", "wrong magic number 0x3c21444f, expected 0x00000801");
    is_labels("none", &idx(0x801, &[0], &[]), "a count of 0, expected 1 to 1000000");
    is_labels("big lie", &idx(0x801, &[u32::MAX], &[1]), "a count of 4294967295, expected 1 to 1000000");
    is_labels("unequal", &idx(0x801, &[2], &[1, 2]), "2 labels for 3 images");
    is_labels("label", &idx(0x801, &[3], &[1, 2, 10]), "label 10 at position 2, expected 0 to 9");

    let is_gzip =
        |case, bytes: &[u8], fault| check(case, 1, "train-labels-idx1-ubyte.gz", Some(bytes), fault);
    let zipped = gzip(&labels);
    // The last eight bytes of a gzip file are its checksum and its length.
    let mut flipped = zipped.clone();
    flipped[zipped.len() - 6] ^= 1;
    is_gzip("cut gzip", &cut(&zipped, 9), "broken gzip: ");
    is_gzip("flipped gzip", &flipped, "broken gzip: ");
    is_gzip("no gzip", &labels, "broken gzip: ");
    is_gzip("long gzip", &gzip(&idx(0x801, &[1], &[5, 5])), "too long: more than the expected 9 bytes");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let error = from_dir(folder("gone").join("deeper")).expect_err("no such folder").to_string();
    assert!(error.contains("deeper: no such folder"), "{error}");
}

/// The real files are not in the repository.
#[needs::mnist]
#[test]
fn mnist_is_known_by_its_checksums() {
    let digits = from_dir(std::env::var_os("MNIST_DIR").unwrap()).unwrap();
    assert_eq!((digits.name.as_str(), digits.train.len(), digits.test.len()), ("MNIST", 60_000, 10_000));
    assert_eq!(digits.train.classes()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
}
