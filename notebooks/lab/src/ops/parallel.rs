//! Work on all threads.

use candle_core::utils::get_num_threads;
use std::any::Any;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Calls `f` with each item, on all threads. Each has a share, the same part of the items every time, so that what it
/// has written in one operation is in its cache for the next. Whoever is done helps others. This thread does its part,
/// and those that come late find nothing to do: on a busy machine nobody waits for them.
///
/// # Panics
/// When `f` does, on whichever thread.
pub fn for_each<I: Send>(items: impl Iterator<Item = I>, f: impl Fn(I) + Sync) {
    let team = Team::get();
    let threads = 1 + team.helpers;
    let items: Vec<I> = items.collect();
    let (size, mut items) = (items.len().div_ceil(threads), items.into_iter());
    let share = || Mutex::new(items.by_ref().take(size).collect::<VecDeque<I>>());
    let shares: Vec<_> = std::iter::repeat_with(share).take(threads).collect();
    let work = |thread: usize| {
        for turn in 0..threads {
            let next = || {
                let mut share = shares[(thread + turn) % threads].lock().unwrap();
                if turn == 0 { share.pop_front() } else { share.pop_back() }
            };
            while let Some(item) = next() {
                f(item);
            }
        }
    };
    let help = Help::with(&work);
    team.call(&help.door);
    work(0);
}

/// The threads beside the one that calls.
struct Team {
    helpers: usize,
    /// The last work that they were called for. Of those before, they have missed what they have not begun.
    newest: Mutex<Option<Arc<Door>>>,
    /// How often they were called. It changes together with the newest work, but can be looked at without the lock.
    calls: AtomicUsize,
    called: Condvar,
}

/// How long a thread without work stays awake. It yields to others all the while; to wake it takes as long as a sixth
/// of an operation of the course's network, and they follow each other closely.
const AWAKE: Duration = Duration::from_millis(1);

impl Team {
    fn get() -> &'static Self {
        static TEAM: OnceLock<Team> = OnceLock::new();
        TEAM.get_or_init(|| {
            let helpers = get_num_threads() - 1;
            for helper in 1..=helpers {
                // Without it the others do its share.
                let _ = thread::Builder::new().spawn(move || Team::get().help(helper));
            }
            Self { helpers, newest: Mutex::default(), calls: AtomicUsize::new(0), called: Condvar::new() }
        })
    }

    fn call(&self, door: &Arc<Door>) {
        let mut newest = self.newest.lock().unwrap();
        *newest = Some(Arc::clone(door));
        self.calls.fetch_add(1, Ordering::Relaxed);
        drop(newest);
        self.called.notify_all();
    }

    /// What each of them does, for ever.
    fn help(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let start = Instant::now();
            while self.calls.load(Ordering::Relaxed) == seen && start.elapsed() < AWAKE {
                thread::yield_now();
            }
            let mut newest = self.newest.lock().unwrap();
            // On a busy machine another process has had the processor. This thread would soon lose it again, and whoever
            // waits for it would wait too. One that sleeps until it is called may keep it for longer.
            if start.elapsed() >= AWAKE {
                seen = self.calls.load(Ordering::Relaxed);
            }
            while self.calls.load(Ordering::Relaxed) == seen {
                newest = self.called.wait(newest).unwrap();
            }
            seen = self.calls.load(Ordering::Relaxed);
            let door = newest.clone();
            drop(newest);
            door.iter().for_each(|door| door.enter(thread));
        }
    }
}

/// Work that others may help with until this is dropped. It waits for those who do, but not for those who have not
/// begun: rayon's scopes wait for them too, which takes as long as to wake a thread.
struct Help<'a> {
    door: Arc<Door>,
    work: PhantomData<&'a ()>,
}

struct Door {
    /// Of [`Help`], as long as the door is open or somebody inside.
    work: *const (dyn Fn(usize) + Sync),
    /// How many are inside, and [`CLOSED`].
    state: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

// SAFETY: The work may be done by many threads, and all else is made for them.
unsafe impl Send for Door {}
// SAFETY: As above.
unsafe impl Sync for Door {}

impl<'a> Help<'a> {
    fn with(work: &'a (dyn Fn(usize) + Sync + 'a)) -> Self {
        // SAFETY: It only forgets how long the work lives. Nobody does it who has not come through the door, and `drop`
        // closes that, and waits until all have left.
        let work = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + 'a), *const (dyn Fn(usize) + Sync)>(work)
        };
        let door = Door { work, state: AtomicUsize::new(0), panic: Mutex::new(None) };
        Self { door: Arc::new(door), work: PhantomData }
    }
}

impl Door {
    /// Does the work as one of the threads, unless the door is closed.
    fn enter(&self, thread: usize) {
        let one_more = |state| (state & CLOSED == 0).then_some(state + 1);
        if self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).is_err() {
            return;
        }
        // SAFETY: This is inside.
        let work = unsafe { &*self.work };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(thread))) {
            *self.panic.lock().unwrap() = Some(panic);
        }
        self.state.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for Help<'_> {
    fn drop(&mut self) {
        /// For so long the others are about to be ready, and then something keeps them from it.
        const SPINS: usize = 10_000;
        self.door.state.fetch_or(CLOSED, Ordering::Relaxed);
        let mut spins = 0;
        while self.door.state.load(Ordering::Acquire) != CLOSED {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
        let panic = self.door.panic.lock().unwrap().take();
        if let Some(panic) = panic
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once_and_a_panic_reaches_the_caller() {
        for round in 0..200 {
            let done = Mutex::new(Vec::new());
            let work = |item| {
                thread::yield_now();
                done.lock().unwrap().push(item);
                if item == round {
                    resume_unwind(Box::new("gone wrong"));
                }
            };
            let result = catch_unwind(AssertUnwindSafe(|| for_each(0..100, work)));
            let panic = result.err().map(|panic| *panic.downcast::<&str>().unwrap());
            assert_eq!(panic, (round < 100).then_some("gone wrong"));
            let mut done = done.into_inner().unwrap();
            done.sort();
            assert!(done.is_sorted_by(|one, next| one < next), "{done:?}");
            assert!(round < 100 || done.len() == 100, "{done:?}");
        }
    }

    #[test]
    fn calls_from_several_threads_and_from_within_are_answered() {
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        for_each(0..10, |_| {
                            for_each(0..10, |item| _ = sum.fetch_add(item, Ordering::Relaxed))
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 100 * 10 * 45);
    }
}
