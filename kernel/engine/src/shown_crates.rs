//! Which crates completion and help see, of all that have been compiled: those that cells can name, and those whose types appear
//! in what they offer.

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, Node, Package, PackageId, TargetKind};
use environment::{Environment, SharedInstall, Toolchain};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// `lab`, and the crates of its interface: what it re-exports, and those whose types appear in signatures.
const LABS: [&str; 5] = ["lab", "ops", "candle-core", "candle-nn", "half"];
/// How much source text is read for the dependencies of what cells can name, in bytes: a set may have hundreds of them, and
/// rust-analyzer keeps six times as much memory.
const DEPENDENCIES: u64 = 8 << 20;

/// What cells can name, which rust-analyzer is to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Crates {
    /// The folder of the package that depends on all of them.
    pub package: PathBuf,
    /// The crates besides `lab`.
    pub named: Vec<Named>,
    /// The libraries that hold them, which are others after a crate has changed, perhaps with its dependencies.
    pub libraries: Vec<String>,
}

impl Crates {
    /// What cells can name that are linked with this environment.
    pub fn of(environment: &Environment) -> Self {
        let named = |(name, id): (&str, &str)| Named { name: name.to_owned(), id: id.to_owned() };
        Self {
            package: environment.package().to_owned(),
            named: environment.named().map(named).collect(),
            libraries: environment.sets().map(str::to_owned).collect(),
        }
    }
}

/// A crate by the name that code has for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    /// cargo's identifier of the package.
    pub id: String,
}

/// A crate as rust-analyzer needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub id: String,
    pub name: String,
    pub version: String,
    pub edition: String,
    /// The file that the crate starts with.
    pub root: PathBuf,
    pub features: Vec<String>,
    pub dependencies: Vec<Named>,
    pub is_macro: bool,
    /// Whether its sources may change.
    pub is_local: bool,
}

/// The crates to show, and those that cells can name.
///
/// # Errors
/// When cargo cannot describe the package.
pub fn shown(toolchain: &Toolchain, crates: &Crates) -> Result<(Vec<Shown>, Vec<Named>)> {
    let shared = SharedInstall::current().and_then(|shared| fs::read(shared.crates()).ok());
    let shared: Option<Metadata> = shared.and_then(|text| serde_json::from_slice(&text).ok());
    let has_all = |metadata: &Metadata| {
        let has = |named: &Named| metadata.packages.iter().any(|package| package.id.repr == named.id);
        crates.named.iter().all(has)
    };
    let metadata = match shared {
        Some(shared) if has_all(&shared) => shared,
        shared => match describe(toolchain, &crates.package) {
            Ok(metadata) => metadata,
            Err(error) => shared.ok_or(error)?,
        },
    };
    let kept = kept(&metadata, &crates.named, size);
    let mut named = crates.named.clone();
    let lab = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "lab")
        .context("there is no `lab`")?;
    named.push(Named { name: "lab".into(), id: lab.id.repr.clone() });
    Ok((kept.into_iter().filter_map(|id| describe_crate(&metadata, id)).collect(), named))
}

/// What `cargo metadata` says of a package, without a network.
fn describe(toolchain: &Toolchain, package: &Path) -> Result<Metadata> {
    let output = toolchain
        .cargo(package)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &toolchain.host])
        .output()?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "cargo cannot describe {}: {}",
            package.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })
}

/// The packages to show: `lab` with its interface, what cells can name, and of the dependencies of the latter, the nearest first,
/// as many as the limit allows.
fn kept<'a>(metadata: &'a Metadata, named: &[Named], size: impl Fn(&Package) -> u64) -> Vec<&'a PackageId> {
    let packages: HashMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: HashMap<&PackageId, &Node> = nodes.map(|node| (&node.id, node)).collect();
    let labs = metadata.packages.iter().filter(|package| LABS.contains(&package.name.as_str()));
    let mut kept: Vec<&PackageId> = labs.map(|package| &package.id).collect();
    let is_named = |id: &PackageId| named.iter().any(|named| named.id == id.repr);
    let mut nearest: Vec<&PackageId> = packages.keys().copied().filter(|id| is_named(id)).collect();
    let mut seen: BTreeSet<&PackageId> = kept.iter().chain(&nearest).copied().collect();
    kept.extend(nearest.iter().filter(|id| !kept.contains(id)).copied().collect::<Vec<_>>());
    let mut left = DEPENDENCIES;
    while !nearest.is_empty() {
        let from = nearest.iter().filter(|id| packages.get(*id).is_some_and(|package| !is_macro(package)));
        let next = from.filter_map(|id| nodes.get(id)).flat_map(|node| dependencies(node));
        let mut next: Vec<&PackageId> = next.map(|(_, id)| id).filter(|id| seen.insert(id)).collect();
        next.retain(|id| {
            let size = packages.get(id).map_or(0, |package| size(package));
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        });
        kept.extend(&next);
        nearest = next;
    }
    kept
}

/// What a package needs at run time, with the names that it has for it.
fn dependencies(node: &Node) -> impl Iterator<Item = (&str, &PackageId)> {
    let is_normal = |dependency: &&cargo_metadata::NodeDep| {
        dependency.dep_kinds.is_empty()
            || dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
    };
    node.deps.iter().filter(is_normal).map(|dependency| (dependency.name.as_str(), &dependency.pkg))
}

fn is_macro(package: &Package) -> bool {
    package.targets.iter().any(|target| target.kind.contains(&TargetKind::ProcMacro))
}

/// The size of a package's sources, in bytes.
fn size(package: &Package) -> u64 {
    let root = library(package).and_then(|library| library.src_path.parent());
    root.map_or(0, |folder| crate::analysis::files::size(folder.as_std_path()))
}

fn library(package: &Package) -> Option<&cargo_metadata::Target> {
    let is_library = |kind: &TargetKind| {
        matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::ProcMacro)
    };
    package.targets.iter().find(|target| target.kind.iter().any(is_library))
}

fn describe_crate(metadata: &Metadata, id: &PackageId) -> Option<Shown> {
    let package = metadata.packages.iter().find(|package| package.id == *id)?;
    let node = metadata.resolve.as_ref()?.nodes.iter().find(|node| node.id == *id)?;
    let library = library(package)?;
    let named = |(name, id): (&str, &PackageId)| Named { name: name.into(), id: id.repr.clone() };
    Some(Shown {
        id: id.repr.clone(),
        name: package.name.to_string(),
        version: package.version.to_string(),
        edition: library.edition.to_string(),
        root: library.src_path.clone().into_std_path_buf(),
        features: node.features.iter().map(|feature| feature.to_string()).collect(),
        dependencies: dependencies(node).map(named).collect(),
        is_macro: is_macro(package),
        is_local: package.source.is_none(),
    })
}

/// What `cargo metadata` says of a package, cut down to what a shared install shows: the crates of `lab`'s interface, and those
/// of its own sets.
///
/// # Errors
/// When cargo cannot describe the package.
pub fn for_all_users(toolchain: &Toolchain, crates: &[Crates]) -> Result<Metadata> {
    let mut all: Option<Metadata> = None;
    for crates in crates {
        let mut metadata = describe(toolchain, &crates.package)?;
        let kept: BTreeSet<PackageId> = kept(&metadata, &crates.named, size).into_iter().cloned().collect();
        keep(&mut metadata, &kept);
        match &mut all {
            Some(all) => add(all, metadata),
            None => all = Some(metadata),
        }
    }
    all.context("there is nothing to show")
}

fn keep(metadata: &mut Metadata, kept: &BTreeSet<PackageId>) {
    metadata.packages.retain(|package| kept.contains(&package.id));
    if let Some(resolve) = &mut metadata.resolve {
        resolve.nodes.retain(|node| kept.contains(&node.id));
    }
}

/// Adds the packages that are not there yet.
fn add(all: &mut Metadata, other: Metadata) {
    let known: BTreeSet<PackageId> = all.packages.iter().map(|package| package.id.clone()).collect();
    all.packages.extend(other.packages.into_iter().filter(|package| !known.contains(&package.id)));
    if let (Some(all), Some(other)) = (&mut all.resolve, other.resolve) {
        all.nodes.extend(other.nodes.into_iter().filter(|node| !known.contains(&node.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What cargo says of packages, each given with what it depends on. `macro` is a procedural macro.
    fn metadata(packages: &[(&str, &[&str])]) -> Metadata {
        let package = |(name, _): &(&str, &[&str])| {
            let kind = if *name == "macro" { "proc-macro" } else { "lib" };
            json!({ "name": name, "version": "1.2.0", "id": name, "dependencies": [], "features": {},
                    "source": if *name == "mine" { Value::Null } else { "registry".into() },
                    "targets": [
                        { "name": "build", "kind": ["custom-build"], "crate_types": ["bin"], "src_path": "/build.rs", "edition": "2021" },
                        { "name": name, "kind": [kind], "crate_types": [kind], "src_path": format!("/{name}/src/lib.rs"), "edition": "2021" },
                    ],
                    "manifest_path": format!("/{name}/Cargo.toml") })
        };
        let node = |(name, needs): &(&str, &[&str])| {
            let need = |name: &&str| {
                let kinds = json!([{ "kind": if *name == "tests" { "dev".into() } else { Value::Null }, "target": null }]);
                json!({ "name": name.replace('-', "_"), "pkg": name, "dep_kinds": kinds })
            };
            json!({ "id": name, "dependencies": needs, "deps": needs.iter().map(need).collect::<Vec<_>>(), "features": ["std"] })
        };
        serde_json::from_value(json!({
            "packages": packages.iter().map(package).collect::<Vec<_>>(), "workspace_members": ["set"], "workspace_root": "/",
            "target_directory": "/target", "version": 1,
            "resolve": { "root": "set", "nodes": packages.iter().map(node).collect::<Vec<_>>() },
        }))
        .unwrap()
    }

    fn named(names: &[&str]) -> Vec<Named> {
        names.iter().map(|name| Named { name: name.replace('-', "_"), id: (*name).into() }).collect()
    }

    const PACKAGES: [(&str, &[&str]); 10] = [
        ("set", &["lab", "polars"]),
        ("lab", &["ops", "candle-core", "plotters"]),
        ("ops", &["candle-core"]),
        ("candle-core", &["rayon"]),
        ("plotters", &[]),
        ("rayon", &[]),
        ("polars", &["polars-core", "macro", "tests"]),
        ("polars-core", &["rayon"]),
        ("macro", &["syn"]),
        ("syn", &[]),
    ];

    #[test]
    fn what_cells_name_is_shown_with_its_dependencies_and_of_lab_its_interface() {
        let kept = |names: &[&str], size: u64| {
            let metadata = metadata(&PACKAGES);
            let kept = super::kept(&metadata, &named(names), |_| size);
            kept.into_iter().map(|id| id.repr.clone()).collect::<Vec<_>>()
        };
        assert_eq!(kept(&[], 1), ["lab", "ops", "candle-core"]);
        assert_eq!(kept(&["candle-core", "ops"], DEPENDENCIES + 1), ["lab", "ops", "candle-core"]);
        let all = ["lab", "ops", "candle-core", "polars", "polars-core", "macro", "rayon"];
        assert_eq!(kept(&["polars"], 1), all);
        // The nearest come first, and what cells name is always there.
        assert_eq!(kept(&["polars"], DEPENDENCIES / 2), all[..6]);
        assert_eq!(kept(&["polars"], DEPENDENCIES + 1), all[..4]);
    }

    #[test]
    fn a_crate_is_described_as_rust_analyzer_needs_it() {
        let metadata = metadata(&[("mine", &["polars-core", "tests"]), ("polars-core", &[]), ("macro", &[])]);
        let describe = |name: &str| describe_crate(&metadata, &PackageId { repr: name.into() });
        let mine = Shown {
            id: "mine".into(),
            name: "mine".into(),
            version: "1.2.0".into(),
            edition: "2021".into(),
            root: "/mine/src/lib.rs".into(),
            features: vec!["std".into()],
            dependencies: named(&["polars-core"]),
            is_macro: false,
            is_local: true,
        };
        assert_eq!(describe("mine"), Some(mine));
        let of_macro = describe("macro").unwrap();
        assert!(of_macro.is_macro && !of_macro.is_local);
        assert_eq!(describe("none"), None);
    }

    #[test]
    fn all_users_see_the_crates_of_all_sets_once() {
        let mut all = metadata(&PACKAGES);
        keep(&mut all, &["lab", "ops"].map(|name| PackageId { repr: name.into() }).into());
        let mut other = metadata(&PACKAGES);
        keep(&mut other, &["lab", "polars"].map(|name| PackageId { repr: name.into() }).into());
        add(&mut all, other);
        let packages: Vec<&str> = all.packages.iter().map(|package| package.id.repr.as_str()).collect();
        let nodes: Vec<&str> =
            all.resolve.iter().flat_map(|all| &all.nodes).map(|node| node.id.repr.as_str()).collect();
        assert_eq!((packages, nodes), (vec!["lab", "ops", "polars"], vec!["lab", "ops", "polars"]));
    }
}
