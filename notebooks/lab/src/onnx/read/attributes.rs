//! The attributes of operations.

use super::super::operation::{Sides, Window};
use super::super::proto::{AttributeProto, NodeProto};
use candle_core::{Result, bail};

/// The attributes of a node.
pub struct Attributes<'a> {
    pub node: &'a NodeProto,
    pub opset: i64,
}

impl Attributes<'_> {
    fn find(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).map_or(default, |attribute| attribute.i.unwrap_or_default())
    }

    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).map_or(default, |attribute| {
            // As it would be written: 1e-5 in `f32` is 9.99999974e-6 in `f64`.
            attribute.f.unwrap_or_default().to_string().parse().unwrap_or(default)
        })
    }

    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.find(name).map(|attribute| attribute.ints.clone())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        let bytes = self.find(name)?.s.as_ref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The number that is given for both rows and columns.
    pub fn square(&self, name: &str, default: usize) -> Result<usize> {
        match self.ints(name).as_deref() {
            None => Ok(default),
            Some(&[rows, columns]) if rows == columns && rows >= 0 => Ok(rows as usize),
            Some(other) => {
                bail!("{name} of {other:?} is not supported, which is not the same for rows and columns")
            }
        }
    }

    pub fn sides(&self) -> Result<Sides> {
        if let Some(auto) = self.text("auto_pad").filter(|auto| auto != "NOTSET" && auto != "VALID") {
            bail!("`auto_pad` {auto} is not supported");
        }
        match self.ints("pads").as_deref() {
            None => Ok(Sides::default()),
            Some(&[top, left, bottom, right]) if [top, left, bottom, right].iter().all(|&side| side >= 0) => {
                let [top, left, bottom, right] = [top, left, bottom, right].map(|side| side as usize);
                Ok(Sides { top, left, bottom, right })
            }
            Some(other) => bail!("pads of {other:?} are not supported"),
        }
    }

    pub fn window(&self) -> Result<Window> {
        let Some(padding) = self.sides()?.same() else {
            bail!("padding that is not the same on all sides is not supported");
        };
        if self.int("ceil_mode", 0) != 0 || self.square("dilations", 1)? != 1 {
            bail!("`ceil_mode` and dilations are not supported");
        }
        Ok(Window { size: self.square("kernel_shape", 1)?, stride: self.square("strides", 1)?, padding })
    }
}
