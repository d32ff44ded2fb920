//! A pool of threads that share the items of an operation, for short operations that follow each other closely.
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
    /// The number of threads that help the calling one.
    helpers: usize,
    handles: Vec<JoinHandle<()>>,
}

impl Team {
    /// A team of `threads`, including the calling one. A thread without work stays awake for the duration `awake`, because
    /// waking it would take longer than many operations; meanwhile it yields to others.
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
        // If a thread cannot be started, the others do its share.
        let handles = (1..=helpers).filter_map(|helper| spawn(helper).ok()).collect();
        Self { shared, helpers, handles }
    }

    /// Calls `f` with each item, on all threads. Each thread begins with its own share, the same part of the items in every
    /// call, so that what it wrote in one operation is still in its cache for the next. Then it helps the others. The calling
    /// thread works too, and does not wait for threads that have not begun: on a busy machine those find nothing left to do.
    ///
    /// # Panics
    /// When `f` panics on any thread, once all threads have stopped.
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

    /// Does the work on this thread, and on the helpers that join in time.
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

/// The state that the helpers share with the threads that call them.
struct Shared {
    /// The latest work that the helpers were called for. Helpers skip earlier work that they have not begun.
    newest: Mutex<Option<Arc<Door>>>,
    /// The number of calls, or [`ENDED`]. It changes only while `newest` is locked, but can be read without the lock.
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

    /// The loop of each helper.
    fn help(&self, thread: usize) {
        let mut seen = 0;
        while let Some(door) = self.next(&mut seen) {
            door.enter(thread);
        }
    }

    /// Waits for a call after those that were `seen`, and returns the work of the latest; `None` at the end.
    fn next(&self, seen: &mut usize) -> Option<Arc<Door>> {
        let timer = Timer::start(self.awake);
        while self.calls.load(Ordering::Relaxed) == *seen && !timer.is_over() {
            yield_now();
        }
        let mut newest = lock(&self.newest);
        let mut calls = self.calls.load(Ordering::Relaxed);
        // If a call has come after all, other processes kept this thread from the processor: the machine is busy. It may lose
        // the processor again within the work, and the caller would have to wait for it. So it skips this call and sleeps: a
        // thread that has slept may keep the processor for longer.
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
