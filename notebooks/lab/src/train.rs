//! Training: a panel that shows it live, with a look [into the network](Panel::watch) if wanted, and the loop itself, for notebooks
//! that have already taught it.
//!
//! ```
//! use lab::candle_core::{DType, Device, Tensor};
//! use lab::nn::{self, Module, Optimizer, SGD, VarBuilder, VarMap};
//! use lab::train::{Settings, fit};
//!
//! let digits = lab::data::drawn_sized(0, 100, 20)?;
//! let weights = VarMap::new();
//! let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! let dense = nn::linear(784, 10, vb.pp("dense"))?;
//! lab::init::seed(&weights, 1)?;
//!
//! let mut optimizer = SGD::new(weights.all_vars(), 0.1)?;
//! let settings = Settings { title: "Training", epochs: 5, batch_size: 20, seed: 1, device: &Device::Cpu };
//! let forward = |images: &Tensor, _training| dense.forward(&images.flatten_from(1)?);
//! let history = fit(forward, &mut optimizer, &digits.train, Some(&digits.test), &settings)?;
//! assert_eq!((history.epochs().len(), history.steps().len()), (5, 25));
//! // Less than log 10, the loss of guessing.
//! assert!(history.epochs()[4].training.loss < 2.3);
//! # Ok::<(), lab::anyhow::Error>(())
//! ```

mod fit;
mod history;
mod panel;
mod reel;
mod report;
mod schedule;
mod watch;

pub use fit::{Settings, evaluate, fit};
pub use history::{Epoch, History, Score};
pub use panel::Panel;
pub use schedule::{cosine, one_cycle};
pub use watch::Weights;
