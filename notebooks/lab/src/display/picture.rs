//! Pictures of the crate `image`, as PNG.

use super::Display;
use crate::table::thousands;
use image::imageops::thumbnail;
use image::{DynamicImage, GenericImageView, ImageFormat};
use std::io::Cursor;

/// The most pixels that are shown in a row or a column.
const PIXELS: u32 = 1024;

/// Pictures that can be shown.
pub trait Picture {
    /// The picture in this size, in a format that PNG has; of its own pixels if this is its own size.
    fn scaled(&self, width: u32, height: u32) -> DynamicImage;
    /// The type of its pixels.
    fn pixels(&self) -> String;
    /// Its width and height.
    fn size(&self) -> (u32, u32);
}

/// Shows a picture, a large one in a smaller size.
pub fn display(picture: &dyn Picture) -> Display {
    let (width, height) = picture.size();
    let mut text = format!("image, {} x {} pixels, {}", size(width), size(height), picture.pixels());
    let largest = width.max(height);
    let scaled = |length: u32| match largest > PIXELS {
        true => ((u64::from(length) * u64::from(PIXELS) / u64::from(largest)) as u32).max(1),
        false => length,
    };
    let mut png = Cursor::new(Vec::new());
    // PNG knows no empty pictures.
    if width == 0 || height == 0 || write(picture, scaled(width), scaled(height), &mut png).is_err() {
        return Display::text(&text);
    }
    if largest > PIXELS {
        text += &format!("; shown with {} x {}", size(scaled(width)), size(scaled(height)));
    }
    Display::png(png.get_ref()).alt(&text)
}

fn write(
    picture: &dyn Picture,
    width: u32,
    height: u32,
    png: &mut Cursor<Vec<u8>>,
) -> image::ImageResult<()> {
    picture.scaled(width, height).write_to(png, ImageFormat::Png)
}

fn size(length: u32) -> String {
    thousands(length as usize)
}

impl Picture for DynamicImage {
    fn scaled(&self, width: u32, height: u32) -> DynamicImage {
        let scaled = if self.dimensions() == (width, height) {
            None
        } else {
            Some(self.thumbnail_exact(width, height))
        };
        match scaled.as_ref().unwrap_or(self) {
            picture @ (DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)) => {
                picture.to_rgba8().into()
            }
            picture => picture.clone(),
        }
    }

    fn pixels(&self) -> String {
        format!("{:?}", self.color())
    }

    fn size(&self) -> (u32, u32) {
        self.dimensions()
    }
}

macro_rules! buffers {
    ($($pixel:ident<$part:ident>),*) => {$(
        impl<C: std::ops::Deref<Target = [$part]>> Picture for image::ImageBuffer<image::$pixel<$part>, C> {
            fn scaled(&self, width: u32, height: u32) -> DynamicImage {
                if self.dimensions() == (width, height) {
                    let copy = image::ImageBuffer::<image::$pixel<$part>, _>::from_raw(width, height, self.to_vec());
                    return copy.map(Into::into).unwrap_or_default();
                }
                thumbnail(self, width, height).into()
            }

            fn pixels(&self) -> String {
                stringify!($pixel<$part>).replace(' ', "")
            }

            fn size(&self) -> (u32, u32) {
                self.dimensions()
            }
        }
    )*};
}

buffers!(Rgb<u8>, Rgba<u8>, Luma<u8>, LumaA<u8>, Rgb<u16>, Rgba<u16>, Luma<u16>, LumaA<u16>);

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use image::{GrayImage, Luma, Rgb, Rgb32FImage, RgbImage};

    fn shown(picture: &dyn Picture) -> (String, DynamicImage) {
        let display = display(picture);
        let png = STANDARD.decode(display.content("image/png").unwrap()).unwrap();
        let text = display.content("text/plain").unwrap().to_owned();
        (text, image::load_from_memory(&png).unwrap())
    }

    #[test]
    fn pictures_are_png_with_their_own_pixels() {
        let grey = GrayImage::from_fn(3, 2, |x, y| Luma([(10 * x + y) as u8]));
        let (text, png) = shown(&grey);
        assert_eq!(
            (text.as_str(), &png),
            ("image, 3 x 2 pixels, Luma<u8>", &DynamicImage::from(grey.clone()))
        );
        let (text, png) = shown(&DynamicImage::from(grey.clone()));
        assert_eq!((text.as_str(), png), ("image, 3 x 2 pixels, L8", DynamicImage::from(grey)));
        let deep = image::ImageBuffer::from_pixel(1, 1, Luma([1234u16]));
        assert_eq!(shown(&deep).1.as_luma16(), Some(&deep));
        let (text, png) = shown(&DynamicImage::from(Rgb32FImage::from_pixel(1, 1, Rgb([1.0, 0.0, 0.0]))));
        assert_eq!(
            (text.as_str(), png.to_rgb8().into_raw()),
            ("image, 1 x 1 pixels, Rgb32F", vec![255, 0, 0])
        );
    }

    #[test]
    fn large_pictures_are_shown_in_a_smaller_size() {
        let (text, png) = shown(&RgbImage::from_pixel(4096, 2, Rgb([1, 2, 3])));
        assert_eq!(text, "image, 4,096 x 2 pixels, Rgb<u8>; shown with 1,024 x 1");
        assert_eq!((png.dimensions(), png.to_rgb8().get_pixel(0, 0)), ((1024, 1), &Rgb([1, 2, 3])));
        let (text, png) = shown(&DynamicImage::from(GrayImage::new(1, 2048)));
        assert_eq!(
            (text.as_str(), png.dimensions()),
            ("image, 1 x 2,048 pixels, L8; shown with 1 x 1,024", (1, 1024))
        );
    }

    #[test]
    fn empty_pictures_are_a_text() {
        let display = display(&GrayImage::new(0, 5));
        assert_eq!(display.content("text/plain"), Some("image, 0 x 5 pixels, Luma<u8>"));
        assert_eq!(display.content("image/png"), None);
    }
}
