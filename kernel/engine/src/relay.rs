//! The relay, a thread between the child and the rest of the kernel: it publishes the child's output as it arrives, records the
//! events of the cell, and tells evcxr when the cell is complete.
//!
//! As evcxr learns that a cell is complete only after the relay has published all its output, the messages of a cell need no
//! further ordering.

use crate::errors;
use crate::output::{Event, Parser, QUESTION, Utf8};
use crate::sources::Sources;
use anyhow::{Context, Result};
use jupyter_protocol::Stdio;
use messages::{Failure, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, retry_on_intr};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use wire::{IoPub, Output, Stdin};

/// How long content in evcxr's display format waits for further MIME types of the same display.
const CONTENT_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the relay knows about the current cell.
#[derive(Default)]
pub struct CellState {
    /// Whether the cell is running, rather than being compiled.
    pub running: bool,
    /// The path of the library that the child has loaded.
    pub library: String,
    /// Why the cell failed, if the child reported a failure.
    pub failure: Option<Failure>,
    /// Whether the cell waits for the user's answer.
    pub asking: bool,
    /// Whether the kernel has killed the child.
    pub killed: bool,
    /// The last display of the cell, if no output followed it. It may be the cell's result.
    pub result: Option<Map<String, Value>>,
    /// The new variables that the cell has kept.
    pub kept: Vec<String>,
    /// The variables of earlier cells that did not have the type that the cell expected, so that the cell has not run.
    pub lost: Vec<String>,
}

/// Starts the relay. `socket` is the kernel's end of the socket pair whose other end every child inherits, `word` is the secret
/// word that marks the requests of `lab`, and `sources` maps compiled code back to cells.
pub fn start(
    socket: UnixStream,
    word: String,
    iopub: IoPub,
    stdin: Stdin,
    sources: Arc<Mutex<Sources>>,
) -> Arc<Mutex<CellState>> {
    let progress = Arc::new(Mutex::new(CellState::default()));
    let shared = Arc::clone(&progress);
    std::thread::spawn(move || {
        while let Ok(descriptors) = receive(&socket) {
            let [output, errors, events, evcxr, life] = descriptors.map(File::from);
            let mut relay = Relay {
                iopub: &iopub,
                stdin: &stdin,
                progress: &shared,
                sources: &sources,
                output,
                parser: Parser::new(&word),
                errors,
                error_text: Utf8::default(),
                events,
                unfinished_event: Vec::new(),
                evcxr,
                contents: Map::new(),
                cause: None,
            };
            if let Err(error) = relay.run(&life) {
                tracing::warn!("reading the output of the child failed: {error:#}");
            }
        }
    });
    progress
}

/// Waits for the next child to send its descriptors.
fn receive(socket: &UnixStream) -> Result<[OwnedFd; 5]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty()))?;
    let descriptors = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>().try_into().ok(),
        _ => None,
    });
    let descriptors: [OwnedFd; 5] = descriptors.context("the child sent no descriptors")?;
    for descriptor in &descriptors {
        // If another program inherited one of them, the pipe would stay open after the child has died.
        rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    Ok(descriptors)
}

struct Relay<'a> {
    iopub: &'a IoPub,
    stdin: &'a Stdin,
    progress: &'a Mutex<CellState>,
    sources: &'a Mutex<Sources>,
    output: File,
    parser: Parser,
    errors: File,
    error_text: Utf8,
    events: File,
    /// The start of an event whose end has not arrived yet.
    unfinished_event: Vec<u8>,
    evcxr: File,
    /// A display that further MIME types may still join.
    contents: Map<String, Value>,
    /// The latest panic or error, which is the reason if the cell fails next.
    cause: Option<Failure>,
}

impl Relay<'_> {
    /// Reads until the child has ended, then reads what is left in the pipes.
    fn run(&mut self, life: &File) -> Result<()> {
        for file in [&self.output, &self.errors, &self.events] {
            rustix::io::ioctl_fionbio(file, true)?;
        }
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut ready =
                [&self.output, &self.errors, &self.events, life].map(|file| PollFd::new(file, PollFlags::IN));
            let patience = (!self.contents.is_empty()).then_some(&CONTENT_WAIT);
            if retry_on_intr(|| poll(&mut ready, patience))? == 0 {
                self.show_contents();
                continue;
            }
            let [output, errors, events, ended] = ready.map(|fd| !fd.revents().is_empty());
            if output && let Ok(length @ 1..) = self.output.read(&mut buffer) {
                self.print(&buffer[..length])?;
            } else if errors && !ended {
                self.drain_errors();
            }
            if events || ended {
                self.read_events(&mut buffer)?;
            }
            if ended {
                break;
            }
        }
        self.finish_output()?;
        self.show_contents();
        self.show_cause();
        Ok(())
    }

    /// Reads events. Before each event is handled, the output that precedes it is published.
    fn read_events(&mut self, buffer: &mut [u8]) -> Result<()> {
        while let Ok(length @ 1..) = self.events.read(buffer) {
            self.unfinished_event.extend_from_slice(&buffer[..length]);
        }
        while let Some(end) = memchr::memchr(b'\n', &self.unfinished_event) {
            let line: Vec<u8> = self.unfinished_event.drain(..=end).collect();
            let event = serde_json::from_slice(&line).context("the child sent an unknown event")?;
            self.drain_output()?;
            self.happened(event)?;
        }
        Ok(())
    }

    /// Publishes what is in the output pipe now.
    fn drain_output(&mut self) -> Result<()> {
        let printed = waiting(&self.output);
        self.print(&printed)
    }

    /// Publishes the rest of the output after the cell or the child has ended.
    fn finish_output(&mut self) -> Result<()> {
        self.drain_output()?;
        self.drain_errors();
        self.finish_text()
    }

    /// Publishes the start of an unfinished display as text.
    fn finish_text(&mut self) -> Result<()> {
        for event in self.parser.finish() {
            self.printed(event)?;
        }
        Ok(())
    }

    /// Publishes output of the cell.
    fn print(&mut self, bytes: &[u8]) -> Result<()> {
        for event in self.parser.push(bytes) {
            self.printed(event)?;
        }
        Ok(())
    }

    fn printed(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Text(text) => {
                self.show_contents();
                self.iopub.output(Output::Stream(Stdio::Stdout, text));
            }
            Event::Request(Request::Display { data, metadata, display_id, update }) => {
                self.show_contents();
                self.iopub.output(Output::Display { data, metadata, display_id, update });
            }
            Event::Request(Request::ClearOutput { wait }) => {
                self.show_contents();
                self.iopub.output(Output::Clear { wait });
            }
            Event::Content(mime, content) => {
                if self.contents.contains_key(&mime) {
                    self.show_contents();
                }
                self.contents.insert(mime, content);
            }
            Event::Unreadable(mime, error) => {
                let text = format!("a display cannot be shown as {mime}: {error}\n");
                self.iopub.output(Output::Stream(Stdio::Stderr, text));
            }
            Event::Question(line) => self.ask(&line)?,
        }
        Ok(())
    }

    fn happened(&mut self, event: messages::Event) -> Result<()> {
        match event {
            messages::Event::Running { library } => {
                let mut progress = self.progress.lock().unwrap();
                (progress.running, progress.library) = (true, library);
            }
            messages::Event::Failure(failure) => {
                self.show_contents();
                self.show_cause();
                self.cause = Some(failure);
            }
            messages::Event::Panicked => self.fail("panic", "the cell panicked"),
            messages::Event::ReturnedError => self.fail("Error", "a `?` of the cell met an error"),
            messages::Event::Lost { name } => self.progress.lock().unwrap().lost.push(name),
            messages::Event::Result { data } => {
                self.finish_text()?;
                self.show_contents();
                self.contents = data;
            }
            messages::Event::Question => self.ask(&format!("{QUESTION}:"))?,
            messages::Event::Complete { kept } => {
                // Everything that the cell wrote to its standard error is in the pipe by now.
                self.finish_output()?;
                self.show_cause();
                let mut progress = self.progress.lock().unwrap();
                progress.running = false;
                progress.kept = kept;
                if progress.asking {
                    // The thread that asked has ended, or went on without an answer.
                    self.stdin.cancel();
                }
                progress.result = Some(std::mem::take(&mut self.contents)).filter(|data| !data.is_empty());
                drop(progress);
                self.tell_evcxr(crate::child::COMPLETE)?;
            }
        }
        Ok(())
    }

    /// Has evcxr ask the user. Does nothing while a question is open: a cell that prints a question in evcxr's format and then
    /// blocks on its standard input has asked only once.
    fn ask(&mut self, line: &str) -> Result<()> {
        let is_asking = std::mem::replace(&mut self.progress.lock().unwrap().asking, true);
        if is_asking {
            return Ok(());
        }
        self.show_contents();
        self.tell_evcxr(line)
    }

    /// Records that the cell has failed. `name` and `message` are used if no panic or error explains it.
    fn fail(&mut self, name: &str, message: &str) {
        self.show_contents();
        let unexplained = || Failure { name: name.into(), message: message.into(), ..Failure::default() };
        let failure = self.cause.take().unwrap_or_else(unexplained);
        self.progress.lock().unwrap().failure.get_or_insert(failure);
    }

    /// Shows the latest panic or error as text, since it did not make the cell fail.
    fn show_cause(&mut self) {
        if let Some(failure) = self.cause.take() {
            let text = errors::without_consequence(&failure, &self.sources.lock().unwrap());
            self.iopub.output(Output::Stream(Stdio::Stderr, text));
        }
    }

    /// Publishes the display that waits for further MIME types, if there is one.
    fn show_contents(&mut self) {
        let data = std::mem::take(&mut self.contents);
        if !data.is_empty() {
            self.iopub.output(Output::Display {
                data,
                metadata: Map::new(),
                display_id: None,
                update: false,
            });
        }
    }

    /// Publishes what is in the pipe of standard error now.
    fn drain_errors(&mut self) {
        let text = self.error_text.push(&waiting(&self.errors));
        if !text.is_empty() {
            self.iopub.output(Output::Stream(Stdio::Stderr, text));
        }
    }

    fn tell_evcxr(&mut self, line: &str) -> Result<()> {
        writeln!(self.evcxr, "{line}").context("evcxr has closed its pipe")
    }
}

/// Reads what is in a pipe now, and no more, because a thread that a cell has started may go on writing forever.
fn waiting(pipe: &File) -> Vec<u8> {
    let length = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
    let mut bytes = Vec::new();
    // An error means that there was less to read; `bytes` then holds all of it.
    let _ = pipe.take(length).read_to_end(&mut bytes);
    bytes
}

/// Makes the programs that this process starts inherit the socket.
pub fn keep_across_exec(socket: &UnixStream) -> Result<()> {
    rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
    Ok(())
}
