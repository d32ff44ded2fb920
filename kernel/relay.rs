//! Between the child and everybody else: a thread that reads the child's output as it comes, publishes it, and
//! passes on to evcxr only the lines that evcxr waits for.
//!
//! Because evcxr learns that a cell is complete from here, after everything the cell printed was published, the
//! messages of a cell need no further ordering.

use crate::format::{Failure, Request};
use crate::output::{Event, Parser, Utf8, VARIABLE_LOST};
use crate::sources::Sources;
use crate::{diagnostics, errors};
use anyhow::{Context, Result};
use jupyter_protocol::Stdio;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, retry_on_intr};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wire::{IoPub, Output, Stdin};

/// How long evcxr's contents wait for further MIME types of the same display.
const CONTENT_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the relay learns of the cell in progress.
#[derive(Default)]
pub struct Progress {
    /// The cell runs; before, it is being compiled.
    pub running: bool,
    /// Why the cell failed, if the child said so.
    pub failure: Option<Failure>,
    /// The cell waits for the user's answer.
    pub asking: bool,
    /// The process was ended on purpose.
    pub killed: bool,
    /// The last thing the cell displayed in evcxr's format, if nothing followed it: perhaps its result.
    pub result: Option<Map<String, Value>>,
}

/// Starts the relay. `socket` is the kernel's end of the pair of which the children hold the other.
/// `sources` knows what was compiled, in `crate_folder`.
pub fn start(
    socket: UnixStream,
    iopub: IoPub,
    stdin: Stdin,
    sources: Arc<Mutex<Sources>>,
    crate_folder: PathBuf,
) -> Arc<Mutex<Progress>> {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let shared = Arc::clone(&progress);
    std::thread::spawn(move || {
        while let Ok(descriptors) = receive(&socket) {
            let [output, errors, evcxr, life] = descriptors.map(File::from);
            let mut relay = Relay {
                iopub: &iopub,
                stdin: &stdin,
                progress: &shared,
                sources: &sources,
                crate_folder: &crate_folder,
                evcxr,
                contents: Map::new(),
                cause: None,
            };
            if let Err(error) = relay.run(output, errors, life) {
                eprintln!("taper: reading the output of the child failed: {error:#}");
            }
        }
    });
    progress
}

/// Waits for the next child to hand over its output.
fn receive(socket: &UnixStream) -> Result<[OwnedFd; 4]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty()))?;
    let descriptors = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>().try_into().ok(),
        _ => None,
    });
    let descriptors: [OwnedFd; 4] = descriptors.context("the child sent no descriptors")?;
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
    crate_folder: &'a Path,
    evcxr: File,
    /// Contents that may still be joined by further MIME types.
    contents: Map<String, Value>,
    /// What the cell says could be the reason if it fails now.
    cause: Option<Failure>,
}

impl Relay<'_> {
    /// Reads until the child has ended, and then what it has left in the pipes.
    fn run(&mut self, mut output: File, mut errors: File, life: File) -> Result<()> {
        rustix::io::ioctl_fionbio(&output, true)?;
        rustix::io::ioctl_fionbio(&errors, true)?;
        let mut parser = Parser::default();
        let mut error_text = Utf8::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut ready = [&output, &errors, &life].map(|file| PollFd::new(file, PollFlags::IN));
            let patience = (!self.contents.is_empty()).then_some(&CONTENT_WAIT);
            if retry_on_intr(|| poll(&mut ready, patience))? == 0 {
                self.show_contents();
                continue;
            }
            let [output_ready, errors_ready, ended] = ready.map(|fd| !fd.revents().is_empty());
            if output_ready && let Ok(length @ 1..) = output.read(&mut buffer) {
                for event in parser.push(&buffer[..length]) {
                    self.handle(event, &mut errors, &mut error_text)?;
                }
            } else if errors_ready && !ended {
                self.drain_errors(&mut errors, &mut error_text);
            } else if ended {
                break;
            }
        }
        self.drain_errors(&mut errors, &mut error_text);
        if let Some(event) = parser.finish() {
            self.handle(event, &mut errors, &mut error_text)?;
        }
        self.show_contents();
        self.show_cause();
        Ok(())
    }

    fn handle(&mut self, event: Event, errors: &mut File, error_text: &mut Utf8) -> Result<()> {
        match event {
            Event::Text(text) => {
                self.show_contents();
                self.iopub.output(Output::Stream(Stdio::Stdout, text));
            }
            Event::Request(Request::Failure(failure)) => {
                self.show_contents();
                self.show_cause();
                self.cause = Some(failure);
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
            Event::Running(library) => self.begin(&library),
            Event::Panicked => {
                self.fail("panic", "the cell panicked");
                self.tell_evcxr("EVCXR_PANIC_NOTIFICATION")?;
            }
            Event::ReturnedError => {
                self.fail("Error", "a `?` of the cell met an error");
                self.tell_evcxr("EVCXR_ERROR_OCCURRED")?;
            }
            Event::Complete => {
                // Whatever the cell wrote to its standard error is in the pipe by now.
                self.drain_errors(errors, error_text);
                self.show_cause();
                let mut progress = self.progress.lock().unwrap();
                progress.running = false;
                if progress.asking {
                    // Who has asked is gone, or goes on without an answer.
                    self.stdin.cancel();
                }
                progress.result = Some(std::mem::take(&mut self.contents)).filter(|data| !data.is_empty());
                drop(progress);
                self.tell_evcxr(crate::child::COMPLETE)?;
            }
            Event::VariableLost(name) => {
                let text = format!(
                    "`{name}` is gone: its type was defined anew. Run the cell that makes it again.\n"
                );
                self.iopub.output(Output::Stream(Stdio::Stderr, text));
                self.tell_evcxr(&format!("{VARIABLE_LOST}{name}"))?;
            }
            Event::Question(line) => {
                // Who asks in evcxr's way and then waits is seen to wait, too: that is one question, not two.
                let is_asking = std::mem::replace(&mut self.progress.lock().unwrap().asking, true);
                if !is_asking {
                    self.show_contents();
                    self.tell_evcxr(&line)?;
                }
            }
        }
        Ok(())
    }

    /// A cell has been compiled and starts: shows what rustc had to say without refusing it.
    fn begin(&mut self, library: &str) {
        let mut sources = self.sources.lock().unwrap();
        let (diagnostics, compiled) = diagnostics::read(self.crate_folder, &sources);
        sources.loaded(library, compiled);
        drop(sources);
        for warning in diagnostics.iter().filter(|diagnostic| !diagnostic.is_error && diagnostic.is_current) {
            self.iopub.output(Output::Stream(Stdio::Stderr, format!("{}\n", warning.rendered)));
        }
        self.progress.lock().unwrap().running = true;
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

    fn drain_errors(&mut self, errors: &mut File, text: &mut Utf8) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = errors.read(&mut buffer) {
            let text = text.push(&buffer[..length]);
            if !text.is_empty() {
                self.iopub.output(Output::Stream(Stdio::Stderr, text));
            }
        }
    }

    fn tell_evcxr(&mut self, line: &str) -> Result<()> {
        writeln!(self.evcxr, "{line}").context("evcxr is gone")
    }
}

/// Lets the programs that this process starts inherit the socket.
pub fn keep_across_exec(socket: &UnixStream) -> Result<()> {
    rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
    Ok(())
}
