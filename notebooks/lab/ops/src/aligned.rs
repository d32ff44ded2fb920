//! Vectors of numbers that start on a cache line.

use std::ops::{Deref, DerefMut};

/// The length of a cache line, and of the longest vectors, in bytes.
const LINE: usize = 64;

/// Numbers that start on a cache line: a vector that crosses from one line to the next takes twice as long to read, and
/// longer still to write.
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        let room = LINE / size_of::<f32>() - 1;
        let values = vec![0.0; len + room];
        let start = values.as_ptr().align_offset(LINE).min(room);
        Self { values, start, len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}
