//! A team of threads that shares the items of an operation, for operations that follow each other closely.
//!
//! `models.rs` has loom try all orders in which threads may hand out work, join in, finish, panic and end.

#![deny(missing_docs)]

mod door;
#[cfg(all(test, loom))]
mod models;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;

use door::{Door, Help};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;
use sync::{Arc, AtomicUsize, Builder, Condvar, JoinHandle, Mutex, MutexGuard, Timer, yield_now};

/// Threads that wait for work, and end when this is dropped.
pub struct Team {
    shared: Arc<Shared>,
    /// How many threads are to help the one that calls.
    helpers: usize,
    handles: Vec<JoinHandle<()>>,
}

impl Team {
    /// A team of so many threads, one of which is the one that calls. A thread that is done stays awake for the duration
    /// `awake`, since waking it takes longer than many operations; it yields to others all the while.
    pub fn new(threads: usize, awake: Duration) -> Self {
        let helpers = threads.saturating_sub(1);
        let shared = Arc::new(Shared {
            newest: Mutex::new(None),
            calls: AtomicUsize::new(0),
            called: Condvar::new(),
            awake,
        });
        let spawn = |helper| {
            let shared = Arc::clone(&shared);
            Builder::new().spawn(move || shared.help(helper))
        };
        // Where no thread can be had, the others do its share.
        let handles = (1..=helpers).filter_map(|helper| spawn(helper).ok()).collect();
        Self { shared, helpers, handles }
    }

    /// Calls `f` with each item, on all threads. Each has a share, the same part of the items every time, so that what it
    /// has written in one operation is in its cache for the next. Threads that are done help the others. The calling thread
    /// does its own share, and those that come late find nothing to do: on a busy machine nobody waits for them.
    ///
    /// # Panics
    /// When `f` does, on whichever thread; not before all threads have stopped.
    pub fn for_each<I: Send>(&self, items: impl Iterator<Item = I>, f: impl Fn(I) + Sync) {
        let threads = 1 + self.helpers;
        let items: Vec<I> = items.collect();
        let (size, mut items) = (items.len().div_ceil(threads), items.into_iter());
        let share = || Mutex::new(items.by_ref().take(size).collect::<VecDeque<I>>());
        let shares: Vec<_> = std::iter::repeat_with(share).take(threads).collect();
        self.run(&|thread: usize| {
            for turn in 0..threads {
                let next = || {
                    let mut share = lock(&shares[(thread + turn) % threads]);
                    if turn == 0 { share.pop_front() } else { share.pop_back() }
                };
                while let Some(item) = next() {
                    f(item);
                }
            }
        });
    }

    /// Does the work on this thread, and on those others that come in time.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        let help = Help::with(work);
        self.shared.call(help.door());
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        let others = help.close();
        if let Some(panic) = own.err().or(others) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.end();
        for handle in self.handles.drain(..) {
            handle.join().expect("a helper catches the panics of its work");
        }
    }
}

/// What the helpers and those that call them share.
struct Shared {
    /// The last work that the helpers were called for. Work before that which they have not begun they have missed.
    newest: Mutex<Option<Arc<Door>>>,
    /// How often they were called, or [`ENDED`]. It changes only while `newest` is locked, but can be read without the lock.
    calls: AtomicUsize,
    called: Condvar,
    awake: Duration,
}

const ENDED: usize = usize::MAX;

impl Shared {
    fn call(&self, door: &Arc<Door>) {
        let mut newest = lock(&self.newest);
        *newest = Some(Arc::clone(door));
        self.calls.fetch_add(1, Ordering::Relaxed);
        drop(newest);
        self.called.notify_all();
    }

    fn end(&self) {
        let newest = lock(&self.newest);
        self.calls.store(ENDED, Ordering::Relaxed);
        drop(newest);
        self.called.notify_all();
    }

    /// What each helper does, until the end.
    fn help(&self, thread: usize) {
        let mut seen = 0;
        while let Some(door) = self.next(&mut seen) {
            door.enter(thread);
        }
    }

    /// Waits until there have been more calls than those `seen`, and returns the work of the last.
    fn next(&self, seen: &mut usize) -> Option<Arc<Door>> {
        let timer = Timer::start(self.awake);
        while self.calls.load(Ordering::Relaxed) == *seen && !timer.is_over() {
            yield_now();
        }
        let mut newest = lock(&self.newest);
        let mut calls = self.calls.load(Ordering::Relaxed);
        // On a busy machine another process has had the processor. This thread would soon lose it again, and whoever waits
        // for it would wait too. A thread that sleeps until it is called may keep the processor for longer.
        if timer.is_over() && calls != ENDED {
            *seen = calls;
        }
        while calls == *seen {
            newest = self.called.wait(newest).expect(NO_PANIC);
            calls = self.calls.load(Ordering::Relaxed);
        }
        *seen = calls;
        if calls == ENDED { None } else { newest.clone() }
    }
}

const NO_PANIC: &str = "no thread panics while it holds the lock";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect(NO_PANIC)
}
