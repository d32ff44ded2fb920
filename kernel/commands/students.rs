//! `taper students`: the course as students get it. The exercises stay, and their solutions go, by nbgrader's own marks.

use crate::notebook;
use crate::packages::{self, NBGRADER};
use crate::terminal::say;
use anyhow::{Context, Result, bail, ensure};
use environment::files::write;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Make the students' edition of the course: exercises without their solutions
///
/// Takes the notebooks in notebooks/solutions/, and leaves out what is marked there as a solution, by nbgrader, which is
/// installed for taper alone if you have none. The rest of the course comes along, so the folder can be handed out.
#[derive(clap::Args)]
pub struct Students {
    /// The folder to make; it must be empty, or not be there
    #[arg(long, value_name = "DIR", default_value = "out/students")]
    out: PathBuf,
}

/// The exercises with their solutions, and where students find those without.
const SOLUTIONS: &str = "notebooks/solutions";
const EXERCISES: &str = "notebooks/exercises";

/// What students get as it is: the files of these kinds in these folders. Without `lab` their notebooks use the one that
/// their kernel has compiled.
const AS_IT_IS: [(&str, &str); 5] = [
    ("notebooks", "ipynb"),
    ("notebooks/peers", "py"),
    ("notebooks/peers", "txt"),
    ("notebooks/scores", "json"),
    ("assets/architecture", "png"),
];

/// What is written in the place of a solution, and which cells go altogether.
const CONFIGURATION: &str = include_str!("../../notebooks/solutions/nbgrader_config.py");

/// What nbgrader does to each, in this order.
const PREPROCESSORS: [&str; 3] = ["CheckCellMetadata", "ClearSolutions", "ClearOutput"];

impl Students {
    /// Makes the students' edition of the course in this folder.
    pub fn run(&self) -> Result<ExitCode> {
        let out = &self.out;
        let solutions = files(Path::new(SOLUTIONS), "ipynb").with_context(|| {
            format!("there is no folder {SOLUTIONS}/ here: go to the folder of the course")
        })?;
        solutions.iter().try_for_each(|path| check(path))?;
        // Nothing of the user's is overwritten, and no solution of an earlier edition stays.
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        if fs::read_dir(out)?.next().is_some() {
            bail!("{} is not empty: remove it, or name another folder with --out", out.display());
        }
        let cleared = tempfile::tempdir()?;
        clear(&solutions, cleared.path())?;
        copy(cleared.path(), "ipynb", &out.join(EXERCISES))?;
        for (folder, kind) in AS_IT_IS {
            copy(Path::new(folder), kind, &out.join(folder))?;
        }
        say!(
            "{} notebooks without their solutions are in {}, and the course with them. Hand out {}: students open it with \
             `taper lab`.",
            solutions.len(),
            out.join(EXERCISES).display(),
            out.display()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a notebook of which all would be left.
fn check(path: &Path) -> Result<()> {
    let cells = notebook::read(path)?.cells;
    let is_solution = |mark: &serde_json::Value| mark["solution"] == true;
    let marks = cells.iter().filter_map(|cell| cell.metadata().additional.get("nbgrader"));
    ensure!(
        marks.into_iter().any(is_solution),
        "{} has no cell that is marked as a solution: students would get all of it",
        path.display()
    );
    Ok(())
}

/// Has nbgrader take the solutions out of the notebooks, and the outputs.
fn clear(notebooks: &[PathBuf], folder: &Path) -> Result<()> {
    let python = NBGRADER.python()?;
    let configuration = folder.join("nbgrader_config.py");
    write(&configuration, CONFIGURATION)?;
    let mut nbconvert = Command::new(python);
    nbconvert.args(["-m", "nbconvert", "--to", "notebook", "--log-level", "ERROR", "--config"]);
    nbconvert.arg(configuration).arg("--output-dir").arg(folder);
    for name in PREPROCESSORS {
        nbconvert.arg(format!("--NotebookExporter.preprocessors=nbgrader.preprocessors.{name}"));
    }
    packages::step(nbconvert.args(notebooks)).context("nbgrader cannot take the solutions out")
}

/// Copies the files of a kind.
fn copy(from: &Path, kind: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for path in files(from, kind)? {
        let target = to.join(path.file_name().context("a file has a name")?);
        fs::copy(&path, &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// The files of a kind in a folder, in order.
fn files(folder: &Path, kind: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter(|path| path.extension() == Some(OsStr::new(kind))).collect();
    found.sort();
    Ok(found)
}
