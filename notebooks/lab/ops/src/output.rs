//! Vectors that several threads fill.

use super::rows::Real;
use super::threads;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// About how many values a thread repeats at once.
const CHUNK: usize = 1 << 14;

/// So many zeros, written by all threads.
pub fn zeros<T: Real>(len: usize) -> Vec<T> {
    repeated(&[T::zero()], len)
}

/// `row`, so many times, one after the other, written by all threads.
pub fn repeated<T: Real>(row: &[T], times: usize) -> Vec<T> {
    let mut values = Output::new(row.len() * times);
    let at_once = (CHUNK / row.len().max(1)).max(1) * row.len().max(1);
    threads::for_each(values.chunks(at_once), |chunk| {
        let values = chunk.filled(T::zero());
        values.chunks_exact_mut(row.len()).for_each(|values| values.copy_from_slice(row));
    });
    values.finish()
}

/// A vector that several threads fill, each in chunks of its own.
///
/// `vec![0.0; len]` would do, but there a single thread would have to fill all of the memory with zeros first.
pub struct Output<T> {
    values: Vec<T>,
    len: usize,
    written: AtomicUsize,
}

impl<T: Copy> Output<T> {
    pub fn new(len: usize) -> Self {
        Self { values: Vec::with_capacity(len), len, written: AtomicUsize::new(0) }
    }

    /// All values in chunks of `size`; the last chunk may be shorter.
    pub fn chunks(&mut self, size: usize) -> impl Iterator<Item = Chunk<'_, T>> {
        *self.written.get_mut() = 0;
        let written = &self.written;
        let values = &mut self.values.spare_capacity_mut()[..self.len];
        values.chunks_mut(size).map(move |values| Chunk { values, written })
    }

    /// The values.
    ///
    /// # Panics
    /// When a chunk has not been filled.
    pub fn finish(mut self) -> Vec<T> {
        assert_eq!(self.written.into_inner(), self.len, "each chunk must be filled");
        // SAFETY: `chunks` splits the first `len` places, which are allocated, into disjoint chunks. `written` is the sum of
        // the lengths of those chunks of the last split that were filled, each counted once because filling consumes the
        // chunk. By the assertion it is `len`, so all of them were filled, and every place holds a value.
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

    /// Takes the values from an iterator.
    ///
    /// # Panics
    /// When the iterator has too few.
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
        // SAFETY: the two callers have written every place of the chunk: `filled` by `fill`, `collected` by the assertion.
        unsafe { self.values.assume_init_mut() }
    }
}
