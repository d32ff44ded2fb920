//! Data sets written to files.

use super::{Dataset, Error, MNIST, cifar, idx};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

impl Dataset {
    /// Writes the four files of MNIST's format, uncompressed, into a folder, which is created if need be. They hold exactly the
    /// images of this data set, and [`from_dir`](super::from_dir) reads them.
    ///
    /// # Errors
    /// When these are no digits, or a file or the folder cannot be written.
    pub fn write_idx(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| Error::Unwritable { file: folder.into(), source })?;
        let [train_images, train_labels, images, labels] = MNIST.map(|known| folder.join(known.name));
        idx::write(&self.train, &train_images, &train_labels)?;
        idx::write(&self.test, &images, &labels)
    }

    /// Writes this data set for another program, into a temporary folder that is removed when what this returns is
    /// dropped.
    ///
    /// # Errors
    /// As [`write_idx`](Self::write_idx).
    pub fn to_idx(&self) -> Result<DataFolder, Error> {
        let folder = DataFolder::create()?;
        self.write_idx(&folder.path)?;
        Ok(folder)
    }

    /// Writes the files of CIFAR-10's binary version, which [`from_cifar_dir`](super::from_cifar_dir) reads, into a folder, which is
    /// created if need be. They hold exactly the images of this data set.
    ///
    /// # Errors
    /// When these are no colour pictures of 32 x 32 pixels, or fewer than five to train on, or a file or the folder cannot be written.
    pub fn write_cifar(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        cifar::write(self, folder.as_ref())
    }

    /// [`write_cifar`](Self::write_cifar) into a temporary folder, as [`to_idx`](Self::to_idx).
    ///
    /// # Errors
    /// As [`write_cifar`](Self::write_cifar).
    pub fn to_cifar(&self) -> Result<DataFolder, Error> {
        let folder = DataFolder::create()?;
        self.write_cifar(&folder.path)?;
        Ok(folder)
    }
}

/// A temporary folder with the files of a [`Dataset`].
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    fn create() -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("lab-digits-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = env::temp_dir().join(name);
            match fs::create_dir(&path) {
                // An earlier process with the same id has left it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Unwritable { file: path, source }),
                Ok(()) => return Ok(Self { path }),
            }
        }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which cleans up its temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}
