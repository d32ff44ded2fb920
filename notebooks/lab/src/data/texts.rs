//! Texts with their classes.

use std::fmt;
use std::sync::Arc;

/// Texts to train on and texts to test on. Clones are cheap: they share the texts.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The name in captions, charts and records: `declarations`.
    pub name: String,
    /// The training set.
    pub train: Texts,
    /// The test set.
    pub test: Texts,
}

/// The training set or the test set: texts, and the class of each.
#[derive(Clone)]
pub struct Texts {
    name: String,
    /// The index of its first text within `texts`.
    start: usize,
    len: usize,
    texts: Arc<[String]>,
    classes: Arc<[u8]>,
    class_names: Arc<[String]>,
}

impl Texts {
    /// Each text with its class, as an index of `class_names`.
    pub(super) fn new(name: String, class_names: Arc<[String]>, examples: Vec<(String, u8)>) -> Self {
        let (texts, classes): (Vec<String>, Vec<u8>) = examples.into_iter().unzip();
        Self { name, start: 0, len: texts.len(), texts: texts.into(), classes: classes.into(), class_names }
    }

    /// The name of the data set and of the part, such as `declarations, test`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The texts.
    pub fn texts(&self) -> &[String] {
        &self.texts[self.start..][..self.len]
    }

    /// The class of each text, as an index of [`class_names`](Self::class_names).
    pub fn classes(&self) -> &[u8] {
        &self.classes[self.start..][..self.len]
    }

    /// The names of the classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Each text with the name of its class.
    pub fn named(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let names = self.classes().iter().map(|&class| self.class_names[usize::from(class)].as_str());
        self.texts().iter().map(String::as_str).zip(names)
    }

    /// The first `n` texts, or all if there are fewer.
    pub fn take(&self, n: usize) -> Self {
        Self { len: n.min(self.len), ..self.clone() }
    }

    /// The first `n` texts, and the others, like `slice::split_at`. If there are fewer, the second part is empty.
    pub fn split_at(&self, n: usize) -> (Self, Self) {
        let first = self.take(n);
        let (start, len) = (self.start + first.len, self.len - first.len);
        (first, Self { start, len, ..self.clone() })
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} texts in {} classes", self.name, self.len, self.class_names.len())
    }
}
