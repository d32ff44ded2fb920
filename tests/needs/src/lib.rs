//! Attributes of tests that only some machines can run. Elsewhere they are ignored, with the reason: the test harness counts
//! them, and `cargo test -- --include-ignored` runs them all the same. The build script has looked for what they need.

use proc_macro::{TokenStream, TokenTree};

/// Writes an attribute for a test that needs what is missing if there is such a variable.
macro_rules! attribute {
    ($(#[$doc:meta])* $name:ident, $missing:literal) => {
        $(#[$doc])*
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, test: TokenStream) -> TokenStream {
            ignored_if(option_env!($missing), test)
        }
    };
}

attribute!(
    /// Chromium, which runs JupyterLab and pages.
    chromium,
    "MISSING_CHROMIUM"
);
attribute!(
    /// The files of MNIST, in MNIST_DIR.
    mnist,
    "MISSING_MNIST_DIR"
);
attribute!(
    /// A Python with the frameworks of the course, in PEERS_PYTHON.
    peers,
    "MISSING_PEERS_PYTHON"
);
attribute!(
    /// Half an hour for NVIDIA's compiler, granted by TAPER_CUDA_TESTS.
    time_for_cuda,
    "MISSING_TAPER_CUDA_TESTS"
);
attribute!(
    /// Many minutes, granted by TAPER_SLOW_TESTS.
    time,
    "MISSING_TAPER_SLOW_TESTS"
);
attribute!(
    /// The right to mount a disk that only the test sees.
    own_mounts,
    "MISSING_OWN_MOUNTS"
);
attribute!(
    /// The file that cannot be written to, /dev/full.
    dev_full,
    "MISSING_DEV_FULL"
);
attribute!(
    /// `cargo clippy`, a component of Rust that not everybody has installed.
    clippy,
    "MISSING_CLIPPY"
);
attribute!(
    /// `cargo fmt`, a component of Rust that not everybody has installed.
    fmt,
    "MISSING_FMT"
);

/// The path of Chromium, as an `Option<&str>`.
#[proc_macro]
pub fn chromium_program(_: TokenStream) -> TokenStream {
    format!("{:?}", option_env!("FOUND_CHROMIUM")).parse().expect("`None`, or `Some` of a string, is Rust")
}

fn ignored_if(reason: Option<&str>, test: TokenStream) -> TokenStream {
    let Some(reason) = reason else { return test };
    // By another attribute of this crate, as one reason is enough.
    if is_ignored(&test) {
        return test;
    }
    let mut marked: TokenStream =
        format!("#[ignore = {reason:?}]").parse().expect("an attribute with a string is Rust");
    marked.extend(test);
    marked
}

/// Whether `#[ignore …]` comes first.
fn is_ignored(test: &TokenStream) -> bool {
    let Some(TokenTree::Group(attribute)) = test.clone().into_iter().nth(1) else { return false };
    attribute.stream().into_iter().next().is_some_and(|name| name.to_string() == "ignore")
}
