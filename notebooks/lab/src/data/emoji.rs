//! Emoji as two artists have drawn them.

use super::cache::from_cache;
use super::{Dataset, Error, Known, places, shuffled};
use image::RgbImage;
use std::collections::BTreeSet;
use std::path::Path;

/// The rows, and the columns, of a picture.
const SIDE: usize = 32;
/// How many pictures there are in a row of a sheet.
const COLUMNS: usize = 44;
/// The names of the two artists' sets: those to train on, and those to test on.
const ARTISTS: [&str; 2] = ["Noto", "Twemoji"];
/// The sheets of the artists, and a list with the code points, the group and the name of each picture.
const FILES: [Known; 3] = [
    Known {
        name: "noto.png",
        size: 623_236,
        sha256: "a33a41058a241ac012bdf65bb99d2df016a33b0f79edc0e0715440cb9a4cee26",
    },
    Known {
        name: "twemoji.png",
        size: 532_775,
        sha256: "11cbf9050deeae5480ab97a01159d761723ee293e6d4c642bf1f92b7ef3bb98a",
    },
    Known {
        name: "emoji.csv",
        size: 70_328,
        sha256: "35b21afdd4b4ff4bf64e9cfb906db47898f61a612c6bf28dd1fb3e848a723b6a",
    },
];

/// 1,906 emoji on white, as colour pictures of 32 x 32 pixels in the nine groups of Unicode: to train on as Google's Noto draws
/// them, to test on as Twitter's Twemoji does. Image number i of both is the same emoji; their order is random, but always the same.
///
/// They come with the course, in its folder `assets/emoji`. Looks in the folder `EMOJI_DIR` if that is set, else for `assets/emoji` in
/// the current folder and those above it.
///
/// # Errors
/// When the folder is not found, or one of its files is missing or damaged.
pub fn emoji() -> Result<Dataset, Error> {
    let folder = match places::from_env("EMOJI_DIR") {
        Some(folder) => folder,
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            let mut folders = here.ancestors().map(|folder| folder.join("assets/emoji"));
            folders.find(|folder| folder.is_dir()).ok_or(Error::NoEmoji)?
        }
    };
    from_folder(&folder)
}

fn from_folder(folder: &Path) -> Result<Dataset, Error> {
    let [noto, twemoji, list] = &FILES;
    let list = String::from_utf8_lossy(&from_cache(list, &folder.join(list.name))?).into_owned();
    let groups: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    let names: BTreeSet<&str> = groups.iter().copied().collect();
    let names: Vec<String> = names.into_iter().map(Into::into).collect();
    let order = shuffled(groups.len(), 0);
    let class = |at: &u32| names.iter().position(|name| name == groups[*at as usize]).unwrap_or(0) as u8;
    let classes: Vec<u8> = order.iter().map(class).collect();
    let part = |file: &Known| {
        let path = folder.join(file.name);
        let sheet = image::load_from_memory(&from_cache(file, &path)?)
            .map_err(|source| Error::Picture { file: path, source })?
            .into_rgb8();
        let pixels = order.iter().flat_map(|&at| picture(&sheet, at as usize)).collect();
        Ok::<_, Error>((pixels, classes.clone()))
    };
    let dataset = Dataset::new("emoji", [3, SIDE, SIDE], names.clone(), part(noto)?, part(twemoji)?);
    let [train, test] = ARTISTS.map(|artist| format!("emoji, {artist}"));
    Ok(Dataset { train: dataset.train.called(train), test: dataset.test.called(test), ..dataset })
}

/// The pixels of a picture of the sheet, channel by channel, row by row.
fn picture(sheet: &RgbImage, at: usize) -> impl Iterator<Item = u8> {
    let (left, top) = (at % COLUMNS * SIDE, at / COLUMNS * SIDE);
    let places = move |channel: usize| {
        (0..SIDE * SIDE).map(move |pixel| (channel, left + pixel % SIDE, top + pixel / SIDE))
    };
    (0..3).flat_map(places).map(|(channel, x, y)| sheet.get_pixel(x as u32, y as u32).0[channel])
}
