//! Tests of the protocol with an echo kernel: real sockets and the real client, but no compiler.

mod cells;
mod echo;
mod requests;
mod sockets;
mod stdin;
