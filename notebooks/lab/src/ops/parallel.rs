//! Work on all threads, and the vectors that they write.

use candle_core::utils::get_num_threads;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::any::Any;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Calls `f` with each item, on all threads. This thread does its part, and others that come late find nothing to do:
/// on a busy machine nobody waits for them.
///
/// # Panics
/// When `f` does, on whichever thread.
pub fn for_each<I>(items: impl Iterator<Item = I> + Send, f: impl Fn(I) + Sync) {
    let items = Mutex::new(items);
    let next = || items.lock().unwrap().next();
    let work = || {
        while let Some(item) = next() {
            f(item);
        }
    };
    let Some(others) = others() else { return work() };
    let help = Help::with(&work);
    for _ in 0..others.current_num_threads() {
        let door = Arc::clone(&help.door);
        others.spawn(move || door.enter());
    }
    work();
}

/// The threads beside the one that calls. As many as in rayon's own pool would be one more than there are processors,
/// and while one of them works another would look for work in its place.
fn others() -> Option<&'static ThreadPool> {
    static OTHERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let threads = get_num_threads() - 1;
        let pool = || ThreadPoolBuilder::new().num_threads(threads).build().ok();
        if threads == 0 { None } else { pool() }
    };
    OTHERS.get_or_init(start).as_ref()
}

/// Work that others may help with until this is dropped. It waits for those who do, but not for those who have not
/// begun: rayon's scopes wait for them too, which takes as long as to wake a thread.
struct Help<'a> {
    door: Arc<Door>,
    work: PhantomData<&'a ()>,
}

struct Door {
    /// Of [`Help`], as long as the door is open or somebody inside.
    work: *const (dyn Fn() + Sync),
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
    fn with(work: &'a (dyn Fn() + Sync + 'a)) -> Self {
        // SAFETY: It only forgets how long the work lives. Nobody does it who has not come through the door, and `drop`
        // closes that, and waits until all have left.
        let work =
            unsafe { std::mem::transmute::<*const (dyn Fn() + Sync + 'a), *const (dyn Fn() + Sync)>(work) };
        let door = Door { work, state: AtomicUsize::new(0), panic: Mutex::new(None) };
        Self { door: Arc::new(door), work: PhantomData }
    }
}

impl Door {
    /// Does the work, unless the door is closed.
    fn enter(&self) {
        let one_more = |state| (state & CLOSED == 0).then_some(state + 1);
        if self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).is_err() {
            return;
        }
        // SAFETY: This is inside.
        let work = unsafe { &*self.work };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
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
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let panic = self.door.panic.lock().unwrap().take();
        if let Some(panic) = panic
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

/// A vector that many threads write, each its own chunks.
///
/// `vec![0.0; len]` would do, but one thread would write all of it, long before the values come.
pub struct Output<T> {
    values: Vec<T>,
    len: usize,
    written: AtomicUsize,
}

impl<T: Copy> Output<T> {
    pub fn new(len: usize) -> Self {
        Self { values: Vec::with_capacity(len), len, written: AtomicUsize::new(0) }
    }

    /// All values in chunks of `size`, the last one shorter if they do not come out even.
    pub fn chunks(&mut self, size: usize) -> impl Iterator<Item = Chunk<'_, T>> {
        *self.written.get_mut() = 0;
        let written = &self.written;
        let values = &mut self.values.spare_capacity_mut()[..self.len];
        values.chunks_mut(size).map(move |values| Chunk { values, written })
    }

    /// The values, when all chunks have been filled.
    pub fn finish(mut self) -> Vec<T> {
        assert_eq!(self.written.into_inner(), self.len, "each chunk must be filled");
        // SAFETY: All chunks have been filled, each once, for that takes the chunk.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// A part of an [`Output`].
pub struct Chunk<'a, T> {
    values: &'a mut [MaybeUninit<T>],
    written: &'a AtomicUsize,
}

impl<'a, T: Copy> Chunk<'a, T> {
    /// Sets all values.
    pub fn filled(self, value: T) -> &'a mut [T] {
        self.values.fill(MaybeUninit::new(value));
        self.all_written()
    }

    /// Takes the values from an iterator, which must have as many.
    #[inline(always)]
    pub fn collected(self, values: impl Iterator<Item = T>) -> &'a mut [T] {
        let mut written = 0;
        for (place, value) in self.values.iter_mut().zip(values) {
            place.write(value);
            written += 1;
        }
        assert_eq!(written, self.values.len(), "each value must be written");
        self.all_written()
    }

    fn all_written(self) -> &'a mut [T] {
        self.written.fetch_add(self.values.len(), Ordering::Relaxed);
        // SAFETY: All of them have just been written.
        unsafe { self.values.assume_init_mut() }
    }
}
