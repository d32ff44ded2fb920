//! The training set or the test set, and batches of it.

use super::resident::Resident;
use crate::check_interrupt;
use ::ops::arch;
use ::ops::random::Random;
use candle_core::{Device, Result, Tensor, bail};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The numbers from 0 to `n` - 1 in an order that follows from `seed`, in which [`Split::batches`] shows its images.
pub fn shuffled(n: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    Random::new(seed, 0).shuffle(&mut order);
    order
}

/// The training set or the test set: `len` images of one shape, and the class of each. A pixel is 0 to 255 in each channel; in grey
/// digits 0 is the background.
#[derive(Clone)]
pub struct Split {
    name: String,
    /// The index of its first image within `pixels`.
    start: usize,
    len: usize,
    shape: [usize; 3],
    pixels: Arc<Vec<u8>>,
    classes: Arc<Vec<u8>>,
    class_names: Arc<[String]>,
    /// A copy of all of it on the device that asked for it last.
    resident: Arc<Mutex<Option<Resident>>>,
}

impl Split {
    /// `pixels` as [`pixels`](Self::pixels) returns them.
    pub(super) fn new(
        name: String,
        shape: [usize; 3],
        class_names: Arc<[String]>,
        pixels: Vec<u8>,
        classes: Vec<u8>,
    ) -> Self {
        assert_eq!(pixels.len(), classes.len() * shape.iter().product::<usize>());
        let (len, pixels, classes) = (classes.len(), pixels.into(), classes.into());
        Self { name, start: 0, len, shape, pixels, classes, class_names, resident: Arc::default() }
    }

    /// The same images with another name.
    pub(super) fn called(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// The name of the data set and of the part, such as `MNIST, test`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The channels, rows and columns of each image: `[1, 28, 28]` for digits, `[3, 32, 32]` for colour pictures.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of values in an image.
    fn area(&self) -> usize {
        self.shape.iter().product()
    }

    /// The names of the classes: `0` to `9` for digits.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first `n` images, or all if there are fewer.
    pub fn take(&self, n: usize) -> Self {
        Self { len: n.min(self.len), ..self.clone() }
    }

    /// The first `n` images, and the others, like `slice::split_at`. If there are fewer, the second part is empty.
    pub fn split_at(&self, n: usize) -> (Self, Self) {
        let first = self.take(n);
        let (start, len) = (self.start + first.len, self.len - first.len);
        (first, Self { start, len, ..self.clone() })
    }

    /// All pixels, image after image, each channel by channel, row by row from the top.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels[self.start * self.area()..][..self.len * self.area()]
    }

    /// The class of each image, as an index of [`class_names`](Self::class_names): the digit that it shows.
    pub fn classes(&self) -> &[u8] {
        &self.classes[self.start..][..self.len]
    }

    /// The pixels of one image, 784 for a digit.
    ///
    /// # Panics
    /// When there is no image `index`, like a slice.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels()[index * self.area()..][..self.area()]
    }

    /// All images as `f32` in 0 to 1, shape `[len, channels, rows, columns]`, for digits `[len, 1, 28, 28]`.
    pub fn images(&self, device: &Device) -> Result<Tensor> {
        to_images([self.pixels()].into_iter(), self.len, self.shape, device)
    }

    /// All labels as `u32`, shape `[len]`.
    pub fn labels(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_iter(self.classes().iter().map(|&class| u32::from(class)), device)
    }

    /// Batches of (images, labels) as in [`images`](Self::images) and [`labels`](Self::labels), every image once,
    /// in an order that follows from `seed`. The last batch may be smaller. Give each epoch a seed of its own.
    pub fn batches(&self, batch_size: usize, seed: u64, device: &Device) -> Batches {
        Batches { order: shuffled(self.len, seed), ..self.batches_in_order(batch_size, device) }
    }

    /// Batches in the order of the images, for evaluation.
    pub fn batches_in_order(&self, batch_size: usize, device: &Device) -> Batches {
        let order = (0..self.len as u32).collect();
        let on_device = !device.is_cpu();
        Batches {
            split: self.clone(),
            order,
            done: 0,
            batch_size,
            device: device.clone(),
            on_device,
            there: None,
        }
    }

    fn resident(&self, device: &Device) -> Result<Resident> {
        let mut resident = self.resident.lock().unwrap_or_else(PoisonError::into_inner);
        match &*resident {
            Some(present) if present.device().location() == device.location() => Ok(present.clone()),
            _ => Ok(resident.insert(Resident::new(&self.pixels, &self.classes, self.shape, device)?).clone()),
        }
    }
}

/// Without the pixels, which would flood the output of a cell that ends in a data set.
impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Split").field("name", &self.name).field("len", &self.len).finish_non_exhaustive()
    }
}

/// An iterator over the batches of a [`Split`]. A batch is put into tensors only when it is asked for; it is an error when the
/// user has interrupted the cell.
pub struct Batches {
    split: Split,
    order: Vec<u32>,
    done: usize,
    batch_size: usize,
    device: Device,
    on_device: bool,
    /// On the device: the images, and the order.
    there: Option<(Resident, Tensor)>,
}

impl Batches {
    /// Whether to assemble batches on the device, from images that are copied there once, a byte per pixel. That is the default
    /// on a GPU; then only the order of an epoch is copied.
    #[must_use]
    pub fn on_device(self, on_device: bool) -> Self {
        Self { on_device, ..self }
    }

    /// The images at these places of the order.
    fn batch(&mut self, start: usize, end: usize) -> Result<(Tensor, Tensor)> {
        check_interrupt()?;
        if start == end {
            bail!("a batch must hold at least one image");
        }
        if !self.on_device {
            return to_batch(&self.split, &self.order[start..end], &self.device);
        }
        let (images, order) = match &mut self.there {
            Some(there) => there,
            none => {
                let start = self.split.start as u32;
                let order = Tensor::from_iter(self.order.iter().map(|index| start + index), &self.device)?;
                none.insert((self.split.resident(&self.device)?, order))
            }
        };
        images.batch(&order.narrow(0, start, end - start)?)
    }
}

impl Iterator for Batches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, len) = (self.done, self.order.len());
        if start == len {
            return None;
        }
        let end = start + self.batch_size.min(len - start);
        self.done = if end == start { len } else { end };
        Some(self.batch(start, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.done).div_ceil(self.batch_size.max(1));
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

fn to_batch(split: &Split, indices: &[u32], device: &Device) -> Result<(Tensor, Tensor)> {
    let images = indices.iter().map(|&index| split.image(index as usize));
    let labels = indices.iter().map(|&index| u32::from(split.classes()[index as usize]));
    Ok((to_images(images, indices.len(), split.shape, device)?, Tensor::from_iter(labels, device)?))
}

/// From the pixels of `len` images, in pieces.
fn to_images<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    len: usize,
    [channels, rows, columns]: [usize; 3],
    device: &Device,
) -> Result<Tensor> {
    let mut values = Vec::with_capacity(len * channels * rows * columns);
    // Compiled for the vector instructions of this processor.
    arch().dispatch(
        #[inline(always)]
        || {
            for pixels in pieces {
                values.extend(pixels.iter().map(|&pixel| f32::from(pixel) / 255.0));
            }
        },
    );
    Tensor::from_vec(values, (len, channels, rows, columns), device)
}
