//! Between the child and everybody else: a thread that reads the child's output as it comes, publishes it, takes note of
//! what happens to the cell, and tells evcxr when it is over.
//!
//! Because evcxr learns that a cell is complete from here, after everything the cell printed was published, the
//! messages of a cell need no further ordering.

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

/// How long evcxr's contents wait for further MIME types of the same display.
const CONTENT_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the relay learns of the cell in progress.
#[derive(Default)]
pub struct Progress {
    /// The cell runs; before, it is being compiled.
    pub running: bool,
    /// What has been loaded: the path of a library.
    pub library: String,
    /// Why the cell failed, if the child said so.
    pub failure: Option<Failure>,
    /// The cell waits for the user's answer.
    pub asking: bool,
    /// The process was ended on purpose.
    pub killed: bool,
    /// What the cell has shown last, if nothing followed it: perhaps its result.
    pub result: Option<Map<String, Value>>,
    /// The variables that the cell has left.
    pub kept: Vec<String>,
    /// The variables of earlier cells that were not what the cell took them for, so that it has not run.
    pub lost: Vec<String>,
}

/// Starts the relay. `socket` is the kernel's end of the pair of which the children hold the other, `word` marks what they
/// ask to be shown, and `sources` knows what was compiled.
pub fn start(
    socket: UnixStream,
    word: String,
    iopub: IoPub,
    stdin: Stdin,
    sources: Arc<Mutex<Sources>>,
) -> Arc<Mutex<Progress>> {
    let progress = Arc::new(Mutex::new(Progress::default()));
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

/// Waits for the next child to hand over its output.
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
        // If another program kept one of them open, nobody would learn that the child has died.
        rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    Ok(descriptors)
}

struct Relay<'a> {
    iopub: &'a IoPub,
    stdin: &'a Stdin,
    progress: &'a Mutex<Progress>,
    sources: &'a Mutex<Sources>,
    output: File,
    parser: Parser,
    errors: File,
    error_text: Utf8,
    events: File,
    /// The start of an event whose end has not come yet.
    unfinished_event: Vec<u8>,
    evcxr: File,
    /// Contents that may still be joined by further MIME types.
    contents: Map<String, Value>,
    /// What the cell says could be the reason if it fails now.
    cause: Option<Failure>,
}

impl Relay<'_> {
    /// Reads until the child has ended, and then what it has left in the pipes.
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

    /// Reads what happened to the cell. What it printed before that is published first.
    fn read_events(&mut self, buffer: &mut [u8]) -> Result<()> {
        while let Ok(length @ 1..) = self.events.read(buffer) {
            self.unfinished_event.extend_from_slice(&buffer[..length]);
        }
        while let Some(end) = memchr::memchr(b'\n', &self.unfinished_event) {
            let line: Vec<u8> = self.unfinished_event.drain(..=end).collect();
            let event = serde_json::from_slice(&line).context("the child said something unknown")?;
            self.drain_output()?;
            self.happened(event)?;
        }
        Ok(())
    }

    /// Publishes what is in the pipe now.
    fn drain_output(&mut self) -> Result<()> {
        let printed = waiting(&self.output);
        self.print(&printed)
    }

    /// Publishes what is in the pipes, now that nothing belongs to it any more.
    fn finish_output(&mut self) -> Result<()> {
        self.drain_output()?;
        self.drain_errors();
        self.finish_text()
    }

    /// Takes for text what has begun like a display, and not ended.
    fn finish_text(&mut self) -> Result<()> {
        for event in self.parser.finish() {
            self.printed(event)?;
        }
        Ok(())
    }

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
                // Whatever the cell wrote to its standard error is in the pipe by now.
                self.finish_output()?;
                self.show_cause();
                let mut progress = self.progress.lock().unwrap();
                progress.running = false;
                progress.kept = kept;
                if progress.asking {
                    // Who has asked is gone, or goes on without an answer.
                    self.stdin.cancel();
                }
                progress.result = Some(std::mem::take(&mut self.contents)).filter(|data| !data.is_empty());
                drop(progress);
                self.tell_evcxr(crate::child::COMPLETE)?;
            }
        }
        Ok(())
    }

    /// Has evcxr ask the user. A cell that asks by evcxr's convention, and then waits for its input, asks once.
    fn ask(&mut self, line: &str) -> Result<()> {
        let is_asking = std::mem::replace(&mut self.progress.lock().unwrap().asking, true);
        if is_asking {
            return Ok(());
        }
        self.show_contents();
        self.tell_evcxr(line)
    }

    fn fail(&mut self, name: &str, message: &str) {
        self.show_contents();
        let unexplained = || Failure { name: name.into(), message: message.into(), ..Failure::default() };
        let failure = self.cause.take().unwrap_or_else(unexplained);
        self.progress.lock().unwrap().failure.get_or_insert(failure);
    }

    fn show_cause(&mut self) {
        if let Some(failure) = self.cause.take() {
            let text = errors::without_consequence(&failure, &self.sources.lock().unwrap());
            self.iopub.output(Output::Stream(Stdio::Stderr, text));
        }
    }

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

    fn drain_errors(&mut self) {
        let text = self.error_text.push(&waiting(&self.errors));
        if !text.is_empty() {
            self.iopub.output(Output::Stream(Stdio::Stderr, text));
        }
    }

    fn tell_evcxr(&mut self, line: &str) -> Result<()> {
        writeln!(self.evcxr, "{line}").context("evcxr is gone")
    }
}

/// What is in a pipe now, and no more: a thread that a cell has left may fill it for ever.
fn waiting(pipe: &File) -> Vec<u8> {
    let length = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
    let mut bytes = Vec::new();
    // It fails only where there is less, and what there is has been read by then.
    let _ = pipe.take(length).read_to_end(&mut bytes);
    bytes
}

/// Lets the programs that this process starts inherit the socket.
pub fn keep_across_exec(socket: &UnixStream) -> Result<()> {
    rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
    Ok(())
}
