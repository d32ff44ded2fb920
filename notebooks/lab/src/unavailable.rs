//! What a notebook needs, and this machine does not have.

use std::fmt;

/// Something that a notebook cannot go on without, such as the weights of a published network, is not here and cannot be had. A cell
/// that ends with this error is named in one line by `taper run`, which keeps the outputs that the notebook was saved with.
///
/// ```
/// use lab::Unavailable;
///
/// let weights = || -> lab::Result<()> { Err(Unavailable::new("no weights here: set TAPER_MODELS to their folder"))? };
/// assert_eq!(weights().unwrap_err().to_string(), "no weights here: set TAPER_MODELS to their folder");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(String);

impl Unavailable {
    /// With a line that says what is missing, and what to do.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}
