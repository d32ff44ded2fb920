//! Runs the cells of a notebook on a kernel of its own, without Jupyter.

use crate::cell_outputs::CellOutputs;
use crate::terminal::{ProgressLog, say, warn_user};
use anyhow::{Error, Result};
use engine::{BUILD, UNAVAILABLE};
use indicatif::{ProgressBar, ProgressStyle};
use jupyter_protocol::{JupyterMessage, JupyterMessageContent as Content, MediaType};
use nbformat::v4::{Cell, Notebook, Output};
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use wire::Client;

/// How the run of a notebook ended.
pub enum Outcome {
    /// All cells have succeeded.
    Complete,
    /// A cell needs what this machine does not have, which this line names.
    Unavailable(String),
    /// A cell failed; the text says which, and why.
    Failed(String),
}

impl Outcome {
    /// That of a cell which has not succeeded: from the error that it shows, or else the error of the client.
    fn of_failed(count: i32, outputs: &[Output], cause: Option<Error>) -> Self {
        let error = outputs.iter().find_map(|output| match output {
            Output::Error(error) => Some(error),
            _ => None,
        });
        match error {
            Some(error) if error.ename == UNAVAILABLE => Self::Unavailable(error.evalue.clone()),
            error => {
                let shown = error.map(|error| error.traceback.join("\n"));
                let cause = cause.map(|cause| format!("{cause:#}"));
                Self::Failed(format!("cell {count} failed\n{}", shown.or(cause).unwrap_or_default()))
            }
        }
    }
}

/// Runs the cells of the notebook at `path` up to the first one that fails, and puts their outputs into `notebook`. Calls
/// `save` after each cell, so that little is lost if this process is killed. The outputs up to the cell that failed are in the
/// notebook even if the kernel has died.
///
/// # Errors
/// When no kernel starts. An error of `save` is only reported: the run goes on, and the next cell saves again.
pub async fn execute(
    path: &Path,
    notebook: &mut Notebook,
    save: impl Fn(&Notebook) -> Result<()>,
) -> Result<Outcome> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let sources = clear(notebook);
    let total = sources.len();
    let bar = ProgressBar::new(total as u64)
        .with_style(ProgressStyle::with_template("{spinner} {msg} {wide_bar} cell {pos}/{len}, {elapsed}")?)
        .with_message(name.clone());
    bar.enable_steady_tick(Duration::from_millis(200));

    let mut command = Command::new(env::current_exe()?);
    command.args(["kernel", "--connection-file"]).current_dir(folder(path));
    let mut kernel = Client::start(&mut command).await?;
    let start = Instant::now();
    let mut outcome = Outcome::Complete;
    let mut count = 0;
    let mut outputs = CellOutputs::default();
    let mut log = ProgressLog::new();
    for source in sources {
        count += 1;
        outputs.begin_cell();
        let succeeded = kernel
            .run(&source, |message| {
                if let Some(text) = build_progress(message) {
                    bar.set_message(format!("{name}: {text}"));
                    log.report(format_args!("{name}: {text}"));
                }
                outputs.record(message);
                Ok(())
            })
            .await;
        bar.set_message(name.clone());
        bar.inc(1);
        fill(notebook, outputs.cells());
        if let Err(error) = save(notebook) {
            bar.suspend(|| warn_user!("{name}: not saved after cell {count}: {error:#}"));
        }
        if !matches!(succeeded, Ok(true)) {
            outcome = Outcome::of_failed(count, outputs.current(), succeeded.err());
            break;
        }
    }
    end(kernel).await;
    bar.finish_and_clear();
    say!("{name}: {count} of {total} cells in {:.1} s", start.elapsed().as_secs_f64())?;
    Ok(outcome)
}

/// The text of a message that shows how far a build of crates is, for which a cell has to wait.
fn build_progress(message: &JupyterMessage) -> Option<&str> {
    let (data, metadata) = match &message.content {
        Content::DisplayData(display) => (&display.data, &display.metadata),
        Content::UpdateDisplayData(update) => (&update.data, &update.metadata),
        _ => return None,
    };
    metadata.get(BUILD)?;
    data.content.iter().find_map(|media| match media {
        MediaType::Plain(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Removes the outputs and execution counts of an earlier run. Returns the sources of the code cells.
fn clear(notebook: &mut Notebook) -> Vec<String> {
    let code = notebook.cells.iter_mut().filter_map(|cell| match cell {
        Cell::Code { source, outputs, execution_count, .. } => {
            outputs.clear();
            *execution_count = None;
            Some(source.concat())
        }
        _ => None,
    });
    code.collect()
}

/// Puts the outputs and execution counts of the cells that have run into the notebook: of all of them, because a cell may
/// have updated a display of an earlier one.
fn fill(notebook: &mut Notebook, run: &[Vec<Output>]) {
    let code = notebook.cells.iter_mut().filter_map(|cell| match cell {
        Cell::Code { outputs, execution_count, .. } => Some((outputs, execution_count)),
        _ => None,
    });
    for (count, ((outputs, execution_count), shown)) in (1..).zip(code.zip(run)) {
        outputs.clone_from(shown);
        *execution_count = Some(count);
    }
}

/// The folder that relative paths in a notebook start from, the same as in JupyterLab.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Ends the kernel. A failure is only logged, because the outputs of the cells are complete by now.
async fn end(mut kernel: Client) {
    match kernel.process().try_wait() {
        Ok(Some(status)) => tracing::info!("the kernel has already ended ({status})"),
        _ => {
            if let Err(error) = kernel.shut_down().await {
                tracing::warn!("cannot shut down the kernel: {error:#}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::DisplayData;
    use nbformat::v4::MultilineString;

    #[test]
    fn only_the_display_of_a_build_is_progress() {
        let message = |key: &str| {
            let metadata = serde_json::Map::from_iter([(key.to_owned(), true.into())]);
            let data = MediaType::Plain("Building serde".into()).into();
            JupyterMessage::new(DisplayData { data, metadata, transient: None }, None)
        };
        assert_eq!(build_progress(&message(BUILD)), Some("Building serde"));
        assert_eq!(build_progress(&message("other")), None);
    }

    #[test]
    fn outputs_of_earlier_runs_go_and_those_of_cells_that_have_run_come() {
        let text = r##"{"cells":[
            {"cell_type":"code","id":"a","metadata":{},"execution_count":7,"source":["1;\n","2"],
             "outputs":[{"output_type":"stream","name":"stdout","text":["old"]}]},
            {"cell_type":"markdown","id":"b","metadata":{},"source":["# Title"]},
            {"cell_type":"code","id":"c","metadata":{},"execution_count":8,"source":["3"],
             "outputs":[{"output_type":"stream","name":"stdout","text":["old"]}]}],
            "metadata":{},"nbformat":4,"nbformat_minor":5}"##;
        let nbformat::Notebook::V4(mut notebook) = nbformat::parse_notebook(text).unwrap() else {
            panic!("not V4")
        };
        assert_eq!(clear(&mut notebook), ["1;\n2", "3"]);
        let stream =
            |text: &str| Output::Stream { name: "stdout".into(), text: MultilineString(text.into()) };
        fill(&mut notebook, &[vec![stream("new")]]);
        let run: Vec<(Option<i32>, Vec<String>)> = notebook
            .cells
            .iter()
            .filter_map(|cell| match cell {
                Cell::Code { execution_count, outputs, .. } => {
                    let text = |output: &Output| match output {
                        Output::Stream { text, .. } => text.0.clone(),
                        other => panic!("{other:?}"),
                    };
                    Some((*execution_count, outputs.iter().map(text).collect()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(run, [(Some(1), vec!["new".to_owned()]), (None, vec![])]);
    }
}
