//! Sets: the crates that a notebook asks for beside `lab`, compiled once for all sessions that ask for the same.
//!
//! Cargo resolves them together with `lab`, whose versions it keeps, and compiles them next to it: what they have in common
//! is one crate. What `lab` does not bring is then linked to one shared library, so that all cells of a session share one
//! copy of it, with its statics, as they share `lab`'s. A session that asks for more gets a further library, linked with
//! those before it: what is loaded already stays as it is.

use super::build::{self, Built, Orders};
use super::compiled::Crate;
use super::home::Home;
use super::{Environment, SetLibrary, sources};
use crate::files;
use crate::lab::Lab;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// See [`Environment::with`]. `environments` is where sets are built, and `others` where there may be some besides.
pub fn with(
    base: &Environment,
    lab: &Lab,
    wanted: &Table,
    environments: &Path,
    others: Option<&Path>,
    mut orders: Orders,
) -> Result<Environment> {
    // What is made of sources that may have changed is made again, on what is made of others.
    let mut base = base.clone();
    let local: Vec<SetLibrary> = base.sets.extract_if(.., |set| set.is_local).collect();
    base.sizes.retain(|path, _| local.iter().all(|set| set.path != *path));
    base.crates.retain(|found| !found.is_local());
    let base = &base;
    if let Some(named) = named_already(base, wanted) {
        return Ok(Environment { named, ..base.clone() });
    }
    let key = key(base, lab, wanted);
    let home = Home::of(environments, orders.toolchain, orders.cuda, lab)?;
    let folder = home.set(&key);
    if !has_folders(wanted) {
        let shared = others.map(|others| Home::of(others, orders.toolchain, orders.cuda, lab)).transpose()?;
        let built = [Some(folder.clone()), shared.map(|shared| shared.set(&key))];
        if let Some(environment) = built.iter().flatten().find_map(|folder| Environment::read(folder)) {
            return Ok(environment);
        }
    }
    let _lock = home.lock(&mut orders)?;
    home.write_sources(lab)?;
    write_package(&folder, &home.manifest("../.."), base, wanted)?;
    let built = build::build(&folder, &home.target(), &mut orders)?;
    let environment = finish(base, &home, &folder, built, wanted, &orders)?;
    environment.write(&folder)?;
    Ok(environment)
}

/// The files of all that is asked for, if it has been compiled already.
fn named_already(base: &Environment, wanted: &Table) -> Option<BTreeMap<String, PathBuf>> {
    let file = |(name, config): (&String, &Value)| {
        let versions = base.crates.iter().filter_map(|found| Some((found.version_for(name, config)?, found)));
        let (_, found) = versions.max_by(|(one, _), (other, _)| one.cmp(other))?;
        Some((name.replace('-', "_"), found.file.clone()))
    };
    wanted.iter().map(file).collect()
}

/// Equal keys mean the same set.
fn key(base: &Environment, lab: &Lab, wanted: &Table) -> String {
    let mut parts = vec![wanted.to_string(), lab.digest(), base.library.display().to_string()];
    parts.extend(lab.features.iter().cloned());
    parts.extend(base.sets().map(str::to_owned));
    files::digest(parts.iter().map(String::as_bytes))
}

/// Whether the source of a crate is in a folder, where it may have changed.
fn has_folders(wanted: &Table) -> bool {
    wanted.values().any(|config| config.get("path").is_some())
}

/// Writes the package whose dependencies are to be compiled.
fn write_package(folder: &Path, manifest: &str, base: &Environment, wanted: &Table) -> Result<()> {
    let mut manifest: Table = manifest.parse()?;
    manifest["package"]["name"] = "set".into();
    let dependencies = manifest["dependencies"].as_table_mut().context("the manifest has no dependencies")?;
    dependencies.extend(wanted.clone());
    files::write(&folder.join("Cargo.toml"), manifest.to_string())?;
    files::write(&folder.join("lib.rs"), "")?;
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        files::copy(&base.package.join("Cargo.lock"), &lock)?;
    }
    Ok(())
}

/// Links what is new to shared libraries.
fn finish(
    base: &Environment,
    home: &Home,
    folder: &Path,
    built: Built,
    wanted: &Table,
    orders: &Orders,
) -> Result<Environment> {
    let mut direct = built.direct.clone();
    direct.retain(|name, _| wanted.keys().any(|wanted| wanted.replace('-', "_") == *name));
    let is_same = fs::read(&built.library)? == fs::read(&base.library)?;
    let labs = if is_same { base.library.parent().context("a library is in a folder")? } else { folder };
    if !is_same {
        home.keep_lab(&built, labs)?;
    }
    let target = home.target().join(&orders.toolchain.host);
    let mut environment = home.environment(labs, folder.to_owned(), built, orders.toolchain)?;
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    if is_same {
        environment.sets.clone_from(&base.sets);
        environment.sizes.extend(base.sizes.clone());
        known.extend(base.crates.iter().map(|found| found.file.clone()));
    }
    // Of crates that build scripts and procedural macros need as well, there is another build for the machine that compiles.
    environment.crates.retain(|found| found.is_macro || found.file.starts_with(&target));
    for found in environment.crates.iter().filter(|found| found.is_local()) {
        environment.sources.extend(sources::of(found)?);
    }
    keep_local(&mut environment, folder)?;
    for (name, package) in &direct {
        let found = environment.crates.iter().find(|found| found.id == package.repr);
        let found = found.with_context(|| format!("`{name}` is no library that cells could use"))?;
        environment.named.insert(name.clone(), found.file.clone());
    }
    for is_local in [false, true] {
        let is_new =
            |found: &&Crate| !found.is_macro && is_local == found.is_local() && !known.contains(&found.file);
        let new: Vec<Crate> = environment.crates.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            let library = link(&environment, folder, &new, orders)?;
            environment.sizes.insert(library.path.clone(), fs::metadata(&library.path)?.len());
            environment.sets.push(SetLibrary { is_local, ..library });
        }
    }
    Ok(environment)
}

/// Copies crates whose sources may change to a folder that is named after their content: the next build of them will be in
/// the same place.
fn keep_local(environment: &mut Environment, folder: &Path) -> Result<()> {
    let mut local: Vec<&mut Crate> = environment.crates.iter_mut().filter(|found| found.is_local()).collect();
    if local.is_empty() {
        return Ok(());
    }
    let contents = local.iter().map(|found| Ok(fs::read(&found.file)?)).collect::<Result<Vec<_>>>()?;
    let folder = folder.join(files::digest(contents.iter().map(Vec::as_slice)));
    for found in &mut local {
        let copy = folder.join(found.file.file_name().context("a file has a name")?);
        files::copy(&found.file, &copy)?;
        found.file = copy;
    }
    environment.dependencies.insert(0, folder);
    Ok(())
}

/// Makes a shared library of crates, and of all that they need which the shared libraries before it do not hold.
fn link(environment: &Environment, folder: &Path, new: &[Crate], orders: &Orders) -> Result<SetLibrary> {
    let key = files::digest(new.iter().map(|found| found.file.as_os_str().as_encoded_bytes()));
    let name = format!("set_{key}");
    let path = folder.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let mut source = String::new();
    for linked in ["lab"].into_iter().chain(environment.sets()) {
        source.push_str(&format!("extern crate {linked} as _;\n"));
    }
    let mut command = Command::new(orders.toolchain.rustc_path());
    for (number, found) in new.iter().enumerate() {
        // Several versions of a crate have the same name.
        source.push_str(&format!("extern crate linked_{number} as _;\n"));
        command.args(["--extern", &format!("linked_{number}={}", found.file.display())]);
    }
    let main = folder.join(&name).with_extension("rs");
    files::write(&main, source)?;
    command
        .current_dir(folder)
        .args(["--crate-name", &name, "--crate-type", "dylib", "--edition", "2024", "--cap-lints", "allow"])
        .arg(&main)
        .args(["-Copt-level=3", &orders.toolchain.rpath()?])
        .args(environment.link_flags())
        .args(orders.cuda.into_iter().flat_map(|cuda| cuda.rustflags()));
    let output = command.output().context("cannot run rustc")?;
    if !output.status.success() {
        bail!("the crates cannot be linked:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(SetLibrary { name, path, is_local: false })
}
