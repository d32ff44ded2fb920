//! The crates that cells may name: `lab`, and those of `:dep` lines.

use super::{Evaluator, Failed, point};
use crate::build_display::BuildDisplay;
use crate::glue::Variable;
use crate::types;
use anyhow::{Result, anyhow, bail};
use cell::Dependency;
use cell::definitions::is_built_on;
use environment::warm::{Orders, Progress};
use environment::{Environment, Lab};
use std::fs;
use std::mem::take;
use std::path::Path;
use std::sync::atomic::Ordering;
use toml::Table;

impl Evaluator {
    /// Adds crates to those that cells are linked with.
    pub(super) fn add(&mut self, crates: Vec<Dependency>) -> Result<(), Failed> {
        let (lab, others): (Vec<_>, Vec<_>) = crates.into_iter().partition(is_lab);
        if let Some(lab) = lab.last() {
            self.use_lab(lab).map_err(Failed::Dependency)?;
        }
        let known = &self.settings.dependencies;
        let new: Vec<Dependency> = others.into_iter().filter(|other| !known.contains(other)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for Dependency { name, unused, .. } in &new {
            let name = name.as_deref().unwrap_or_default();
            for key in unused {
                self.warn(&format!("cargo does not know the key `{key}` of `{name}`, and ignores it"));
            }
        }
        let names: Vec<&str> = new.iter().filter_map(|new| new.name.as_deref()).collect();
        let what = names.join(", ");
        let mut wanted = self.settings.dependencies.clone();
        wanted.retain(|known| new.iter().all(|new| new.name != known.name));
        wanted.extend(new);
        self.link(wanted, &what).map_err(Failed::Dependency)
    }

    /// Links cells with exactly these crates and `lab` from now on. `what` is the name that the progress of a build shows.
    fn link(&mut self, wanted: Vec<Dependency>, what: &str) -> Result<()> {
        let table = as_table(&wanted);
        let environment =
            self.build(what, |evaluator, orders| evaluator.environment.with(&evaluator.lab, &table, orders))?;
        self.adopt(environment)?;
        self.settings.dependencies = wanted;
        Ok(())
    }

    /// Builds an environment, and shows the progress in the cell's output.
    fn build(
        &self,
        what: &str,
        build: impl FnOnce(&Self, Orders) -> Result<Environment>,
    ) -> Result<Environment> {
        let mut display = BuildDisplay::new(&self.iopub, what);
        let mut report = |progress: &Progress| {
            display.report(progress);
            self.interrupts.load(Ordering::SeqCst) == 0
        };
        let orders = Orders {
            toolchain: &self.toolchain,
            cuda: self.cuda.as_ref(),
            offline: self.settings.offline,
            variables: &self.compiler.environment,
            report: &mut report,
        };
        let built = build(self, orders)?;
        display.finish();
        Ok(built)
    }

    /// Links cells with another environment from now on. If its `lab` is a different one, the child is restarted, because it
    /// has loaded the old one.
    fn adopt(&mut self, environment: Environment) -> Result<()> {
        let is_same_lab = environment.lab_library() == self.environment.lab_library();
        let changed: Vec<String> = self.environment.changed(&environment).map(str::to_owned).collect();
        self.forget_variables_of(&changed);
        self.environment = environment;
        let types: Vec<String> =
            self.state.variables.values().map(|variable| variable.type_name.clone()).collect();
        types.iter().for_each(|type_name| self.imply_crates_of(type_name, |_| false));
        // The child keeps the libraries of the old environment loaded, so they must stay in the cache.
        self.held.push(self.environment.hold());
        self.compiler.use_crates_of(&self.environment);
        if is_same_lab {
            return Ok(());
        }
        let lost = self.forget_variables();
        if !lost.is_empty() {
            let names = lost.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            self.warn(&format!("These variables are gone, because crates that `lab` uses were rebuilt with other features: {names}."));
        }
        point(&self.lab_link, self.environment.lab_library())?;
        self.context.execute(":restart").map_err(|error| anyhow!("{error}"))?;
        self.run_first_cell()
    }

    /// Lets cells name the crates in which a type is defined, except modules of the session, so that they can have variables of it.
    pub(super) fn imply_crates_of(&mut self, type_name: &str, is_module: impl Fn(&str) -> bool) {
        for root in types::roots(type_name) {
            if !is_module(root) && self.environment.imply(root) {
                self.compiler.use_crates_of(&self.environment);
            }
        }
    }

    /// Forgets the variables whose types come from recompiled crates: the layout of those types may have changed.
    fn forget_variables_of(&mut self, crates: &[String]) {
        let names = self.state.definitions.built_on(crates);
        let is_outdated = |variable: &Variable| is_built_on(&variable.type_name, &names);
        let outdated = self.state.variables.iter().filter(|(_, variable)| is_outdated(variable));
        let outdated: Vec<String> = outdated.map(|(name, _)| name.clone()).collect();
        for name in outdated {
            self.state.variables.remove(&name);
            self.warn(&format!(
                "`{name}` is gone: the crate that defines its type has changed. Run the cell that creates it again."
            ));
        }
    }

    /// Rebuilds local crates whose sources have changed. If they do not compile, shows why and keeps the last build.
    pub(super) fn follow_sources(&mut self) {
        if !self.environment.is_outdated() {
            return;
        }
        // Noted before the build, so that a failed build is tried again only after the next change.
        self.environment.look_at_sources();
        let wanted = self.settings.dependencies.clone();
        if let Err(error) = self.link(wanted, "your crate") {
            self.warn(&format!(
                "{error:#}\n\nThe crate has changed and does not compile; cells still use its last working build."
            ));
        }
    }

    /// Switches to the `lab` that a cell asks for, if that is not the one in use: because the notebook's copy of `lab` has
    /// been edited, or because other features are wanted.
    fn use_lab(&mut self, dependency: &Dependency) -> Result<()> {
        let lab = wanted_lab(dependency, Path::new(""))?;
        if self.environment.serves(&lab) {
            return Ok(());
        }
        if self.used {
            bail!("cells have already used another `lab`: restart the kernel and run this cell first");
        }
        let features: Vec<&str> = lab.features.iter().map(String::as_str).collect();
        let what = match features.is_empty() {
            true => "`lab`".to_owned(),
            false => format!("`lab` with {}", features.join(" and ")),
        };
        let environment = self.build(&what, |_, orders| Environment::build(&lab, orders))?;
        self.adopt(environment)?;
        self.lab = lab;
        let wanted = take(&mut self.settings.dependencies);
        if wanted.is_empty() { Ok(()) } else { self.link(wanted, "the crates of this session") }
    }

    /// Links cells with `lab` alone from now on.
    pub(super) fn unlink_crates(&mut self) -> Result<()> {
        self.link(Vec::new(), "")
    }
}

/// The runtime of cells with `.await` at their top level, with the features that most notebooks ask for. It is built when taper
/// is installed.
pub const TOKIO: &str = "tokio = { version = \"1\", features = [\"full\"] }";

/// Parses a `:dep` line to a `[dependencies]` table.
///
/// # Errors
/// What is wrong with the line, in one line.
pub fn table(line: &str) -> Result<Table> {
    let dependency = Dependency::parse(line).map_err(|fault| anyhow!("`{line}`: {fault}"))?;
    let dependency = resolve(dependency).map_err(|fault| anyhow!("`{line}`: {fault}"))?;
    Ok(as_table(&[dependency]))
}

/// The dependencies as a `[dependencies]` table.
fn as_table(dependencies: &[Dependency]) -> Table {
    let named = |wanted: &Dependency| Some((wanted.name.clone()?, wanted.config.clone().into()));
    dependencies.iter().filter_map(named).collect()
}

/// Whether this is `lab`, which every session has already compiled.
pub fn is_lab(dependency: &Dependency) -> bool {
    dependency.name.as_deref() == Some("lab")
}

/// The `lab` that a `:dep` line asks for, or the kernel's own if there is none at the line's path. Paths are relative to
/// `base`.
pub fn wanted_lab(dependency: &Dependency, base: &Path) -> Result<Lab> {
    let folder = dependency.path().map(|path| base.join(path));
    let lab = match folder.filter(|folder| folder.join("Cargo.toml").exists()) {
        Some(folder) => Lab::in_folder(&folder)?,
        None => Lab::embedded(),
    };
    Ok(lab.with(dependency.features().into_iter().map(str::to_owned).collect()))
}

/// Completes a dependency: fills in its name, and makes its path absolute so that cargo can run anywhere. Relative paths
/// start at the kernel's working directory.
///
/// # Errors
/// What is wrong with the dependency, in one line.
pub fn resolve(mut dependency: Dependency) -> std::result::Result<Dependency, String> {
    let Some(path) = dependency.path().map(str::to_owned) else { return Ok(dependency) };
    // The path of `lab` need not exist: then the kernel's own is used.
    if is_lab(&dependency) {
        return Ok(dependency);
    }
    let folder =
        Path::new(&path).canonicalize().map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))
        .map_err(|error| format!("there is no crate in `{path}`: its Cargo.toml cannot be read ({error})"))?;
    if dependency.name.is_none() {
        let manifest: toml::Table = manifest
            .parse()
            .map_err(|error: toml::de::Error| format!("the Cargo.toml in `{path}`: {}", error.message()))?;
        let name =
            manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let name =
            name.ok_or_else(|| format!("there is no crate in `{path}`: its Cargo.toml has no package"))?;
        dependency.name = Some(name.to_owned());
    }
    dependency.config.insert("path".into(), folder.to_string_lossy().into_owned().into());
    Ok(dependency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(argument: &str) -> Dependency {
        Dependency::parse(argument).unwrap()
    }

    #[test]
    fn lab_is_the_crate_at_the_path_or_else_the_kernels_own() {
        let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks"));
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("my features/lab");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("Cargo.toml"), "[package]\nname = \"lab\"\n").unwrap();
        let wanted = |line: &str| {
            let command = cell::commands(line).commands.remove(0);
            wanted_lab(&command.dependency().unwrap().unwrap(), base).unwrap()
        };
        let (own, others) = (Lab::embedded().digest(), Lab::in_folder(&other).unwrap().digest());
        assert_ne!(own, others);
        for (line, digest, features) in [
            (":dep lab", &own, &[][..]),
            (":dep lab = { path = 'lab' }", &own, &[]),
            (":dep lab = {path=\"no such folder\"} // note", &own, &[]),
            (&format!(":dep lab = {{ path = '{}' }}", other.display()), &others, &[]),
            (
                &format!("/* note */ :dep lab = {{ features = ['burn'], path = \"{}\" }}", other.display()),
                &others,
                &["burn"],
            ),
            (
                ":dep \"lab\" = { path = 'features = [\"x\"]', features = [\"cuda\", \"burn\",] }",
                &own,
                &["burn", "cuda"],
            ),
        ] {
            let lab = wanted(line);
            assert_eq!(
                (&lab.digest(), lab.features.iter().map(String::as_str).collect()),
                (digest, features.to_vec()),
                "{line}"
            );
        }
    }

    #[test]
    fn a_crate_in_a_folder_gets_its_name_and_a_path_that_holds_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap().join("my crate");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("Cargo.toml"), "[package]\nname = \"tiny-crate\"\n").unwrap();
        let path = folder.join(".").display().to_string();
        let expected = format!("tiny-crate = {{ path = \"{}\" }}", folder.display());
        assert_eq!(resolve(dependency(&path)).unwrap().to_string(), expected);
        let named = format!("tiny = {{ path = '{path}', package = \"tiny-crate\" }}");
        assert_eq!(resolve(dependency(&named)).unwrap().path(), folder.to_str());
        fs::write(folder.join("Cargo.toml"), "[workspace]\n").unwrap();
        assert!(resolve(dependency(&path)).unwrap_err().ends_with("its Cargo.toml has no package"));
        fs::remove_file(folder.join("Cargo.toml")).unwrap();
        assert!(
            resolve(dependency(&path)).unwrap_err().starts_with(&format!("there is no crate in `{path}`"))
        );
        assert_eq!(
            resolve(dependency("a = { path = 'no/such' }")).unwrap_err(),
            "`no/such` cannot be read: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn dependencies_without_a_local_folder_stay_unchanged() {
        for argument in ["rand = \"0.9\"", "lab = { path = \"no/such\", features = [\"burn\"] }"] {
            assert_eq!(resolve(dependency(argument)).unwrap(), dependency(argument));
        }
    }
}
