//! Sets: the crates that a notebook adds to `lab`, compiled once for all sessions that add the same ones.
//!
//! Cargo resolves them together with `lab`, keeps the versions that `lab` uses, and compiles them in the same target
//! folder, so a dependency they share is compiled once. The crates that `lab` does not bring are then linked into one
//! shared library, so that all cells of a session share one copy of them and of their statics. When a session adds more
//! crates, they go into another library, which is linked with the earlier ones: libraries that are already loaded do not
//! change.

mod shown;

use super::build::{self, Built, Orders, Progress};
use super::compiled::Crate;
use super::home::{CARGO_LOCK, Home};
use super::project::{self, Project};
use super::{Environment, SetLibrary, sources, stored};
use crate::files;
use crate::lab::Lab;
use crate::lock_file;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// See [`Environment::with`]. Builds in `environments`; `others` is another folder that may already have the set.
pub fn with(
    earlier: &Environment,
    lab: &Lab,
    wanted: &Table,
    environments: &Path,
    others: Option<&Path>,
    orders: Orders,
) -> Result<Environment> {
    // Local crates may have changed, so they are always rebuilt, on top of the crates that cannot change.
    let base = &without_local(earlier);
    if let Some(named) = named_already(base, wanted) {
        return Ok(Environment { named, implied: BTreeMap::new(), ..base.clone() });
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
    let again = stored::is_built_elsewhere(environments, wanted, &folder);
    let mut report = |progress: &Progress| (orders.report)(&Progress { again, ..progress.clone() });
    let mut orders = Orders { report: &mut report, ..orders };
    let _lock = home.lock(&mut orders)?;
    home.write_sources(lab)?;
    write_package(&folder, &home, base, wanted, orders.toolchain)?;
    let built = build::build(&folder, &home.target(), &mut orders)?;
    let mut environment = finish(base, earlier, &home, &folder, built, wanted, &orders)?;
    shown::add(&mut environment, base, &folder, lab, &orders);
    environment.write(&folder)?;
    Ok(environment)
}

/// The environment without its local crates.
fn without_local(environment: &Environment) -> Environment {
    let mut rest = environment.clone();
    let local: Vec<SetLibrary> = rest.sets.extract_if(.., |set| set.is_local).collect();
    rest.sizes.retain(|path, _| local.iter().all(|set| set.path != *path));
    rest.crates.retain(|found| !found.is_local());
    rest
}

/// The files of all wanted crates, if every one of them has already been compiled.
fn named_already(base: &Environment, wanted: &Table) -> Option<BTreeMap<String, PathBuf>> {
    let file = |(name, config): (&String, &Value)| {
        let versions = base.compiled().filter_map(|found| Some((found.version_for(name, config)?, found)));
        let (_, found) = versions.max_by(|(one, _), (other, _)| one.cmp(other))?;
        Some((name.replace('-', "_"), found.file.clone()))
    };
    wanted.iter().map(file).collect()
}

/// The cache key of a set: equal keys share a build.
fn key(base: &Environment, lab: &Lab, wanted: &Table) -> String {
    let library = base.library.display().to_string();
    let mut parts = vec![wanted.to_string(), lab.digest(), library, LINKER.to_owned()];
    parts.extend(lab.features.iter().cloned());
    parts.extend(base.sets().map(str::to_owned));
    files::digest(parts.iter().map(String::as_bytes))
}

/// Whether any of the crates is a local one (`path = …`), whose sources may have changed.
fn has_folders(wanted: &Table) -> bool {
    folders(wanted).next().is_some()
}

fn folders(wanted: &Table) -> impl Iterator<Item = &Path> {
    wanted.values().filter_map(|config| config.get("path")?.as_str()).map(Path::new)
}

/// Writes the package whose dependencies are to be compiled.
fn write_package(
    folder: &Path,
    home: &Home,
    base: &Environment,
    wanted: &Table,
    toolchain: &Toolchain,
) -> Result<()> {
    let mut manifest: Table = home.manifest("../..").parse()?;
    manifest["package"]["name"] = "set".into();
    let dependencies = manifest["dependencies"].as_table_mut().context("the manifest has no dependencies")?;
    dependencies.extend(wanted.clone());
    let path = folder.join("Cargo.lock");
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let mut lock = if path.exists() { read(&path)? } else { read(&base.package.join("Cargo.lock"))? };
    for crate_folder in folders(wanted) {
        let own = Project::of(crate_folder, toolchain)?;
        own.patch(&mut manifest)?;
        if let Some(locked) = own.lock {
            lock = project::with_locked(&lock, &locked, &lock_file::versions(CARGO_LOCK, "lab")?)
                .with_context(|| format!("the Cargo.lock of {}", crate_folder.display()))?;
        }
    }
    files::write(&folder.join("Cargo.toml"), manifest.to_string())?;
    files::write(&folder.join("lib.rs"), "")?;
    files::write(&path, lock)
}

/// Links the newly built crates into shared libraries, and describes the result.
fn finish(
    base: &Environment,
    earlier: &Environment,
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
        known.extend(base.compiled().map(|found| found.file.clone()));
    }
    // Crates that build scripts or procedural macros need are also built for the host; cells link the target's build.
    environment.crates.retain(|found| found.is_macro || found.file.starts_with(&target));
    for found in environment.crates.iter().filter(|found| found.is_local()) {
        environment.sources.extend(sources::of(found)?);
    }
    keep_local(&mut environment, folder, earlier)?;
    if is_same {
        let kept = earlier.sets.iter().filter(|set| set.is_local && environment.has_all_of(set));
        let kept: Vec<SetLibrary> = kept.cloned().collect();
        for set in kept {
            known.extend(set.crates.iter().map(|found| found.file.clone()));
            environment.sizes.insert(set.path.clone(), fs::metadata(&set.path)?.len());
            environment.sets.push(set);
        }
    }
    for (name, package) in &direct {
        let found = environment.crates.iter().find(|found| found.id == package.repr);
        let found = found.with_context(|| format!("`{name}` has no library that cells could use"))?;
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

/// Copies each local crate to a folder named after its content, because the next build overwrites it where cargo put it. A crate
/// that is the same as in the earlier environment stays where it was, so that its types and its statics do, too.
fn keep_local(environment: &mut Environment, folder: &Path, earlier: &Environment) -> Result<()> {
    let mut folders = BTreeSet::new();
    for found in environment.crates.iter_mut().filter(|found| found.is_local()) {
        let key = files::digest([fs::read(&found.file)?.as_slice()]);
        let name = Path::new(&key).join(found.file.file_name().context("a file has a name")?);
        let mut same = earlier.compiled().filter(|other| other.file.ends_with(&name) && other.file.exists());
        let kept = same.next().map_or_else(|| folder.join(&name), |other| other.file.clone());
        files::copy(&found.file, &kept)?;
        folders.extend(kept.parent().map(Path::to_owned));
        found.file = kept;
    }
    environment.dependencies.splice(0..0, folders);
    Ok(())
}

/// Links crates into a shared library, with all their dependencies that no earlier shared library contains.
fn link(environment: &Environment, folder: &Path, new: &[Crate], orders: &Orders) -> Result<SetLibrary> {
    let files = new.iter().map(|found| found.file.as_os_str().as_encoded_bytes());
    let key = files::digest(files.chain(environment.sets().map(str::as_bytes)));
    let name = format!("set_{key}");
    let path = folder.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let mut source = String::new();
    for linked in ["lab"].into_iter().chain(environment.sets()) {
        source.push_str(&format!("extern crate {linked} as _;\n"));
    }
    let mut arguments = environment.link_flags();
    for (number, found) in new.iter().enumerate() {
        // Numbered names, because two versions of a crate have the same name.
        source.push_str(&format!("extern crate linked_{number} as _;\n"));
        arguments.extend(["--extern".to_owned(), format!("linked_{number}={}", found.file.display())]);
    }
    let main = folder.join(&name).with_extension("rs");
    files::write(&main, source)?;
    arguments.push(orders.toolchain.rpath()?);
    arguments.extend(orders.cuda.into_iter().flat_map(|cuda| cuda.rustflags()));
    let run = |linker: Option<String>| {
        Command::new(orders.toolchain.rustc_path())
            .current_dir(folder)
            .args([
                "--crate-name",
                &name,
                "--crate-type",
                "dylib",
                "--edition",
                "2024",
                "--cap-lints",
                "allow",
            ])
            .arg(&main)
            .arg("-Copt-level=3")
            .args(&arguments)
            .args(linker)
            .output()
            .context("cannot run rustc")
    };
    let linker = format!("-Clinker={}", write_linker(folder)?.display());
    // Linking all of a C library can fail, because parts that nobody calls may refer to symbols that no library defines. Then
    // only what is called is linked.
    if !cfg!(target_os = "linux") || !run(Some(linker))?.status.success() {
        let output = run(None)?;
        if !output.status.success() {
            bail!("the crates cannot be linked:\n{}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    Ok(SetLibrary { name, path, crates: new.to_vec(), is_local: false })
}

/// The linker of sets. Cells may call the C functions of a crate, directly or through an inlined Rust function. rustc would
/// leave those that no Rust code calls out of a shared library, and would not export the others. So this script links all of
/// each crate, and exports it.
const LINKER: &str = "#!/bin/sh
for argument do
  shift
  case $argument in
    -Wl,--version-script=*) ;;
    *libcompiler_builtins-*) set -- \"$@\" \"$argument\" ;;
    *.rlib) set -- \"$@\" -Wl,--whole-archive \"$argument\" -Wl,--no-whole-archive ;;
    *) set -- \"$@\" \"$argument\" ;;
  esac
done
exec cc \"$@\"
";

/// Writes the linker to a folder; returns its path.
fn write_linker(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("linker.sh");
    files::write(&path, LINKER)?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(path)
}
