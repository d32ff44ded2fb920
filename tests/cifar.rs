//! Colour pictures: CIFAR-10's files and archive, good and damaged, and the emoji.

use crate::data::{folder, gzip};
use crate::display::printed;
use crate::download::mirror;
use crate::support::root;
use lab::candle_core::{Device, Result};
use lab::data::{CifarSource, Dataset, Split, emoji, from_cifar_dir};
use md5::{Digest, Md5};
use std::fs;
use std::path::{Path, PathBuf};

const ARCHIVE: &str = "cifar-10-binary.tar.gz";
const RECORD: usize = 3_073;

/// A file of pictures of these classes; byte b of a picture of class c is (b + c) mod 256.
fn part(classes: &[u8]) -> Vec<u8> {
    let record =
        |&class: &u8| [class].into_iter().chain((0..3_072).map(move |at| (at + class as usize) as u8));
    classes.iter().flat_map(record).collect()
}

/// The seven files of a set of six and two pictures of three classes.
fn small_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("data_batch_1.bin", part(&[0, 2])),
        ("data_batch_2.bin", part(&[1])),
        ("data_batch_3.bin", part(&[2])),
        ("data_batch_4.bin", part(&[0])),
        ("data_batch_5.bin", part(&[1])),
        ("test_batch.bin", part(&[2, 0])),
        ("batches.meta.txt", b"apple\npear\nplum\n\n".to_vec()),
    ]
}

fn check_small(pictures: &Dataset) -> Result<()> {
    assert_eq!(pictures.train.classes(), [0, 2, 1, 2, 0, 1]);
    assert_eq!(pictures.test.classes(), [2, 0]);
    assert_eq!(pictures.test.class_names(), ["apple", "pear", "plum"]);
    let images = pictures.test.images(&Device::Cpu)?;
    assert_eq!(images.dims(), [2, 3, 32, 32]);
    // The first pixel of the blue channel of the first picture is byte 2,048 of its class 2.
    let blue = images.get(0)?.get(2)?.get(0)?.to_vec1::<f32>()?;
    assert_eq!(blue[..3], [2. / 255., 3. / 255., 4. / 255.]);
    Ok(())
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// The files in the folder of the archive, with a page as there is in the real one.
fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files.iter().chain([&("readme.html", b"<p>".to_vec())]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), &bytes[..]).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn md5(bytes: &[u8]) -> &'static str {
    let hex: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.leak()
}

fn source(cache: &Path, mirrors: Vec<String>, archive: &[u8]) -> CifarSource {
    CifarSource { dir: None, cache: Some(cache.into()), mirrors, md5: md5(archive) }
}

/// The last line of an error of `from_cifar_dir` for the small files after a change.
fn error_after(case: &str, change: impl FnOnce(&Path)) -> (PathBuf, String) {
    let dir = folder(&format!("cifar/{case}"));
    write(&dir, &small_files());
    change(&dir);
    let error = from_cifar_dir(&dir).expect_err(case).to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    (dir, error)
}

#[test]
fn a_folder_of_its_files_is_a_data_set_also_as_the_archive_is_unpacked() -> Result<()> {
    for inside in ["", "cifar-10-batches-bin"] {
        let dir = folder("cifar/files");
        fs::create_dir_all(dir.join(inside))?;
        write(&dir.join(inside), &small_files());
        let pictures = from_cifar_dir(&dir).expect("seven good files");
        assert_eq!(
            (pictures.name.as_str(), pictures.train.name()),
            ("pictures from files", "pictures from files, training")
        );
        check_small(&pictures)?;
    }
    Ok(())
}

#[test]
fn every_fault_of_a_folder_names_the_file() {
    let cases: [(&str, &str, Option<Vec<u8>>, String); 8] = [
        ("missing shard", "data_batch_4.bin", None, "not found".into()),
        ("missing names", "batches.meta.txt", None, "not found".into()),
        (
            "cut short",
            "data_batch_2.bin",
            Some(part(&[1])[..3000].into()),
            "truncated: 3000 bytes where 3073 were expected".into(),
        ),
        ("empty", "test_batch.bin", Some(vec![]), "truncated: 0 bytes where 3073 were expected".into()),
        (
            "wrong label",
            "data_batch_1.bin",
            Some(part(&[0, 3])),
            "label 3 at position 1, expected 0 to 2".into(),
        ),
        (
            "no names",
            "batches.meta.txt",
            Some(b"\n\n".to_vec()),
            "expected 1 to 256 names of classes, each on a line".into(),
        ),
        (
            "names that are no text",
            "batches.meta.txt",
            Some(vec![0xff, 0xfe]),
            "expected 1 to 256 names".into(),
        ),
        (
            "too long",
            "data_batch_3.bin",
            Some(vec![0; 100_000 * RECORD + 1]),
            "too long: more than the expected 307300000 bytes".into(),
        ),
    ];
    for (case, name, bytes, fault) in cases {
        let (dir, error) = error_after(case, |dir| match &bytes {
            Some(bytes) => fs::write(dir.join(name), bytes).unwrap(),
            None => fs::remove_file(dir.join(name)).unwrap(),
        });
        assert!(error.starts_with(&format!("{}: {fault}", dir.join(name).display())), "{case}: {error}");
        fs::remove_dir_all(dir).unwrap();
    }
    let dir = folder("cifar/nothing");
    let error = from_cifar_dir(&dir).unwrap_err().to_string();
    assert_eq!(error, format!("{}: not found", dir.join("data_batch_1.bin").display()));
    let error = from_cifar_dir(dir.join("no")).unwrap_err().to_string();
    assert!(error.ends_with("no: no such folder"), "{error}");
}

#[test]
fn an_archive_is_downloaded_once_and_again_when_damaged() -> Result<()> {
    let cache = folder("cifar/downloaded").join("new/folder");
    let good = archive(&small_files());
    let (mut damaged, half) = (good.clone(), good[..good.len() / 2].to_vec());
    damaged[good.len() / 2] ^= 1;
    let serve = |bytes: &[u8]| mirror(vec![(ARCHIVE.into(), bytes.into())]);
    let mirrors = vec![mirror(vec![]), serve(&half), serve(&damaged), serve(&good)];
    check_small(&source(&cache, mirrors.clone(), &good).load().expect("the last mirror has it"))?;
    check_small(&source(&cache, vec![], &good).load().expect("it is in the cache"))?;
    for bytes in [&damaged, &half, &vec![]] {
        fs::write(cache.join(ARCHIVE), bytes)?;
        check_small(&source(&cache, mirrors.clone(), &good).load().expect("the last mirror has it"))?;
        assert_eq!(fs::read(cache.join(ARCHIVE))?, good);
    }
    assert_eq!(fs::read_dir(&cache)?.count(), 1, "the archive and no remains");
    Ok(())
}

#[test]
fn a_folder_may_hold_the_archive_itself() -> Result<()> {
    let good = archive(&small_files());
    let dir = folder("cifar/packed");
    fs::write(dir.join(ARCHIVE), &good)?;
    let here = |md5| CifarSource { dir: Some(dir.clone()), cache: None, mirrors: vec![], md5 }.load();
    check_small(&here(md5(&good)).expect("a good archive"))?;
    let path = dir.join(ARCHIVE).display().to_string();
    let error = here("0123").unwrap_err().to_string();
    assert_eq!(error, format!("{path}: wrong MD5 {}, expected 0123", md5(&good)));
    // An archive with the right checksum, which somebody made of the wrong files.
    for (bytes, fault) in [
        (archive(&small_files()[1..]), format!("{path}/data_batch_1.bin: not found")),
        (gzip(b"this is no archive, though it is a file of some length"), format!("{path}: broken")),
        (b"not even gzip".to_vec(), format!("{path}: broken")),
    ] {
        fs::write(dir.join(ARCHIVE), &bytes)?;
        let error = here(md5(&bytes)).unwrap_err().to_string();
        assert!(error.starts_with(&fault) && error.lines().count() == 1, "{error}");
    }
    Ok(())
}

#[test]
fn offline_without_data_one_line_says_that_there_are_emoji_instead() {
    let home = folder("cifar/offline");
    let home = home.to_str().unwrap();
    let assets = root().join("assets/emoji");
    let environment = [
        ("TAPER_OFFLINE", "1"),
        ("XDG_CACHE_HOME", home),
        ("HOME", home),
        ("CIFAR_DIR", ""),
        ("EMOJI_DIR", assets.to_str().unwrap()),
    ];
    let test = "cifar::offline_without_data_one_line_says_that_there_are_emoji_instead";
    let out = printed(test, &environment, || match lab::data::cifar10() {
        Ok(pictures) => println!("{}", pictures.name),
        Err(error) => println!("error: {error}"),
    });
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, "emoji"), "{out}");
    assert!(lines[0].starts_with("Using emoji instead of CIFAR-10: ") && lines[0].contains(ARCHIVE), "{out}");
}

#[test]
fn emoji_are_found_beside_the_course_and_damage_is_named() {
    // Another one in each process, as the one that prints begins this test anew.
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let dir = home.join("assets/emoji");
    fs::create_dir_all(&dir).unwrap();
    for name in ["noto.png", "twemoji.png", "emoji.csv"] {
        fs::copy(root().join("assets/emoji").join(name), dir.join(name)).unwrap();
    }
    let test = "cifar::emoji_are_found_beside_the_course_and_damage_is_named";
    let seen = |place: &Path| {
        printed(test, &[("EMOJI_DIR", ""), ("PLACE", place.to_str().unwrap())], || {
            std::env::set_current_dir(std::env::var_os("PLACE").unwrap()).unwrap();
            println!("{}", emoji().map_or_else(|error| error.to_string(), |found| found.name));
        })
    };
    fs::create_dir_all(home.join("notebooks/deep")).unwrap();
    assert_eq!(seen(&home.join("notebooks/deep")), "emoji\n");
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(
        seen(elsewhere.path()),
        "no emoji here: they are in the folder assets/emoji of the course; EMOJI_DIR can name it\n"
    );
    let (sheet, path) = (fs::read(dir.join("noto.png")).unwrap(), dir.join("noto.png").display().to_string());
    let mut damaged = sheet.clone();
    damaged[sheet.len() / 2] ^= 1;
    for (bytes, fault) in [(&sheet[..1000], "truncated: 1000 bytes where"), (&damaged[..], "wrong SHA-256 ")]
    {
        fs::write(&path, bytes).unwrap();
        let error = seen(home);
        assert!(error.starts_with(&format!("{path}: {fault}")) && error.lines().count() == 1, "{error}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(seen(home), format!("{path}: not found\n"));
}

#[test]
fn emoji_of_two_artists_show_the_same_things_in_the_same_order() -> Result<()> {
    let pictures = emoji_here();
    assert_eq!((pictures.train.name(), pictures.test.name()), ("emoji, Noto", "emoji, Twemoji"));
    assert_eq!((pictures.train.len(), pictures.train.shape()), (1906, [3, 32, 32]));
    assert_eq!(pictures.train.classes(), pictures.test.classes());
    let names = pictures.train.class_names();
    assert_eq!((names.len(), names[0].as_str(), names[8].as_str()), (9, "Activities", "Travel & Places"));
    let mut counts = [0; 9];
    pictures.train.classes().iter().for_each(|&class| counts[usize::from(class)] += 1);
    assert_eq!(counts, [85, 159, 270, 131, 264, 386, 169, 224, 218]);
    // The corners are white in nearly all pictures, and no picture is blank.
    let images = pictures.test.images(&Device::Cpu)?;
    let corners = images.narrow(2, 0, 1)?.narrow(3, 0, 1)?.flatten_all()?.to_vec1::<f32>()?;
    let white = corners.iter().filter(|&&value| value == 1.0).count();
    assert!(white > corners.len() * 8 / 10, "{white} of {}", corners.len());
    let blank =
        |split: &Split| (0..1906).filter(|&at| split.image(at).iter().all(|&value| value > 245)).count();
    assert_eq!((blank(&pictures.train), blank(&pictures.test)), (0, 0));
    Ok(())
}

#[test]
fn names_of_emoji_are_in_the_order_of_the_pictures() {
    let (pictures, names) = (emoji_here().train, lab::data::emoji_names().unwrap());
    assert_eq!((names.name(), names.len()), ("names of emoji", 1906));
    assert_eq!((names.class_names(), names.classes()), (pictures.class_names(), pictures.classes()));
    // Most of this picture is black, which is true of no other that is called a circle.
    let at = names.texts().iter().position(|name| name == "medium black circle").unwrap();
    let dark = pictures.image(at).iter().filter(|&&value| value < 100).count();
    assert!(dark > 3 * 32 * 32 / 2, "{dark} of 3072 values are dark");
}

/// The emoji of this repository.
fn emoji_here() -> Dataset {
    emoji().expect("tests run in the root of the repository")
}

#[test]
fn colour_pictures_go_to_files_and_back_and_digits_do_not() {
    let pictures = emoji_here();
    let files = pictures.to_cifar().unwrap();
    let back = from_cifar_dir(files.path()).unwrap();
    assert_eq!(back.train.pixels(), pictures.train.pixels());
    assert_eq!(
        (back.test.classes(), back.test.class_names()),
        (pictures.test.classes(), pictures.test.class_names())
    );
    let error = pictures.to_idx().unwrap_err().to_string();
    assert!(
        error.ends_with(
            "images of shape [3, 32, 32] cannot be written in this format, which holds [1, 28, 28]"
        ),
        "{error}"
    );
    let error = lab::data::drawn_sized(0, 10, 10).unwrap().to_cifar().unwrap_err().to_string();
    assert!(
        error.ends_with(
            "images of shape [1, 28, 28] cannot be written in this format, which holds [3, 32, 32]"
        ),
        "{error}"
    );
    let few = Dataset { train: pictures.train.take(4), ..pictures };
    let error = few.to_cifar().unwrap_err().to_string();
    assert!(
        error.ends_with("4 images are too few for the five files to train on and the one to test on"),
        "{error}"
    );
}
