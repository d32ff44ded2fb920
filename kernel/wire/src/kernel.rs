//! The trait that a kernel implements, and the types that it uses.

use crate::iopub::IoPub;
use crate::message::JupyterMessage;
use crate::stdin::Stdin;
use jupyter_protocol::{ExecuteRequest, IsCompleteReply, MediaType};
use serde_json::Value;
use std::future::Future;
use std::ops::Range;
use tokio::sync::mpsc::UnboundedSender;

/// A kernel: the handlers of its clients' requests, which are all called from one thread.
///
/// No method may wait for a cell. What takes time is a future, or goes into a queue of the kernel. The futures of two requests
/// may be polled alternately.
pub trait Kernel: Send + Sync + 'static {
    /// Describes the kernel.
    fn info(&self) -> impl Future<Output = Info> + Send;

    /// Queues a cell. The kernel runs cells in the order in which they arrive. For each it publishes `busy`, the outputs of
    /// the cell, and `idle`, and sends an `execute_reply` before `idle`. When a cell with `stop_on_error` fails, the waiting
    /// cells are answered [`aborted`](crate::message::aborted).
    fn execute(&self, cell: Execute);

    /// Interrupts the running cell, if there is one.
    fn interrupt(&self);

    /// Ends everything that the kernel has started. No other method is called after this.
    fn shut_down(&self);

    /// Whether a console should run this code, or let the user type more lines.
    fn is_complete(&self, code: &str) -> IsCompleteReply;

    /// The cells that have run and belong to the history, in order.
    fn history(&self) -> Vec<PastCell>;

    /// The completions at `position`, a byte of the code that is on a character boundary.
    fn complete(&self, code: &str, position: usize) -> impl Future<Output = Completions> + Send;

    /// Help for the code at `position`, a byte of the code that is on a character boundary: its representations, or none if
    /// there is no help.
    fn inspect(&self, code: &str, position: usize) -> impl Future<Output = Vec<MediaType>> + Send;
}

/// The channels through which a kernel talks to its clients.
pub struct Channels {
    /// Messages to all clients.
    pub iopub: IoPub,
    /// Questions to the user.
    pub stdin: Stdin,
    /// The replies to [`Kernel::execute`], on the shell channel.
    pub replies: UnboundedSender<JupyterMessage>,
}

/// A cell to run.
#[derive(Debug)]
pub struct Execute {
    /// The whole message, which is the parent of all messages of the cell.
    pub request: JupyterMessage,
    /// The content of the message.
    pub content: ExecuteRequest,
}

/// The description of a kernel in the reply to `kernel_info_request`.
#[derive(Clone, Debug)]
pub struct Info {
    /// The kernel's name.
    pub implementation: String,
    /// The kernel's version.
    pub version: String,
    /// The field `language_info`: at least `name`, `version`, `mimetype` and `file_extension` of the language.
    pub language: Value,
    /// The greeting that a console shows.
    pub banner: String,
    /// Titles and URLs for the "Help" menu.
    pub help_links: Vec<(String, String)>,
}

/// A cell that has run.
#[derive(Clone, Debug, PartialEq)]
pub struct PastCell {
    /// Its execution count.
    pub number: usize,
    /// Its code.
    pub code: String,
    /// The text of its result, if it had one.
    pub result: Option<String>,
}

/// The completions at a position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completions {
    /// The bytes of the code that a completion replaces. If this range is not on character boundaries, there are no
    /// completions.
    pub range: Range<usize>,
    /// The texts to choose from.
    pub items: Vec<Completion>,
}

/// One completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The text to insert.
    pub text: String,
    /// The kind of item, such as `function` or `struct`.
    pub kind: String,
    /// The text with its signature.
    pub signature: String,
}
