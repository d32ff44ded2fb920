//! The files of the records.

use super::{FORMAT, Record, machine};
use crate::{Result, whole_file};
use anyhow::{Context, bail, ensure};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of the records: `LAB_SCORES`, or else `scores` next to the notebook, or in the parent folder if it exists there.
pub fn folder() -> PathBuf {
    if let Some(path) = std::env::var_os("LAB_SCORES").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let [here, above] = ["scores", "../scores"].map(PathBuf::from);
    if !here.exists() && above.exists() { above } else { here }
}

/// All records in [`folder`], ordered by file name. A file that is damaged or in another format is named in a printed line and
/// skipped.
///
/// # Errors
/// When the folder does not exist or cannot be read.
pub fn read() -> Result<Vec<Record>> {
    read_from(&folder())
}

/// [`read`] in a folder within [`folder`], for records of another task than the digits.
///
/// # Errors
/// As [`read`].
pub fn read_in(task: &str) -> Result<Vec<Record>> {
    read_from(&folder().join(task))
}

fn read_from(folder: &Path) -> Result<Vec<Record>> {
    let paths = json_files(folder).with_context(|| {
        format!("cannot read the scores in {}; run the notebooks of the frameworks first", folder.display())
    })?;
    let mut records = Vec::new();
    for path in paths {
        match parse(&path) {
            Ok(record) => records.push(record),
            Err(error) => println!("{} is left out: {error:#}", path.display()),
        }
    }
    Ok(records)
}

/// The files of a folder whose names end in `.json`, in order.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    paths.sort();
    Ok(paths)
}

/// What all JSON files of a folder hold, in the order of their names. An error names the file.
pub(super) fn read_all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    };
    json_files(folder)?.into_iter().map(read).collect()
}

/// Writes the value as a JSON file in one step: nobody ever reads half of it. Returns the path.
pub(super) fn write(folder: &Path, name: &str, value: &impl Serialize) -> Result<PathBuf> {
    let path = folder.join(name);
    let text = serde_json::to_string_pretty(value)? + "\n";
    whole_file::write(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn parse(path: &Path) -> Result<Record> {
    let text = fs::read_to_string(path).context("it cannot be read")?;
    let value: serde_json::Value = serde_json::from_str(&text).context("it is damaged")?;
    match value["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            bail!("its format is {format}, and this course reads {FORMAT}; run its notebook again")
        }
        None => bail!("it is no record of a score"),
    }
    let record: Record = serde_json::from_value(value).context("it is damaged")?;
    ensure!(!record.epochs.is_empty(), "it is damaged: it has no epochs");
    Ok(record)
}

impl Record {
    /// Writes the record, with the peak memory until now, into [`folder`], in one step: nobody ever reads half of it. The file
    /// is named after framework, style, data and seed, so it replaces that of an earlier run of the same training.
    /// Returns its path.
    ///
    /// # Errors
    /// When there are no epochs, a number in them is not finite, or the file cannot be written.
    pub fn save(&mut self) -> Result<PathBuf> {
        self.save_to(&folder())
    }

    /// [`save`](Self::save) in a folder within [`folder`], for records of another task than the digits.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_in(&mut self, task: &str) -> Result<PathBuf> {
        self.save_to(&folder().join(task))
    }

    fn save_to(&mut self, folder: &Path) -> Result<PathBuf> {
        ensure!(!self.epochs.is_empty(), "nothing was trained, so there is no score to record");
        for (at, epoch) in self.epochs.iter().enumerate() {
            let scores = [Some(epoch.train), epoch.validation, epoch.test].into_iter().flatten();
            let finite = scores.flat_map(|score| [score.loss, score.accuracy]).all(f32::is_finite)
                && epoch.seconds.is_finite();
            ensure!(
                finite,
                "epoch {} has a loss that is no finite number, so its score is not recorded",
                at + 1
            );
        }
        self.peak_memory_mib = machine::peak_memory_mib();
        write(folder, &self.file_name(), self)
    }

    /// `candle-lab-sequential-mnist-60000x6-seed42.json`
    fn file_name(&self) -> String {
        let images = self.train_images + self.validation_images;
        let names = [&self.framework, &self.style, &self.data].map(|name| slug(name));
        format!("{}-{images}x{}-seed{}.json", names.join("-"), self.epochs.len(), self.seed)
    }
}

/// The text in lower case, with a dash for each run of anything but letters and digits.
pub(super) fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
