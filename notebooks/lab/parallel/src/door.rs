//! Work that other threads may join in until its owner takes it back.

use crate::lock;
use crate::sync::{Arc, AtomicUsize, Mutex, spin_loop, yield_now};
use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// The payload of a panic.
pub type Panic = Box<dyn Any + Send>;

/// The owner's end of a [`Door`]. It closes the door at the latest when it is dropped, within the lifetime of the work.
///
/// Closing waits for the threads that have begun, but not for those that have not: rayon's scopes wait for those too, which
/// takes as long as waking a thread.
pub struct Help<'a> {
    door: Arc<Door>,
    work: PhantomData<&'a ()>,
}

/// Gives other threads access to the work for as long as it is open.
pub struct Door {
    work: Work,
    /// How many threads are inside, and the bit [`CLOSED`].
    state: AtomicUsize,
    /// The panic of a thread inside, for the owner.
    panic: Mutex<Option<Panic>>,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

/// The work of a [`Help`], without its lifetime.
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the pointer is used by `Door::enter` alone, as a shared reference, and what it points to is `Sync`, so any thread
// may call it. `enter` proves that it is still alive.
unsafe impl Send for Work {}
// SAFETY: as for `Send`: a shared `Work` gives access to nothing but calls of a function that is `Sync`.
unsafe impl Sync for Work {}

impl<'a> Help<'a> {
    /// Opens a door to `work`, which is called with the number of the thread.
    pub fn with(work: &'a (dyn Fn(usize) + Sync + 'a)) -> Self {
        // SAFETY: both are pointers to the same trait object, with the same layout; the lifetime alone is forgotten, and
        // making a pointer reads nothing. `Door::enter` proves that the work lives where it is called.
        let work = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + 'a), *const (dyn Fn(usize) + Sync)>(work)
        };
        let door = Door { work: Work(work), state: AtomicUsize::new(0), panic: Mutex::new(None) };
        Self { door: Arc::new(door), work: PhantomData }
    }

    /// The door, by which other threads enter.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Closes the door and waits until nobody is inside. Returns the panic of a thread that was.
    pub fn close(self) -> Option<Panic> {
        self.door.close();
        lock(&self.door.panic).take()
    }
}

impl Drop for Help<'_> {
    fn drop(&mut self) {
        self.door.close();
    }
}

impl Door {
    /// Does the work as the thread of this number, unless the door is closed.
    pub fn enter(&self, thread: usize) {
        let one_more = |state| (state & CLOSED == 0).then_some(state + 1);
        if self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).is_err() {
            return;
        }
        // SAFETY: the `Help` that made this door borrows the work for `'a`. It is private to this crate, which never forgets
        // one, so it ends within `'a`, and on its way out it has `close` return. `close` returns after it has set `CLOSED`
        // and then read a count of 0. This thread was counted while `CLOSED` was not set, and is counted until the
        // `fetch_sub` below; so until there `close` has not returned, and the work is alive.
        let work = unsafe { &*self.work.0 };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(thread))) {
            *lock(&self.panic) = Some(panic);
        }
        // Releases all that was done inside to `close`, which acquires it.
        self.state.fetch_sub(1, Ordering::Release);
    }

    /// Keeps further threads out, and waits until nobody is inside.
    fn close(&self) {
        /// Threads inside are usually done within so many spins. Otherwise they have lost the processor, so yield it to them.
        const SPINS: usize = 10_000;
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
        let mut spins = 0;
        while self.state.load(Ordering::Acquire) != CLOSED {
            spins += 1;
            if spins < SPINS { spin_loop() } else { yield_now() }
        }
    }
}
