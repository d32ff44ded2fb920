//! Threads and their synchronization: the standard library's or, for `models.rs`, loom's, which tries every interleaving.

#[cfg(all(test, loom))]
pub use loom::{
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::AtomicUsize},
    thread::{Builder, JoinHandle, yield_now},
};
#[cfg(not(all(test, loom)))]
pub use std::{
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::AtomicUsize},
    thread::{Builder, JoinHandle, yield_now},
};

use std::time::Duration;
#[cfg(not(all(test, loom)))]
use std::time::Instant;

/// Tells when a duration has passed.
#[cfg(not(all(test, loom)))]
pub struct Timer {
    start: Instant,
    duration: Duration,
}

#[cfg(not(all(test, loom)))]
impl Timer {
    pub fn start(duration: Duration) -> Self {
        Self { start: Instant::now(), duration }
    }

    pub fn is_over(&self) -> bool {
        self.start.elapsed() >= self.duration
    }
}

/// loom has no clock: a duration of 0 is over at once, and any other never.
#[cfg(all(test, loom))]
pub struct Timer(Duration);

#[cfg(all(test, loom))]
impl Timer {
    pub fn start(duration: Duration) -> Self {
        Self(duration)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_zero()
    }
}
