//! Emoji as two artists have drawn them.

use super::{Dataset, Error, Known, Texts, places, shuffled};
use image::RgbImage;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

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
    from_folder(&places::assets("emoji", "EMOJI_DIR")?)
}

/// The names of the [`emoji`], such as `sleepy face`, in the order of the pictures, with the same nine groups. They are in the same
/// folder.
///
/// # Errors
/// When the folder is not found, or its list is missing or damaged.
pub fn emoji_names() -> Result<Texts, Error> {
    let List { names, classes, groups, .. } = List::read(&places::assets("emoji", "EMOJI_DIR")?)?;
    Ok(Texts::new("names of emoji".into(), groups, names.into_iter().zip(classes).collect()))
}

/// All emoji, in their random order.
struct List {
    /// Their places in the sheets.
    order: Vec<u32>,
    names: Vec<String>,
    /// The places of their groups in `groups`.
    classes: Vec<u8>,
    groups: Arc<[String]>,
}

impl List {
    fn read(folder: &Path) -> Result<Self, Error> {
        let [.., list] = &FILES;
        let list = String::from_utf8_lossy(&list.read_file(&folder.join(list.name))?).into_owned();
        let lines = list.lines().skip(1).map(|line| {
            let mut columns = line.splitn(3, ',').skip(1);
            [columns.next(), columns.next()].map(Option::unwrap_or_default)
        });
        let lines: Vec<[&str; 2]> = lines.collect();
        let groups: BTreeSet<&str> = lines.iter().map(|[group, _]| *group).collect();
        let order = shuffled(lines.len(), 0);
        let in_order = || order.iter().map(|&at| lines[at as usize]);
        let class = |group: &str| groups.iter().position(|name| *name == group).unwrap_or(0) as u8;
        Ok(Self {
            names: in_order().map(|[_, name]| name.into()).collect(),
            classes: in_order().map(|[group, _]| class(group)).collect(),
            groups: groups.iter().map(|&group| group.into()).collect(),
            order,
        })
    }
}

fn from_folder(folder: &Path) -> Result<Dataset, Error> {
    let [noto, twemoji, _] = &FILES;
    let List { order, classes, groups, .. } = List::read(folder)?;
    let part = |file: &Known| {
        let path = folder.join(file.name);
        let sheet = image::load_from_memory(&file.read_file(&path)?)
            .map_err(|source| Error::Picture { file: path, source })?
            .into_rgb8();
        let pixels = order.iter().flat_map(|&at| picture(&sheet, at as usize)).collect();
        Ok::<_, Error>((pixels, classes.clone()))
    };
    let dataset = Dataset::new("emoji", [3, SIDE, SIDE], groups.to_vec(), part(noto)?, part(twemoji)?);
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
