//! The download of MNIST, from a server that the tests run.

use crate::data::{NAMES, check_small, folder, gzip, small_files};
use crate::display::printed;
use lab::candle_core::Result;
use lab::data::{Known, MnistSource};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

/// A mirror on this machine: answers each request for a file with what `files` has for it, else with 404.
pub fn mirror(files: Vec<(String, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            let request = lines.next().and_then(|line| line.ok()).unwrap_or_default();
            for line in lines.by_ref() {
                if line.is_ok_and(|line| line.is_empty()) {
                    break;
                }
            }
            let found = files.iter().find(|(name, _)| request.starts_with(&format!("GET /{name} ")));
            let (status, body) = match found {
                Some((_, body)) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", &b"nothing"[..]),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A client that has read enough may close the connection.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}/")
}

fn zipped(files: [Vec<u8>; 4]) -> Vec<(String, Vec<u8>)> {
    NAMES.iter().zip(files).map(|(name, bytes)| (format!("{name}.gz"), gzip(&bytes))).collect()
}

/// The real source, with the small files in place of MNIST's.
fn source(cache: &Path, mirrors: Vec<String>) -> MnistSource {
    let files = small_files();
    let mut at = 0;
    let files = NAMES.map(|name| {
        let bytes = &files[at];
        at += 1;
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Known { name, size: bytes.len() as u64, sha256: sha256.leak() }
    });
    MnistSource { dir: None, cache: Some(cache.into()), mirrors, files }
}

#[test]
fn what_is_downloaded_once_is_there_for_good_and_repaired_when_damaged() -> Result<()> {
    let cache = folder("downloaded").join("new/folder");
    let mut damaged = small_files();
    damaged[0][100] ^= 1;
    // The first mirror has nothing, the second a wrong byte, the third everything.
    let mirrors = vec![mirror(vec![]), mirror(zipped(damaged.clone())), mirror(zipped(small_files()))];
    let digits = source(&cache, mirrors.clone()).load().expect("the third mirror has it");
    assert_eq!(digits.name, "MNIST");
    check_small(&digits)?;

    let kept = || {
        let mut names: Vec<_> = fs::read_dir(&cache)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        std::io::Result::Ok(names)
    };
    let mut names = NAMES;
    names.sort();
    assert_eq!(kept()?, names, "four files and no remains");
    check_small(&source(&cache, vec![]).load().expect("all is in the cache"))?;

    for bytes in [&damaged[0][..], &[], &[&damaged[0][..], &[0]].concat()] {
        fs::write(cache.join(NAMES[0]), bytes)?;
        check_small(&source(&cache, mirrors.clone()).load().expect("the third mirror has it"))?;
        assert_eq!(fs::read(cache.join(NAMES[0]))?, small_files()[0]);
    }
    assert_eq!(kept()?, names, "four files and no remains");
    Ok(())
}

#[test]
fn a_cache_that_cannot_be_written_does_no_harm() -> Result<()> {
    let file = folder("unwritable").join("file");
    fs::write(&file, "a file cannot be a folder")?;
    let digits = source(&file, vec![mirror(zipped(small_files()))]).load().expect("it was downloaded");
    check_small(&digits)
}

#[test]
fn digits_are_drawn_when_no_mirror_has_good_ones() {
    let cache = folder("no mirror");
    let mut damaged = small_files();
    damaged[1][9] ^= 1;
    let digits = source(&cache, vec![mirror(vec![]), mirror(zipped(damaged))]).load().expect("drawn digits");
    assert_eq!(
        (digits.name.as_str(), digits.train.len(), digits.test.len()),
        ("drawn digits", 60_000, 10_000)
    );
    assert!(!cache.join(NAMES[1]).exists(), "what is damaged is not kept");
}

#[test]
fn a_download_that_is_stuck_can_be_interrupted() {
    let out = printed("download::a_download_that_is_stuck_can_be_interrupted", &[], || {
        // A mirror that accepts and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mirror = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let _connection = listener.accept();
            lab::kernel::lab_interrupt();
            std::thread::park();
        });
        let cache = folder("stuck");
        match source(&cache, vec![mirror]).load() {
            Err(lab::data::Error::Interrupted(interrupted)) => println!("{interrupted}"),
            other => println!("{other:?}"),
        }
    });
    assert_eq!(out, "interrupted\n");
}

/// What `data::mnist` prints; the last line is the name of the data set or the error.
fn print_mnist() {
    match lab::data::mnist() {
        Ok(digits) => println!("{}", digits.name),
        Err(error) => println!("error: {error}"),
    }
}

#[test]
fn offline_without_data_one_line_says_that_digits_are_drawn() {
    let home = folder("offline");
    let environment = [
        ("TAPER_OFFLINE", "1"),
        ("XDG_CACHE_HOME", home.to_str().unwrap()),
        ("HOME", home.to_str().unwrap()),
    ];
    let out = printed(
        "download::offline_without_data_one_line_says_that_digits_are_drawn",
        &environment,
        print_mnist,
    );
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, "drawn digits"), "{out}");
    assert!(lines[0].starts_with("Using drawn digits instead of MNIST: "), "{out}");
    assert!(lines[0].contains(NAMES[0]) && lines[0].contains("TAPER_OFFLINE"), "{out}");
}

#[test]
fn offline_with_a_damaged_cache_the_line_names_the_file() {
    let home = folder("damaged cache");
    let cache =
        home.join(if cfg!(target_os = "macos") { "Library/Caches/taper/mnist" } else { "taper/mnist" });
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join(NAMES[0]), "half a file").unwrap();
    let environment = [
        ("TAPER_OFFLINE", "1"),
        ("XDG_CACHE_HOME", home.to_str().unwrap()),
        ("HOME", home.to_str().unwrap()),
    ];
    let out =
        printed("download::offline_with_a_damaged_cache_the_line_names_the_file", &environment, print_mnist);
    let path = cache.join(NAMES[0]).display().to_string();
    assert!(out.contains(&format!("{path}: truncated: 11 bytes where 47040016 were expected")), "{out}");
    assert!(out.ends_with("\ndrawn digits\n"), "{out}");
}

#[test]
fn a_wrong_mnist_dir_is_an_error_and_not_replaced() {
    let home = folder("wrong dir");
    let missing = home.join("missing");
    for (dir, fault) in [(&home, "train-images-idx3-ubyte: not found"), (&missing, "no such folder")] {
        let environment = [("TAPER_OFFLINE", "1"), ("MNIST_DIR", dir.to_str().unwrap())];
        let out =
            printed("download::a_wrong_mnist_dir_is_an_error_and_not_replaced", &environment, print_mnist);
        assert!(out.starts_with(&format!("error: {}", dir.display())) && out.contains(fault), "{out}");
        assert_eq!(out.lines().count(), 1, "{out}");
    }
}
