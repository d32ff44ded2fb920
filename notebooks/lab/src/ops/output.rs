use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

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
