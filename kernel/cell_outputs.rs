//! The outputs of a notebook's cells, put together from the messages of a kernel in the form in which they are saved.

use jupyter_protocol::{DisplayData as Shown, JupyterMessage, JupyterMessageContent as Content, Stdio};
use nbformat::v4::{DisplayData, ErrorOutput, ExecuteResult, MultilineString, Output};

/// The outputs of the cells that have run so far, which run one after the other.
#[derive(Default)]
pub struct CellOutputs {
    cells: Vec<Vec<Output>>,
    /// The displays that can be updated: display id, index of the cell, index of the output.
    displays: Vec<(String, usize, usize)>,
    /// Whether the next output replaces everything that the cell has shown.
    clear_before_next: bool,
}

impl CellOutputs {
    /// Starts the next cell, to which messages belong from now on.
    pub fn begin_cell(&mut self) {
        self.cells.push(Vec::new());
        self.clear_before_next = false;
    }

    /// The outputs of the current cell.
    pub fn current(&self) -> &[Output] {
        self.cells.last().map_or(&[], Vec::as_slice)
    }

    /// The outputs of all cells. A cell may have updated a display of an earlier one.
    pub fn cells(&self) -> &[Vec<Output>] {
        &self.cells
    }

    /// Adds what a message shows.
    pub fn record(&mut self, message: &JupyterMessage) {
        match &message.content {
            Content::StreamContent(stream) => {
                let name = if matches!(stream.name, Stdio::Stderr) { "stderr" } else { "stdout" };
                match self.cell().last_mut() {
                    Some(Output::Stream { name: last, text }) if last == name => {
                        text.0.push_str(&stream.text)
                    }
                    _ => {
                        let text = MultilineString(stream.text.clone());
                        self.push(Output::Stream { name: name.into(), text });
                    }
                }
            }
            Content::DisplayData(display) => self.display(display),
            Content::UpdateDisplayData(update) => {
                for (_, cell, output) in
                    self.displays.iter().filter(|(id, ..)| Some(id) == update.transient.display_id.as_ref())
                {
                    let (data, metadata) = (update.data.clone(), update.metadata.clone());
                    self.cells[*cell][*output] = Output::DisplayData(DisplayData { data, metadata });
                }
            }
            Content::ExecuteResult(result) => self.push(Output::ExecuteResult(ExecuteResult {
                execution_count: result.execution_count,
                data: result.data.clone(),
                metadata: result.metadata.clone(),
            })),
            Content::ErrorOutput(error) => self.push(Output::Error(ErrorOutput {
                ename: error.ename.clone(),
                evalue: error.evalue.clone(),
                traceback: error.traceback.clone(),
            })),
            Content::ClearOutput(clear) if clear.wait => self.clear_before_next = true,
            Content::ClearOutput(_) => self.clear_cell(),
            _ => {}
        }
    }

    fn display(&mut self, display: &Shown) {
        let (data, metadata) = (display.data.clone(), display.metadata.clone());
        self.push(Output::DisplayData(DisplayData { data, metadata }));
        if let Some(id) = display.transient.as_ref().and_then(|transient| transient.display_id.clone()) {
            let cell = self.cells.len() - 1;
            self.displays.push((id, cell, self.cells[cell].len() - 1));
        }
    }

    fn push(&mut self, output: Output) {
        self.cell().push(output);
    }

    /// The outputs of the current cell, ready for one more.
    fn cell(&mut self) -> &mut Vec<Output> {
        if std::mem::take(&mut self.clear_before_next) {
            self.clear_cell();
        }
        if self.cells.is_empty() {
            self.begin_cell();
        }
        self.cells.last_mut().expect("a cell was just begun")
    }

    fn clear_cell(&mut self) {
        let last = self.cells.len().saturating_sub(1);
        self.displays.retain(|(_, cell, _)| *cell != last);
        self.cells.truncate(last);
        self.cells.push(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::{ClearOutput, Media, MediaType, StreamContent, Transient, UpdateDisplayData};
    use wire::message::message;

    fn text(text: &str) -> JupyterMessage {
        message(StreamContent { name: Stdio::Stdout, text: text.into() }, None)
    }

    fn display(id: &str, text: &str) -> JupyterMessage {
        let transient = Some(Transient { display_id: Some(id.into()) });
        message(
            Shown { data: Media::new(vec![MediaType::Plain(text.into())]), transient, ..Default::default() },
            None,
        )
    }

    fn update(id: &str, text: &str) -> JupyterMessage {
        let transient = Transient { display_id: Some(id.into()) };
        let data = Media::new(vec![MediaType::Plain(text.into())]);
        message(UpdateDisplayData { data, metadata: Default::default(), transient }, None)
    }

    /// The recorded outputs, abbreviated.
    fn recorded(cells: &[&[JupyterMessage]]) -> Vec<Vec<String>> {
        let mut outputs = CellOutputs::default();
        for cell in cells {
            outputs.begin_cell();
            cell.iter().for_each(|message| outputs.record(message));
        }
        let short = |output: &Output| match output {
            Output::Stream { name, text } => format!("{name}: {}", text.0),
            Output::DisplayData(display) => format!("{:?}", display.data.content),
            _ => "?".into(),
        };
        outputs.cells().iter().map(|cell| cell.iter().map(short).collect()).collect()
    }

    #[test]
    fn an_update_changes_the_display_wherever_it_is() {
        let cells = recorded(&[
            &[text("a"), display("x", "1"), text("b"), update("x", "2")],
            &[text("c"), update("x", "3"), update("unknown", "4")],
        ]);
        assert_eq!(cells, [vec!["stdout: a", "[Plain(\"3\")]", "stdout: b"], vec!["stdout: c"]]);
    }

    #[test]
    fn clearing_can_wait_for_the_next_output() {
        let clear = |wait| message(ClearOutput { wait }, None);
        assert_eq!(recorded(&[&[text("a"), clear(true)]]), [vec!["stdout: a"]]);
        assert_eq!(recorded(&[&[text("a"), clear(true), text("b")]]), [vec!["stdout: b"]]);
        assert_eq!(
            recorded(&[&[text("a"), display("x", "1"), clear(false), update("x", "2")]]),
            [Vec::<String>::new()]
        );
    }
}
