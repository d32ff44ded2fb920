//! Lists the files of `notebooks/lab` for `lab.rs`: the program carries the crate that it prepares for notebooks, and the
//! crates in its folder that it is made of.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../notebooks/lab");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&root).unwrap();
        writeln!(list, "({name:?}, include_str!({file:?})),").unwrap();
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("lab.rs"), list).unwrap();
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(OsStr::to_str) {
            _ if path.is_dir() => collect(&path, files),
            Some("js" | "rs" | "toml") => files.push(path),
            _ => {}
        }
    }
}
