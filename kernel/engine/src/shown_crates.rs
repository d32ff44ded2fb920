//! Limits which crates the analyzer's rust-analyzer sees: cuts `cargo metadata` down to those that cells commonly use.

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, PackageId};
use environment::{Environment, Toolchain};
use serde_json::json;
use std::io::{self, Write};
use std::process::Command;
use std::{env, fs};

/// The crates that rust-analyzer sees besides std: those that notebooks name, `ops`, which `lab` re-exports, and those whose
/// types appear in their signatures.
const SHOWN: [&str; 5] = ["lab", "ops", "candle-core", "candle-nn", "half"];
/// The environment variable with the path of the metadata of those crates, for the stand-in for cargo.
pub const CRATES: &str = "TAPER_ANALYZER_CRATES";
/// The environment variable with the user's own `CARGO_HOME`, for the stand-in for cargo.
pub const USER_CARGO_HOME: &str = "TAPER_USER_CARGO_HOME";

/// The metadata of the environment's package, cut down to the shown crates.
///
/// # Errors
/// When cargo cannot describe the package.
pub fn shown_crates(toolchain: &Toolchain, environment: &Environment) -> Result<Metadata> {
    let output = toolchain
        .cargo(environment.package())
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &toolchain.host])
        .output()?;
    let mut metadata = serde_json::from_slice(&output.stdout).context("cargo cannot describe `lab`")?;
    keep_shown(&mut metadata);
    Ok(metadata)
}

fn keep_shown(metadata: &mut Metadata) {
    metadata.packages.retain(|package| SHOWN.contains(&package.name.as_str()));
    let is_shown = |id: &PackageId| metadata.packages.iter().any(|package| package.id == *id);
    if let Some(resolve) = &mut metadata.resolve {
        resolve.nodes.retain(|node| is_shown(&node.id));
        for node in &mut resolve.nodes {
            node.deps.retain(|dependency| is_shown(&dependency.pkg));
            node.dependencies.retain(|id| is_shown(id));
        }
    }
}

/// The stand-in for cargo: runs the real cargo, but adds the shown crates to the metadata of the cells' package. Returns the
/// exit code.
///
/// # Errors
/// When cargo cannot be run, or its metadata cannot be read.
pub fn cargo(arguments: &[String]) -> Result<u8> {
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .env("CARGO_HOME", env::var_os(USER_CARGO_HOME).context("not started by the analyzer")?);
    let is_cells = arguments.first().is_some_and(|first| first == "metadata")
        && !arguments.iter().any(|argument| argument == "--no-deps" || argument.contains("rustlib"));
    if !is_cells {
        return Ok(command.status()?.code().unwrap_or(1) as u8);
    }
    let output = command.output()?;
    io::stderr().write_all(&output.stderr)?;
    if !output.status.success() {
        return Ok(1);
    }
    let mut metadata = serde_json::from_slice(&output.stdout)?;
    let crates = fs::read(env::var_os(CRATES).context("not started by the analyzer")?)?;
    add_crates(&mut metadata, serde_json::from_slice(&crates)?)?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&metadata)?)?;
    Ok(0)
}

/// Adds crates to the metadata of the cells' package, and makes the package depend on `lab`.
fn add_crates(metadata: &mut Metadata, crates: Metadata) -> Result<()> {
    let lab = crates.packages.iter().find(|package| package.name == "lab").context("there is no `lab`")?;
    let lab = lab.id.clone();
    let known: Vec<_> = metadata.packages.iter().map(|package| package.id.clone()).collect();
    let added = crates.resolve.context("the metadata of `lab` has no dependency graph")?;
    let resolve = metadata.resolve.as_mut().context("the metadata of the cells has no dependency graph")?;
    metadata.packages.extend(crates.packages.into_iter().filter(|package| !known.contains(&package.id)));
    resolve.nodes.extend(added.nodes.into_iter().filter(|node| !known.contains(&node.id)));
    let root = resolve.root.as_ref();
    let cells = resolve.nodes.iter_mut().find(|node| root == Some(&node.id));
    let cells = cells.context("the metadata of the cells lacks their package")?;
    cells.dependencies.push(lab.clone());
    let kinds = json!([{ "kind": null, "target": null }]);
    cells.deps.push(serde_json::from_value(json!({ "name": "lab", "pkg": lab, "dep_kinds": kinds }))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// cargo's metadata of packages, each of which depends on the next. The first is the workspace's own.
    fn metadata(names: &[&str]) -> Metadata {
        let package = |name: &&str| {
            json!({ "name": name, "version": "1.0.0", "id": name, "dependencies": [], "targets": [], "features": {},
                    "manifest_path": format!("/{name}/Cargo.toml") })
        };
        let node = |(at, name): (usize, &&str)| {
            let next: Vec<&str> = names.get(at + 1).copied().into_iter().collect();
            let deps = next.iter().map(|name| json!({ "name": name, "pkg": name })).collect::<Vec<_>>();
            json!({ "id": name, "dependencies": next, "deps": deps, "features": [] })
        };
        let nodes: Vec<Value> = names.iter().enumerate().map(node).collect();
        let packages: Vec<Value> = names.iter().map(package).collect();
        let all = json!({ "packages": packages, "workspace_members": [names[0]], "workspace_root": "/",
                          "target_directory": "/target", "version": 1,
                          "resolve": { "root": names[0], "nodes": nodes } });
        serde_json::from_value(all).unwrap()
    }

    /// The packages and their dependencies. The metadata lists both twice, and the lists must agree.
    fn dependencies(metadata: &Metadata) -> Vec<(String, Vec<String>)> {
        let nodes = metadata.resolve.as_ref().unwrap().nodes.iter();
        assert!(metadata.packages.iter().map(|package| &package.id).eq(nodes.clone().map(|node| &node.id)));
        nodes
            .map(|node| {
                assert!(node.deps.iter().map(|dependency| &dependency.pkg).eq(&node.dependencies));
                (node.id.repr.clone(), node.dependencies.iter().map(|id| id.repr.clone()).collect())
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        expected.iter().map(|(name, names)| ((*name).to_owned(), owned(names))).collect()
    }

    #[test]
    fn cells_depend_on_lab_and_see_of_the_others_only_what_is_shown() {
        let mut shown = metadata(&["warm", "lab", "ops", "candle-core", "rayon", "half"]);
        keep_shown(&mut shown);
        let expected: [(&str, &[&str]); 4] =
            [("lab", &["ops"]), ("ops", &["candle-core"]), ("candle-core", &[]), ("half", &[])];
        assert_eq!(dependencies(&shown), pairs(&expected));
        // A package that the cells already have must not appear twice.
        let mut cells = metadata(&["ctx", "half"]);
        add_crates(&mut cells, shown).unwrap();
        let expected: [(&str, &[&str]); 5] = [
            ("ctx", &["half", "lab"]),
            ("half", &[]),
            ("lab", &["ops"]),
            ("ops", &["candle-core"]),
            ("candle-core", &[]),
        ];
        assert_eq!(dependencies(&cells), pairs(&expected));
    }
}
