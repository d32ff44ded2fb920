//! Makes the files in `assets/emoji` from the npm packages `emoji-datasource-google` and `emoji-datasource-twitter` 16.0.0, unpacked:
//!
//! ```sh
//! npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0
//! cargo run --release -p lab --example emoji_sheets -- GOOGLE/package TWITTER/package ../assets/emoji
//! ```

use lab::anyhow::{Context, ensure};
use lab::image::{GenericImageView, ImageReader, Rgb, RgbImage};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

/// The side of an emoji, and of its place in a sheet of the packages, which has a border of a pixel.
const SIDE: u32 = 32;
const PLACE: u32 = SIDE + 2;
/// How many emoji there are in a row of our sheets.
const COLUMNS: u32 = 44;

struct Emoji {
    code: String,
    group: String,
    name: String,
}

fn main() -> lab::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [google, twitter, out] = &arguments[..] else {
        lab::anyhow::bail!("two folders of packages, and one for the sheets, are needed");
    };
    let (theirs, others) = (list(google, "google")?, list(twitter, "twitter")?);
    let both: Vec<&Emoji> =
        theirs.values().filter_map(|(emoji, _)| others.contains_key(&emoji.code).then_some(emoji)).collect();
    fs::create_dir_all(out)?;
    let mut csv = String::from("code,group,name\n");
    for Emoji { code, group, name } in &both {
        csv += &format!("{code},{group},{}\n", name.to_lowercase().replace(',', ""));
    }
    fs::write(Path::new(out).join("emoji.csv"), csv)?;
    for (list, package, artist, file) in
        [(&theirs, google, "google", "noto.png"), (&others, twitter, "twitter", "twemoji.png")]
    {
        let sheet = format!("{package}/img/{artist}/sheets-256/32.png");
        let sheet = ImageReader::open(&sheet).with_context(|| sheet.clone())?.decode()?.into_rgba8();
        let rows = (both.len() as u32).div_ceil(COLUMNS);
        let mut ours = RgbImage::from_pixel(COLUMNS * SIDE, rows * SIDE, Rgb([255; 3]));
        for (at, emoji) in (0..).zip(&both) {
            let (_, [x, y]) = list[&emoji.code];
            let picture = sheet.view(x * PLACE + 1, y * PLACE + 1, SIDE, SIDE);
            for (x, y, pixel) in picture.pixels() {
                let [red, green, blue, alpha] = pixel.0.map(u32::from);
                let on_white = |value: u32| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
                let (x, y) = (at % COLUMNS * SIDE + x, at / COLUMNS * SIDE + y);
                ours.put_pixel(x, y, Rgb([red, green, blue].map(on_white)));
            }
        }
        write(&ours, &Path::new(out).join(file))?;
    }
    println!("{} emoji", both.len());
    Ok(())
}

/// The emoji that an artist has drawn, by their code points, each with its column and row in the sheet. Those that are only parts of
/// others are left out.
fn list(package: &str, artist: &str) -> lab::Result<BTreeMap<String, (Emoji, [u32; 2])>> {
    let path = format!("{package}/emoji.json");
    let entries: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(&path).with_context(|| path.clone())?)?;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let number = |entry: &Value, key: &str| entry[key].as_u64().unwrap_or_default() as u32;
    let emoji = entries
        .iter()
        .filter(|entry| entry[format!("has_img_{artist}")] == true && entry["category"] != "Component");
    let emoji = emoji.map(|entry| {
        let code = text(entry, "unified");
        let emoji = Emoji { code: code.clone(), group: text(entry, "category"), name: text(entry, "name") };
        (code, (emoji, [number(entry, "sheet_x"), number(entry, "sheet_y")]))
    });
    Ok(emoji.collect())
}

/// Writes a picture with a palette, as it has no more than 256 colours.
fn write(picture: &RgbImage, path: &Path) -> lab::Result<()> {
    let colors: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    ensure!(colors.len() <= 256, "{} colours in {}", colors.len(), path.display());
    let colors: Vec<[u8; 3]> = colors.into_iter().collect();
    let mut encoder = png::Encoder::new(fs::File::create(path)?, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(colors.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let indices: Vec<u8> = picture
        .pixels()
        .map(|pixel| colors.binary_search(&pixel.0).map(|at| at as u8))
        .collect::<Result<_, _>>()
        .ok()
        .context("each colour is in the palette")?;
    encoder.write_header()?.write_image_data(&indices)?;
    Ok(())
}
