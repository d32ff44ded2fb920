//! `taper students`: writes the students' edition of the course, without the solutions that nbgrader's metadata marks.

use crate::notebook;
use crate::packages::{self, NBGRADER};
use crate::terminal::say;
use anyhow::{Context, Result, bail, ensure};
use environment::files;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Write the students' edition of the course: exercises without their solutions
///
/// Uses nbgrader to remove everything that is marked as a solution from the notebooks in notebooks/solutions/. If you have no
/// nbgrader, it is installed for taper alone. The rest of the course is copied, so the folder can be handed out.
#[derive(clap::Args)]
pub struct Students {
    /// The folder to write to. It must be empty or not exist
    #[arg(long, value_name = "DIR", default_value = "out/students")]
    out: PathBuf,
}

/// The folder of the exercises with solutions, and the folder of those without in the students' edition.
const SOLUTIONS: &str = "notebooks/solutions";
const EXERCISES: &str = "notebooks/exercises";

/// The files that are copied unchanged: folders and file extensions. `lab` is left out, so notebooks use the `lab` that is
/// compiled for the kernel.
const AS_IT_IS: [(&str, &str); 4] = [
    ("notebooks", "ipynb"),
    ("notebooks/peers", "py"),
    ("notebooks/peers", "txt"),
    ("notebooks/scores", "json"),
];

/// The folders whose own folders are copied unchanged: what notebooks show and learn from, and the scores of each task.
const WITH_FOLDERS: [&str; 2] = ["assets", "notebooks/scores"];

/// The text that replaces a solution, and the tags of the cells that are removed.
const CONFIGURATION: &str = include_str!("../../notebooks/solutions/nbgrader_config.py");

/// The preprocessors of nbgrader to run, in this order.
const PREPROCESSORS: [&str; 3] = ["CheckCellMetadata", "ClearSolutions", "ClearOutput"];

impl Students {
    /// Writes the students' edition of the course.
    pub fn run(&self) -> Result<ExitCode> {
        let out = &self.out;
        let solutions = files_with_extension(Path::new(SOLUTIONS), "ipynb").with_context(|| {
            format!("there is no folder {SOLUTIONS}/ here: change to the folder of the course")
        })?;
        solutions.iter().try_for_each(|path| check(path))?;
        // No file of the user is overwritten, and no solution of an earlier edition remains.
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        if fs::read_dir(out)?.next().is_some() {
            bail!("{} is not empty: remove it, or name another folder with --out", out.display());
        }
        let cleared = tempfile::tempdir()?;
        clear(&solutions, cleared.path())?;
        copy(&files_with_extension(cleared.path(), "ipynb")?, &out.join(EXERCISES))?;
        for (folder, kind) in AS_IT_IS {
            copy(&files_with_extension(Path::new(folder), kind)?, &out.join(folder))?;
        }
        for folder in WITH_FOLDERS {
            for inner in entries(Path::new(folder))?.iter().filter(|path| path.is_dir()) {
                let files: Vec<PathBuf> = entries(inner)?.into_iter().filter(|path| path.is_file()).collect();
                copy(&files, &out.join(inner))?;
            }
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

/// Refuses a notebook without a marked solution, which would be handed out completely.
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

/// Writes the notebooks without their solutions and outputs into a folder, by nbgrader.
fn clear(notebooks: &[PathBuf], folder: &Path) -> Result<()> {
    let python = NBGRADER.python()?;
    let configuration = folder.join("nbgrader_config.py");
    files::write(&configuration, CONFIGURATION)?;
    let mut nbconvert = Command::new(python);
    nbconvert.args(["-m", "nbconvert", "--to", "notebook", "--log-level", "ERROR", "--config"]);
    nbconvert.arg(configuration).arg("--output-dir").arg(folder);
    for name in PREPROCESSORS {
        nbconvert.arg(format!("--NotebookExporter.preprocessors=nbgrader.preprocessors.{name}"));
    }
    packages::run_quietly(nbconvert.args(notebooks)).context("nbgrader cannot remove the solutions")
}

/// Copies the files into a folder.
fn copy(files: &[PathBuf], to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for path in files {
        let target = to.join(path.file_name().context("a file has a name")?);
        fs::copy(path, &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// The files with an extension in a folder, sorted.
fn files_with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let is_one = |path: &PathBuf| path.extension() == Some(OsStr::new(extension));
    Ok(entries(folder)?.into_iter().filter(is_one).collect())
}

/// What is in a folder, sorted, without what is hidden, such as JupyterLab's checkpoints.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let visible = entries.flatten().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let mut found: Vec<_> = visible.map(|entry| entry.path()).collect();
    found.sort();
    Ok(found)
}
