//! The implementation of `wire::Kernel`: passes the requests of clients to the session and the analyzer.

use crate::analyzer::Analyzer;
use crate::session::Session;
use crate::typing::Typing;
use anyhow::Result;
use cell::Completeness;
use engine::SessionSetup;
use jupyter_protocol::{IsCompleteReply, IsCompleteReplyStatus, MediaType};
use serde_json::json;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use wire::{Channels, Completions, Execute, Info, Kernel, PastCell};

/// How often to check whether the process that started the kernel still exists.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// The kernel of this program.
pub struct Taper {
    session: Session,
    analyzer: Arc<Analyzer>,
    typing: Arc<Typing>,
    /// The version of the compiler.
    rust: OnceCell<String>,
}

impl Taper {
    /// Starts the session, which gets ready for its first cell, and sets up the analyzer, which starts when somebody types, or is
    /// about to.
    pub fn start(setup: SessionSetup, channels: Channels) -> Self {
        let own_variables = setup.own_variables.clone();
        let session = Session::start(setup, channels);
        let analyzer = Arc::new(Analyzer::new(own_variables, session.clone()));
        let this = Self { session, analyzer, typing: Arc::new(Typing::new()), rust: OnceCell::new() };
        this.start_analyzer_if(Typing::is_new_notebook);
        this
    }

    /// Does not wait for the answer, which may have to be read from a file.
    fn start_analyzer_if(&self, somebody_types: impl FnOnce(&Typing) -> bool + Send + 'static) {
        let (typing, analyzer) = (self.typing.clone(), self.analyzer.clone());
        spawn_blocking(move || {
            if somebody_types(&typing) {
                analyzer.start();
            }
        });
    }
}

impl Kernel for Taper {
    async fn info(&self) -> Info {
        let rust = self.rust.get_or_init(rust_version).await;
        let version = env!("CARGO_PKG_VERSION");
        let link = |text: &str, url: &str| (text.to_owned(), url.to_owned());
        Info {
            implementation: "taper".into(),
            version: version.into(),
            language: json!({
                "name": "rust",
                "version": rust,
                "mimetype": "text/rust",
                "file_extension": ".rs",
                "pygments_lexer": "rust",
                "codemirror_mode": "rust",
                "nbconvert_exporter": "script",
            }),
            banner: format!("taper {version}: Rust {rust}, warm"),
            help_links: vec![
                link("The Rust Programming Language", "https://doc.rust-lang.org/book/"),
                link("Standard library", "https://doc.rust-lang.org/std/"),
                link("Candle", "https://docs.rs/candle-core"),
                link("evcxr", "https://github.com/evcxr/evcxr/blob/main/COMMON.md"),
            ],
        }
    }

    fn execute(&self, cell: Execute) {
        let (metadata, code) = (cell.request.metadata.clone(), cell.content.code.clone());
        self.session.execute(cell);
        self.start_analyzer_if(move |typing| typing.is_edited(&metadata, &code));
    }

    fn interrupt(&self) {
        self.session.interrupt();
    }

    fn shut_down(&self) {
        self.session.shut_down();
    }

    fn is_complete(&self, code: &str) -> IsCompleteReply {
        // Only a console asks that, while somebody types.
        self.analyzer.start();
        let (status, indent) = match cell::completeness(code) {
            Completeness::Complete => (IsCompleteReplyStatus::Complete, String::new()),
            Completeness::Incomplete(indent) => (IsCompleteReplyStatus::Incomplete, indent),
            Completeness::Invalid => (IsCompleteReplyStatus::Invalid, String::new()),
        };
        IsCompleteReply { status, indent }
    }

    fn history(&self) -> Vec<PastCell> {
        self.session.history()
    }

    async fn complete(&self, code: &str, position: usize) -> Completions {
        self.analyzer.complete(code.to_owned(), position).await
    }

    async fn inspect(&self, code: &str, position: usize) -> Vec<MediaType> {
        self.analyzer.inspect(code.to_owned(), position).await
    }
}

/// The version of the compiler.
async fn rust_version() -> String {
    let ask = || {
        let output = Command::new("rustc").arg("--version").output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.split(' ').nth(1)?.to_owned())
    };
    // Without a compiler, name the version that taper needs.
    let version = tokio::task::spawn_blocking(ask).await.ok().flatten();
    version.unwrap_or_else(|| env!("CARGO_PKG_RUST_VERSION").into())
}

/// Waits for a signal that ends the kernel, or for the end of the process that started it.
///
/// # Errors
/// When the signals cannot be handled.
pub fn told_to_end() -> Result<impl Future<Output = ()>> {
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    // Ignored: interrupts of cells come as messages, and Ctrl-C is meant for the program in the same terminal.
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move { while interrupt.recv().await.is_some() {} });
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            () = parent_is_gone() => {}
        }
    })
}

async fn parent_is_gone() {
    let parent = std::os::unix::process::parent_id();
    let mut interval = tokio::time::interval(PARENT_CHECK);
    while std::os::unix::process::parent_id() == parent {
        interval.tick().await;
    }
}
