//! Work on all threads, and the vectors that they write.

use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `f` with each item, on all threads. This thread does its part, and others that come late find nothing to do:
/// on a busy machine nobody waits for them.
pub fn for_each<I>(items: impl Iterator<Item = I> + Send, f: impl Fn(I) + Sync) {
    let items = Mutex::new(items);
    let next = || items.lock().unwrap().next();
    let busy = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = next() {
            f(item);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| {
                busy.fetch_add(1, Ordering::Relaxed);
                work();
                busy.fetch_sub(1, Ordering::Release);
            });
        }
        work();
        let mut spins = 0;
        while busy.load(Ordering::Acquire) > 0 && spins < 10_000 {
            std::hint::spin_loop();
            spins += 1;
        }
        for _ in 0..10 {
            std::hint::spin_loop()
        }
    });
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
        self.collected(std::iter::repeat(value))
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
        self.written.fetch_add(written, Ordering::Relaxed);
        // SAFETY: All of them have just been written.
        unsafe { self.values.assume_init_mut() }
    }
}
