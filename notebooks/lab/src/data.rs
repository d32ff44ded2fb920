//! Data sets of handwritten digits: MNIST, and one that this crate draws itself.
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

mod cache;
mod download;
mod drawn;
mod error;
mod export;
mod idx;
mod proxy;
mod resident;
mod skeletons;
mod source;
mod split;

pub use cache::{Known, MNIST};
pub(crate) use drawn::ways_to_write;
pub use drawn::{drawn, drawn_sized};
pub use error::Error;
pub use export::IdxFolder;
pub use idx::from_dir;
pub use source::{Source, mnist};
pub use split::{Batches, Split, shuffled};

/// Images of single digits with their labels. Clones are cheap: they share the images.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name in captions, charts and records: `MNIST`, `drawn digits`, ….
    pub name: String,
    /// The training set.
    pub train: Split,
    /// The test set.
    pub test: Split,
}

impl Dataset {
    fn new(name: &str, train: (Vec<u8>, Vec<u8>), test: (Vec<u8>, Vec<u8>)) -> Self {
        Self {
            name: name.into(),
            train: Split::new(format!("{name}, training"), train.0, train.1),
            test: Split::new(format!("{name}, test"), test.0, test.1),
        }
    }
}
