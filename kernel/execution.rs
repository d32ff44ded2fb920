//! Runs the cells of a notebook, without Jupyter, on a kernel of its own.

use crate::recorder::Recorder;
use crate::terminal::say;
use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use nbformat::v4::{Cell, Notebook, Output};
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use wire::Client;

/// Runs a notebook's cells up to the first that fails, and puts what they show into it. Returns what is wrong with the one
/// that fails: all that was shown before is there then, even when the kernel has died.
///
/// # Errors
/// When no kernel starts.
pub async fn execute(path: &Path, notebook: &mut Notebook) -> Result<Option<String>> {
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
            .await;
        bar.inc(1);
        if !matches!(succeeded, Ok(true)) {
            failure = Some(describe(count, recorder.current(), succeeded.err()));
        }
    }
    // Only now, for a cell may update what an earlier one has shown.
    let code = notebook.cells.iter_mut().filter_map(|cell| match cell {
        Cell::Code { outputs, .. } => Some(outputs),
        _ => None,
    });
    code.zip(recorder.into_cells()).for_each(|(outputs, recorded)| *outputs = recorded);
    end(kernel).await;
    bar.finish_and_clear();
    say!("{name}: {count} of {total} cells in {:.1} s", start.elapsed().as_secs_f64())?;
    Ok(failure)
}

/// Where paths in a notebook start, as in JupyterLab.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Ends the kernel. What its cells have computed is worth keeping, however that goes.
async fn end(mut kernel: Client) {
    match kernel.process().try_wait() {
        Ok(Some(status)) => tracing::info!("the kernel has ended by itself ({status})"),
        _ => {
            if let Err(error) = kernel.shut_down().await {
                tracing::warn!("the kernel could not be ended: {error:#}");
            }
        }
    }
}

fn describe(count: i32, outputs: &[Output], cause: Option<Error>) -> String {
    let error = outputs.iter().find_map(|output| match output {
        Output::Error(error) => Some(error.traceback.join("\n")),
        _ => None,
    });
    let cause = cause.map(|cause| format!("{cause:#}"));
    format!("cell {count} failed\n{}", error.or(cause).unwrap_or_default())
}
