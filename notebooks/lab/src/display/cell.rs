//! A value as the text of one cell of a table: what it serializes to.

use serde::Serialize;
use serde::ser;
use std::fmt::{self, Debug, Display, Write};

/// Where a text is cut. A table shows less of it.
const LIMIT: usize = 200;

/// A value in a table.
#[derive(Debug, Default, PartialEq)]
pub struct Cell {
    /// The value, on one line. Numbers are as `Debug` writes them.
    pub text: String,
    /// Its type, if it could be told.
    pub kind: String,
    /// Whether it is a number.
    pub is_number: bool,
    /// Whether it is an [`Option`].
    pub is_optional: bool,
    /// How many values around it are being written.
    depth: usize,
}

/// The value as a single cell.
pub fn of_value<T: Serialize + ?Sized>(value: &T) -> Cell {
    let mut cell = Cell::default();
    let outcome = value.serialize(&mut cell);
    cell.unless_failed(outcome)
}

/// Why a value was not written to its end.
#[derive(Debug)]
pub enum Stop {
    /// It is not what is looked for, or enough of it has been seen.
    Enough,
    /// It cannot be serialized, for this reason.
    Failed(String),
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Enough => f.write_str("enough"),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: Display>(message: T) -> Self {
        Self::Failed(message.to_string())
    }
}

/// The type of texts, which may have been a `String`, a path or a date.
pub const TEXT: &str = "str";

impl Cell {
    fn unless_failed(self, outcome: Result<(), Stop>) -> Self {
        match outcome {
            Err(Stop::Failed(message)) => Self { text: message, ..Self::default() },
            _ => self,
        }
    }

    /// Writes a value, of this type if it is the cell's own.
    fn write(&mut self, kind: &str, is_number: bool, value: &dyn Debug) -> Result<(), Stop> {
        self.is(kind);
        self.is_number |= is_number && self.depth == 0;
        let _ = write!(self.text, "{value:?}");
        self.check()
    }

    /// Says which type the cell is of, unless this is about a part of its value.
    fn is(&mut self, kind: &str) {
        if self.depth == 0 {
            kind.clone_into(&mut self.kind);
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Stop> {
        self.text += text;
        self.check()
    }

    /// Ends a long text.
    fn check(&mut self) -> Result<(), Stop> {
        match self.text.char_indices().nth(LIMIT) {
            None => Ok(()),
            Some((end, _)) => {
                self.text.truncate(end);
                Err(Stop::Enough)
            }
        }
    }

    fn open(&mut self, kind: &str, name: &str, open: &str, close: &'static str) -> Result<Parts<'_>, Stop> {
        self.is(kind);
        self.push(name)?;
        self.push(open)?;
        self.depth += 1;
        Ok(Parts { cell: self, is_first: true, close })
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ident),*) => {$(
        fn $method(self, value: $number) -> Result<(), Stop> {
            self.write(stringify!($number), true, &value)
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Cell {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_bool(self, value: bool) -> Result<(), Stop> {
        self.write("bool", false, &value)
    }

    fn serialize_char(self, value: char) -> Result<(), Stop> {
        if self.depth > 0 {
            return self.write("char", false, &value);
        }
        self.is("char");
        self.push(value.encode_utf8(&mut [0; 4]))
    }

    /// Within other values texts have quotes, which tell them from names.
    fn serialize_str(self, value: &str) -> Result<(), Stop> {
        let end = value
            .char_indices()
            .nth(LIMIT)
            .map_or(value.len(), |(end, character)| end + character.len_utf8());
        if self.depth > 0 {
            return self.write(TEXT, false, &&value[..end]);
        }
        self.is(TEXT);
        self.push(&value[..end])
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Stop> {
        self.write("bytes", false, &&value[..value.len().min(LIMIT)])
    }

    fn serialize_none(self) -> Result<(), Stop> {
        self.is_optional |= self.depth == 0;
        self.push("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        self.is_optional |= self.depth == 0;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Stop> {
        self.write("()", false, &())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Stop> {
        self.is(name);
        self.push(name)
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<(), Stop> {
        self.is(name);
        self.push(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        let mut parts = self.open(name, variant, "(", ")")?;
        parts.part("", value)?;
        parts.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Stop> {
        self.open("list", "", "[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Stop> {
        self.open("tuple", "", "(", ")")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Stop> {
        self.open(name, "", "(", ")")
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Stop> {
        self.open(name, variant, "(", ")")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Stop> {
        self.open("map", "", "{", "}")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Stop> {
        self.open(name, "", "{", "}")
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Stop> {
        self.open(name, variant, " {", "}")
    }
}

/// A value that has parts, of which some are written.
pub struct Parts<'a> {
    cell: &'a mut Cell,
    is_first: bool,
    close: &'static str,
}

impl Parts<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Stop> {
        let separator = if std::mem::take(&mut self.is_first) { "" } else { ", " };
        self.cell.push(separator)?;
        if !name.is_empty() {
            self.cell.push(name)?;
            self.cell.push(": ")?;
        }
        value.serialize(&mut *self.cell)
    }

    fn close(self) -> Result<(), Stop> {
        self.cell.depth -= 1;
        self.cell.push(self.close)
    }
}

macro_rules! parts {
    (name) => { "" };
    (name $name:ident) => { $name };
    ($($of:ident: $method:ident($($name:ident)?);)*) => {$(
        impl ser::$of for Parts<'_> {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<(), Stop> {
                self.part(parts!(name $($name)?), value)
            }

            fn end(self) -> Result<(), Stop> {
                self.close()
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(key);
    SerializeStructVariant: serialize_field(key);
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        self.part("", key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.cell.push(": ")?;
        value.serialize(&mut *self.cell)
    }

    fn end(self) -> Result<(), Stop> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Shape {
        Point,
        Circle(f32),
        Line(i8, i8),
        Rectangle { width: u8, name: &'static str },
    }

    #[derive(Serialize)]
    struct Wrapped<T>(T);

    fn cell(text: &str, kind: &str, is_number: bool) -> Cell {
        Cell { text: text.into(), kind: kind.into(), is_number, ..Cell::default() }
    }

    #[test]
    fn values_are_written_as_in_rust_on_one_line_with_their_types() {
        assert_eq!(of_value(&1.5f32), cell("1.5", "f32", true));
        assert_eq!(of_value(&u128::MAX), cell("340282366920938463463374607431768211455", "u128", true));
        assert_eq!(of_value("a \"b\""), cell("a \"b\"", "str", false));
        assert_eq!(of_value(&'x'), cell("x", "char", false));
        assert_eq!(of_value(&true), cell("true", "bool", false));
        assert_eq!(of_value(&()), cell("()", "()", false));
        assert_eq!(of_value(&Shape::Point).text, "Point");
        assert_eq!(of_value(&Shape::Circle(0.5)).text, "Circle(0.5)");
        assert_eq!(of_value(&Shape::Line(1, -2)).text, "Line(1, -2)");
        assert_eq!(
            of_value(&Shape::Rectangle { width: 3, name: "a" }).text,
            "Rectangle {width: 3, name: \"a\"}"
        );
        assert_eq!(of_value(&(1, "a")).text, "(1, \"a\")");
        assert_eq!(of_value(&BTreeMap::from([("a", 1)])).text, "{\"a\": 1}");
        assert_eq!(of_value(&Wrapped([1.0, f64::NAN])).text, "(1.0, NaN)");
    }

    #[test]
    fn of_a_large_value_only_the_start_is_written() {
        struct Endless;
        impl Serialize for Endless {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ser::SerializeSeq;
                let mut seq = serializer.serialize_seq(None)?;
                loop {
                    seq.serialize_element(&7)?;
                }
            }
        }
        let text = of_value(&Endless).text;
        assert!(text.starts_with("[7, 7, 7") && text.chars().count() == LIMIT, "{text}");
        assert_eq!(of_value(&"é".repeat(1_000_000)).text, "é".repeat(LIMIT));
    }

    #[test]
    fn an_error_is_shown_in_the_place_of_the_value() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: ser::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(ser::Error::custom("out of range"))
            }
        }
        assert_eq!(of_value(&Broken).text, "out of range");
    }
}
