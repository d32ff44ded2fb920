//! How cells show the types of well-known crates: `lab` comes with a source file for each, in its folder `shown`. The crate that is
//! made of it declares a trait and implements it for types of the known crate, which neither `lab`, as it does not depend on that, nor
//! the known crate itself could.
//!
//! These crates are small, and generic for the most part, so they are compiled to libraries that each cell takes what it needs from.
//! One that does not compile, for a version or with features that it does not know, is left out: its types are shown in their
//! `Debug` form.

use super::super::Environment;
use super::super::build::Orders;
use super::super::compiled::Crate;
use crate::files;
use crate::lab::Lab;
use anyhow::{Context, Result, bail};
use cargo_metadata::semver::VersionReq;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source file in the folder `shown` of `lab`.
pub struct Shown<'a> {
    text: &'a str,
    /// The known crate.
    package: &'a str,
    /// The versions of it for which the file is made.
    versions: VersionReq,
}

impl<'a> Shown<'a> {
    /// Reads the first line, such as `//! ndarray >=0.15, <0.18: arrays …`.
    fn parse(text: &'a str) -> Option<Self> {
        let (head, _) = text.strip_prefix("//! ")?.split_once(':')?;
        let (package, versions) = head.split_once(' ')?;
        Some(Self { text, package, versions: VersionReq::parse(versions).ok()? })
    }

    fn is_for(&self, found: &Crate) -> bool {
        let named = found.name_and_version().filter(|_| !found.is_macro && !found.is_local());
        named.is_some_and(|(name, version)| name == self.package && self.versions.matches(&version))
    }
}

/// Compiles what shows the types of the known crates in an environment. What another environment with the same libraries, `base`, already
/// has is taken from there.
pub fn add(environment: &mut Environment, base: &Environment, folder: &Path, lab: &Lab, orders: &Orders) {
    let files: Vec<Shown> = lab.shown().filter_map(Shown::parse).collect();
    let known = |found: &Crate| Some((found.clone(), files.iter().find(|file| file.is_for(found))?));
    let known: BTreeMap<PathBuf, (Crate, &Shown)> =
        environment.compiled().filter_map(known).map(|found| (found.0.file.clone(), found)).collect();
    for (found, shown) in known.into_values() {
        let name = name(shown, &found, environment);
        let library = match base.shown.get(&name) {
            Some(library) => Ok(library.clone()),
            None => compile(&name, shown, &found, environment, folder, orders),
        };
        let library = library.and_then(|library| Ok((fs::metadata(&library)?.len(), library)));
        match library {
            Ok((size, library)) => {
                environment.sizes.insert(library.clone(), size);
                environment.shown.insert(name, library);
            }
            Err(error) => {
                tracing::warn!("results of `{}` are shown in their Debug form: {error:#}", found.id)
            }
        }
    }
}

/// The name of the crate: equal names may share a build.
fn name(shown: &Shown, found: &Crate, environment: &Environment) -> String {
    let libraries = [&found.file, &environment.library].map(|file| file.as_os_str().as_encoded_bytes());
    format!("shown_{}", files::digest(libraries.into_iter().chain([shown.text.as_bytes()])))
}

fn compile(
    name: &str,
    shown: &Shown,
    found: &Crate,
    environment: &Environment,
    folder: &Path,
    orders: &Orders,
) -> Result<PathBuf> {
    let source = folder.join(name).with_extension("rs");
    files::write(&source, shown.text)?;
    let output = Command::new(orders.toolchain.rustc_path())
        .current_dir(folder)
        .args(["--crate-name", name, "--crate-type", "rlib", "--edition", "2024", "--cap-lints", "allow"])
        .arg(&source)
        .arg("-Copt-level=2")
        .args(environment.link_flags())
        .args(["--extern".to_owned(), format!("known={}", found.file.display())])
        .output()
        .context("cannot run rustc")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(folder.join(format!("lib{name}.rlib")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::Toolchain;
    use crate::warm::tests::environment;

    #[test]
    fn a_file_is_for_the_versions_in_its_first_line() {
        let shown = Shown::parse("//! ndarray >=0.15, <0.18: arrays.\n").unwrap();
        let is_for = |id: &str| shown.is_for(&Crate::for_test(id, Path::new("libndarray-1.rlib")));
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(
            is_for(&format!("{registry}#ndarray@0.15.0")) && is_for(&format!("{registry}#ndarray@0.17.2"))
        );
        assert!(
            !is_for(&format!("{registry}#ndarray@0.14.9")) && !is_for(&format!("{registry}#ndarray@0.18.0"))
        );
        assert!(!is_for(&format!("{registry}#ndarray-rand@0.15.0")));
        assert!(!is_for("path+file:///home/ada/ndarray#ndarray@0.17.2"), "its sources may change");
    }

    #[test]
    fn what_does_not_compile_is_left_out_and_the_rest_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let toolchain = Toolchain::find().unwrap();
        fs::create_dir_all(at("lab/shown")).unwrap();
        fs::write(
            at("lab/shown/tiny.rs"),
            "//! tiny ^1: works.\npub trait Shown {}\nimpl Shown for known::Tiny {}\n",
        )
        .unwrap();
        fs::write(
            at("lab/shown/other.rs"),
            "//! other ^1: does not.\npub trait Shown {}\nimpl Shown for known::Gone {}\n",
        )
        .unwrap();
        fs::write(at("tiny.rs"), "pub struct Tiny;\n").unwrap();
        let library = at("libtiny.rlib");
        let mut rustc = Command::new(toolchain.rustc_path());
        rustc.args(["--crate-type", "rlib"]).arg(at("tiny.rs")).arg("-o").arg(&library);
        assert!(rustc.status().unwrap().success());
        let copy = at("libother.rlib");
        fs::copy(&library, &copy).unwrap();
        let base = environment(folder.path());
        let mut with_set = base.clone();
        with_set.crates = vec![
            Crate::for_test("registry+https://example.com/index#tiny@1.2.3", &library),
            Crate::for_test("registry+https://example.com/index#other@1.0.0", &copy),
        ];
        let lab = Lab::in_folder(&at("lab")).unwrap();
        let orders = Orders {
            toolchain: &toolchain,
            cuda: None,
            offline: true,
            variables: &BTreeMap::new(),
            report: &mut |_| true,
        };
        add(&mut with_set, &base, folder.path(), &lab, &orders);
        let names: Vec<&str> = with_set.shown().collect();
        let [name] = names[..] else { panic!("{names:?}") };
        let built = at(&format!("lib{name}.rlib"));
        assert!(built.exists() && with_set.is_whole());
        assert!(with_set.rustflags().contains(&format!("{name}={}", built.display())));
        // The next set takes it from there.
        let mut next = with_set.clone();
        next.shown.clear();
        add(&mut next, &with_set, &at("no such folder"), &lab, &orders);
        assert_eq!(next.shown, with_set.shown);
        fs::remove_file(built).unwrap();
        assert!(!with_set.is_whole());
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        let lab = Lab::embedded();
        let mut packages: Vec<&str> =
            lab.shown().map(|text| Shown::parse(text).expect("a package and its versions").package).collect();
        packages.sort_unstable();
        assert_eq!(packages, ["nalgebra", "ndarray", "polars-core", "polars-lazy"]);
    }
}
