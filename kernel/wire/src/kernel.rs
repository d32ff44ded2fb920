//! What a program has to do to be a kernel.

use crate::iopub::IoPub;
use crate::message::JupyterMessage;
use crate::stdin::Stdin;
use jupyter_protocol::{ExecuteRequest, IsCompleteReply, MediaType};
use serde_json::Value;
use std::future::Future;
use std::ops::Range;
use tokio::sync::mpsc::UnboundedSender;

/// A kernel, as the requests of its clients reach it, which is from one thread.
///
/// No method may wait for a cell; what takes time is a future, or goes into a queue of the kernel's own. Futures of two
/// requests may be polled in turn.
pub trait Kernel: Send + Sync + 'static {
    /// What the kernel is.
    fn info(&self) -> impl Future<Output = Info> + Send;

    /// Queues a cell. The kernel runs its cells in the order in which they come. For each it publishes `busy`, what the cell
    /// shows, and `idle`, and sends an `execute_reply` before the latter. When a cell with `stop_on_error` fails, those that
    /// wait are answered [`aborted`](crate::message::aborted).
    fn execute(&self, cell: Execute);

    /// Has the cell in progress end, if there is one.
    fn interrupt(&self);

    /// Ends what the kernel has started; nothing more will be asked of it.
    fn shut_down(&self);

    /// Whether a console should run this code, or let the user go on typing.
    fn is_complete(&self, code: &str) -> IsCompleteReply;

    /// The cells that have run, in order, and are to be remembered.
    fn history(&self) -> Vec<PastCell>;

    /// What could stand at `position`, in bytes of the code and between two characters.
    fn complete(&self, code: &str, position: usize) -> impl Future<Output = Completions> + Send;

    /// Help on what stands at `position`, in bytes of the code and between two characters: one or more representations
    /// of it, or none if there is no help.
    fn inspect(&self, code: &str, position: usize) -> impl Future<Output = Vec<MediaType>> + Send;
}

/// What a kernel says things through.
pub struct Channels {
    /// What all clients see.
    pub iopub: IoPub,
    /// Questions to the user.
    pub stdin: Stdin,
    /// Replies on the shell channel, those to [`Kernel::execute`].
    pub replies: UnboundedSender<JupyterMessage>,
}

/// A cell to run.
#[derive(Debug)]
pub struct Execute {
    /// The whole message, which what the cell leads to is in answer to.
    pub request: JupyterMessage,
    /// What it asks for.
    pub content: ExecuteRequest,
}

/// What a kernel is, as the reply to `kernel_info_request` has it.
#[derive(Clone, Debug)]
pub struct Info {
    /// The kernel's name.
    pub implementation: String,
    /// The kernel's version.
    pub version: String,
    /// The field `language_info`: at least `name`, `version`, `mimetype` and `file_extension` of the language.
    pub language: Value,
    /// What a console greets its user with.
    pub banner: String,
    /// Texts and addresses for the menu "Help".
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

/// What could stand in a place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completions {
    /// What would be replaced, in bytes of the code. A range that does not lie between characters is taken for no
    /// completions.
    pub range: Range<usize>,
    /// By what.
    pub items: Vec<Completion>,
}

/// One completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The text to insert.
    pub text: String,
    /// What it is: `function`, `struct` ….
    pub kind: String,
    /// The text with its signature.
    pub signature: String,
}
