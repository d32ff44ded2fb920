//! Data sets: handwritten digits, MNIST or drawn by this crate itself, colour pictures, CIFAR-10 or emoji, and texts in 64 languages.
//!
//! ```
//! use lab::candle_core::Device;
//!
//! // Drawn digits, 100 to train on and 20 to test on; `mnist()` has 60,000 and 10,000.
//! let digits = lab::data::drawn_sized(0, 100, 20)?;
//! assert_eq!((digits.train.len(), digits.test.len()), (100, 20));
//!
//! let batches = digits.train.batches(32, 1, &Device::Cpu);
//! let sizes: Vec<usize> = batches.map(|batch| batch.unwrap().1.elem_count()).collect();
//! assert_eq!(sizes, [32, 32, 32, 4]);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod cifar;
mod declarations;
mod download;
mod drawn;
mod emoji;
mod error;
mod examples;
mod export;
mod idx;
mod known;
mod mnist;
mod places;
mod proxy;
mod resident;
mod skeletons;
mod split;
mod texts;

pub use cifar::{CifarSource, cifar10, from_cifar_dir};
pub use declarations::declarations;
pub(crate) use drawn::ways_to_write;
pub use drawn::{drawn, drawn_sized};
pub use emoji::{emoji, emoji_names};
pub use error::Error;
pub use examples::Examples;
pub use export::DataFolder;
pub use idx::from_dir;
pub use known::Known;
pub use mnist::{MNIST, MnistSource, mnist};
pub use places::{cache, is_offline};
pub use split::{Batches, Split, shuffled};
pub use texts::{Corpus, Texts};

use std::sync::Arc;

/// The channels, rows and columns of a digit.
const DIGIT: [usize; 3] = [1, 28, 28];

/// Images with their classes. Clones are cheap: they share the images.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name in captions, charts and records: `MNIST`, `drawn digits`, `CIFAR-10`, ….
    pub name: String,
    /// The training set.
    pub train: Split,
    /// The test set.
    pub test: Split,
}

impl Dataset {
    /// From pixels and classes, as [`Split`] returns them.
    fn new(
        name: &str,
        shape: [usize; 3],
        class_names: Vec<String>,
        train: (Vec<u8>, Vec<u8>),
        test: (Vec<u8>, Vec<u8>),
    ) -> Self {
        let class_names: Arc<[String]> = class_names.into();
        let split = |part: &str, (pixels, classes)| {
            Split::new(format!("{name}, {part}"), shape, class_names.clone(), pixels, classes)
        };
        Self { name: name.into(), train: split("training", train), test: split("test", test) }
    }

    fn digits(name: &str, train: (Vec<u8>, Vec<u8>), test: (Vec<u8>, Vec<u8>)) -> Self {
        Self::new(name, DIGIT, (0..10).map(|digit| digit.to_string()).collect(), train, test)
    }
}
