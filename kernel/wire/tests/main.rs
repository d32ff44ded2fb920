//! The protocol, with a kernel that does no more than echo: real sockets and the real client, but no compiler.

mod cells;
mod echo;
mod requests;
mod sockets;
mod stdin;
