//! Notebooks without Jupyter: runs them on the taper kernel and writes the executed notebook, its HTML and an index.

use crate::client::Client;
use crate::lab::Lab;
use crate::notebook::{self, Parameter};
use crate::recorder::Recorder;
use crate::{html, install};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nbformat::v4::{Cell, Notebook, Output};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

/// What to run, and where the results go.
#[derive(Clone, Debug, clap::Args)]
pub struct Run {
    /// The notebooks, by default those in notebooks/
    notebooks: Vec<PathBuf>,
    /// Set a constant of the cells tagged `parameters`, in each notebook that has it; can be given several times
    #[arg(short, number_of_values = 2, value_names = ["NAME", "VALUE"])]
    parameters: Vec<String>,
    /// The folder for the executed notebooks, their HTML and the index
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

/// Runs the notebooks in order. Returns whether all their cells succeeded.
pub fn run(arguments: &Run) -> Result<bool> {
    let paths = paths(&arguments.notebooks)?;
    let parameters = arguments.parameters.chunks_exact(2);
    let parameters: Vec<_> =
        parameters.map(|pair| Parameter { name: pair[0].clone(), value: pair[1].clone() }).collect();
    let notebooks = paths.iter().map(|path| notebook::read(path)).collect::<Result<Vec<_>>>()?;
    notebook::check_parameters(&notebooks, &parameters)?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    install::build_environment(None, &Lab::embedded())?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut executed = Vec::new();
    let mut good = true;
    for (path, mut notebook) in paths.iter().zip(notebooks) {
        notebook::set_parameters(&mut notebook, &parameters)?;
        build_features(path, &notebook)?;
        let failure = runtime.block_on(execute(path, &mut notebook))?;
        let target = arguments.out.join(path.file_name().context("a notebook needs a name")?);
        notebook::write(&target, notebook)?;
        println!("wrote {}", target.display());
        if let Some(failure) = failure {
            eprintln!("{}: {failure}", path.display());
            good = false;
        }
        executed.push(target);
    }
    html::write_if_possible(&arguments.out, &executed)?;
    Ok(good)
}

/// The notebooks meant: those that were named, or those of the course.
pub fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    for (at, path) in named.iter().enumerate() {
        if let Some(other) = named[..at].iter().find(|other| other.file_name() == path.file_name()) {
            let (path, other) = (path.display(), other.display());
            bail!(
                "{other} and {path} have the same name, and so would their results: name one, then the other with another --out"
            );
        }
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let entries =
        fs::read_dir("notebooks").context("there is no folder notebooks/ here: name the notebooks")?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "ipynb")).collect();
    found.sort();
    if found.is_empty() {
        bail!("there are no notebooks in notebooks/");
    }
    Ok(found)
}

/// Builds what a notebook needs besides the environment of all of them, so that no cell has to wait for it.
fn build_features(path: &Path, notebook: &Notebook) -> Result<()> {
    for cell in &notebook.cells {
        let Cell::Code { source, .. } = cell else { continue };
        let source = source.concat();
        let commands = cell::commands(&source).commands;
        let mut dependencies = commands.iter().filter_map(|command| command.dependency()?.ok());
        let lab = dependencies.rfind(|dependency| dependency.name.as_deref() == Some("lab"));
        if let Some(lab) = lab.map(|lab| Lab::wanted(&lab, folder(path))).transpose()?
            && !lab.features.is_empty()
        {
            install::build_environment(None, &lab).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Where paths in a notebook start, as in JupyterLab.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Runs a notebook's cells up to the first that fails, and returns what is wrong with that one.
async fn execute(path: &Path, notebook: &mut Notebook) -> Result<Option<String>> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let total = notebook.cells.iter().filter(|cell| matches!(cell, Cell::Code { .. })).count();
    let bar = ProgressBar::new(total as u64)
        .with_style(ProgressStyle::with_template("{spinner} {msg} {wide_bar} cell {pos}/{len}, {elapsed}")?)
        .with_message(name.clone());
    bar.enable_steady_tick(Duration::from_millis(200));

    let mut command = Command::new(env::current_exe()?);
    command.args(["kernel", "--connection-file"]).current_dir(folder(path));
    let mut kernel = Client::start(&mut command).await?;
    let start = Instant::now();
    let mut failure = None;
    let mut count = 0;
    let mut recorder = Recorder::default();
    for cell in &mut notebook.cells {
        let Cell::Code { source, outputs, execution_count, .. } = cell else { continue };
        outputs.clear();
        *execution_count = None;
        if failure.is_some() {
            continue;
        }
        count += 1;
        *execution_count = Some(count);
        recorder.begin_cell();
        let succeeded = kernel
            .run(&source.concat(), |message| {
                recorder.record(message);
                Ok(())
            })
            .await?;
        bar.inc(1);
        if !succeeded {
            failure = Some(describe(count, recorder.current()));
        }
    }
    // Only now, for a cell may update what an earlier one has shown.
    let code = notebook.cells.iter_mut().filter_map(|cell| match cell {
        Cell::Code { outputs, .. } => Some(outputs),
        _ => None,
    });
    code.zip(recorder.into_cells()).for_each(|(outputs, recorded)| *outputs = recorded);
    kernel.shut_down().await?;
    bar.finish_and_clear();
    println!("{name}: {count} of {total} cells in {:.1} s", start.elapsed().as_secs_f64());
    Ok(failure)
}

fn describe(count: i32, outputs: &[Output]) -> String {
    let error = outputs.iter().find_map(|output| match output {
        Output::Error(error) => Some(error.traceback.join("\n")),
        _ => None,
    });
    format!("cell {count} failed\n{}", error.unwrap_or_default())
}
