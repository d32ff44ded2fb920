//! What images and texts have in common.

use super::{Split, Texts};

/// A part of a data set: images or texts.
pub trait Examples {
    /// The name of the data set and of the part, such as `MNIST, test`.
    fn name(&self) -> &str;
    /// The number of images or texts.
    fn count(&self) -> usize;
}

impl Examples for Split {
    fn name(&self) -> &str {
        self.name()
    }

    fn count(&self) -> usize {
        self.len()
    }
}

impl Examples for Texts {
    fn name(&self) -> &str {
        self.name()
    }

    fn count(&self) -> usize {
        self.len()
    }
}
