//! Jupyter's messaging protocol 5.4: the sockets of a kernel, and those of its clients.
//!
//! A program becomes a kernel by implementing [`Kernel`] and calling [`serve`]. This crate knows nothing of the language of
//! the cells and starts no process but the kernel that a [`Client`] talks to.
//!
//! What holds, whatever a kernel does:
//!
//! - Nothing here waits for a cell: kernel_info, interrupt, shutdown and heartbeat are answered at once, always.
//! - For each request the first status is `busy`, the last one `idle`, and nothing makes it busy again: [`IoPub::status`] is
//!   the one place that tells states of requests.
//! - Whoever publishes first is first on the wire: there is one writer for each socket, fed by a channel.
//! - Messages that are too large, damaged or wrongly signed reach no kernel, and end no connection but their own.
//! - A question to the user is either answered or withdrawn, and its asker learns which.
//!
//! The protocol: <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.

#![warn(missing_docs)]

mod gate;
mod history;
mod kernel;
mod position;
mod replies;
mod server;

pub mod client;
pub mod iopub;
pub mod message;
pub mod raw;
pub mod stdin;

pub use client::Client;
pub use iopub::{IoPub, Output};
pub use kernel::{Channels, Completion, Completions, Execute, Info, Kernel, PastCell};
pub use server::serve;
pub use stdin::Stdin;
