//! Jupyter's messaging protocol 5.4: the sockets of a kernel, and those of its clients.
//!
//! A program becomes a kernel by implementing [`Kernel`] and calling [`serve`]. This crate knows nothing of the language of
//! the cells, and the only process that it starts is the kernel of a [`Client`].
//!
//! Invariants, whatever the kernel does:
//!
//! - Nothing here waits for a cell: kernel_info, interrupt, shutdown and heartbeat are always answered at once.
//! - The first status of each request is `busy`, and the last is `idle`. Only
//!   [`IoPub::status`] publishes states of requests.
//! - Messages are sent in the order in which they are published: each socket has one writer, which reads from a channel.
//! - Messages that are too large, damaged or wrongly signed do not reach the kernel, and do not affect other connections.
//! - A question to the user is either answered or withdrawn, and the cell that asked learns which.
//!
//! The protocol: <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.

#![warn(missing_docs)]

mod gate;
mod history;
mod kernel;
mod position;
mod queue;
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
