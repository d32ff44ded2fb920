//! Draws the frames of the notebook on the architecture, `assets/architecture/01.png` to `16.png`: the way of one digit through
//! the network, with the real values of a trained network. Every run draws the same frames.
//!
//! ```text
//! cargo run --release -p lab --example draw_architecture
//! ```

mod canvas;
mod colors;
mod decision;
mod features;
mod network;
mod overview;
mod palette;
mod parts;
mod steps;

use canvas::{Canvas, HEIGHT, WIDTH};
use lab::{anyhow::Context, device};
use palette::Palette;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use std::fs;
use std::path::Path;

fn main() -> lab::Result<()> {
    let journey = network::journey(&device::best())?;
    let frames: Vec<Vec<[u8; 3]>> = steps::draw(&journey).iter().map(Canvas::pixels).collect();
    // One palette for all, so that the player needs no more.
    let palette = Palette::of(frames.iter().flatten());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/architecture");
    fs::create_dir_all(&folder)?;
    for (index, frame) in frames.iter().enumerate() {
        let path = folder.join(format!("{:02}.png", index + 1));
        let file = png(frame, &palette)?;
        fs::write(&path, &file).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{:02}.png: {} bytes", index + 1, file.len());
    }
    Ok(())
}

fn png(frame: &[[u8; 3]], palette: &Palette) -> lab::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.colors.concat());
    encoder.set_compression(Compression::High);
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    let indices: Vec<u8> = frame.iter().map(|color| palette.index(color)).collect();
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(file)
}
