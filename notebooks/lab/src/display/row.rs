//! What a value serializes to, as the named cells of a table's row.

use super::cell::{Cell, Stop, TEXT, of_value};
use serde::Serialize;
use serde::ser::{self, Impossible};

/// The named cells of a row.
pub type Row = Vec<(String, Cell)>;

/// The cells of a struct, or of a map with texts as keys. `None` for all other values.
pub fn of_struct<T: Serialize + ?Sized>(value: &T) -> Option<Row> {
    unless_empty(value.serialize(Fields { of_tuples: false }))
}

/// The cells of a struct, a map or a tuple, whose parts are named by their numbers, or else the value as the only cell.
pub fn of_any<T: Serialize + ?Sized>(value: &T) -> Row {
    unless_empty(value.serialize(Fields { of_tuples: true })).unwrap_or_else(|| single(of_value(value)))
}

fn single(cell: Cell) -> Row {
    vec![("value".to_owned(), cell)]
}

/// What does not depend on the type of a value is not generic, because cells would have to compile it.
fn unless_empty(row: Result<Row, Stop>) -> Option<Row> {
    row.ok().filter(|row| !row.is_empty())
}

/// Reads the fields of a struct, or of a map.
struct Fields {
    /// Whether to read the parts of tuples, too.
    of_tuples: bool,
}

impl Fields {
    fn tuple(self) -> Result<Named, Stop> {
        if self.of_tuples { Ok(Named::default()) } else { Err(Stop::Enough) }
    }
}

macro_rules! other {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, Stop> {
            Err(Stop::Enough)
        }
    )*};
}

type No = Impossible<Row, Stop>;

impl ser::Serializer for Fields {
    type Ok = Row;
    type Error = Stop;
    type SerializeSeq = No;
    type SerializeTuple = Named;
    type SerializeTupleStruct = Named;
    type SerializeTupleVariant = No;
    type SerializeMap = Named;
    type SerializeStruct = Named;
    type SerializeStructVariant = No;

    other! {
        serialize_bool(bool) -> Row;
        serialize_i8(i8) -> Row;
        serialize_i16(i16) -> Row;
        serialize_i32(i32) -> Row;
        serialize_i64(i64) -> Row;
        serialize_i128(i128) -> Row;
        serialize_u8(u8) -> Row;
        serialize_u16(u16) -> Row;
        serialize_u32(u32) -> Row;
        serialize_u64(u64) -> Row;
        serialize_u128(u128) -> Row;
        serialize_f32(f32) -> Row;
        serialize_f64(f64) -> Row;
        serialize_char(char) -> Row;
        serialize_str(&str) -> Row;
        serialize_bytes(&[u8]) -> Row;
        serialize_none() -> Row;
        serialize_unit() -> Row;
        serialize_unit_struct(&'static str) -> Row;
        serialize_unit_variant(&'static str, u32, &'static str) -> Row;
        serialize_seq(Option<usize>) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Row, Stop> {
        Err(Stop::Enough)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Row, Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Row, Stop> {
        Err(Stop::Enough)
    }

    fn serialize_tuple(self, _: usize) -> Result<Named, Stop> {
        self.tuple()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Named, Stop> {
        self.tuple()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Named, Stop> {
        Ok(Named::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Named, Stop> {
        Ok(Named::default())
    }
}

/// The cells that have been read, and the key of the next one.
#[derive(Default)]
struct Named {
    row: Row,
    key: String,
}

/// The parts of tuples are named by their numbers.
macro_rules! tuples {
    ($($of:ident: $method:ident;)*) => {$(
        impl ser::$of for Named {
            type Ok = Row;
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
                self.row.push((self.row.len().to_string(), of_value(value)));
                Ok(())
            }

            fn end(self) -> Result<Row, Stop> {
                Ok(self.row)
            }
        }
    )*};
}

tuples! {
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
}

impl ser::SerializeStruct for Named {
    type Ok = Row;
    type Error = Stop;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Stop> {
        self.row.push((key.to_owned(), of_value(value)));
        Ok(())
    }

    fn end(self) -> Result<Row, Stop> {
        Ok(self.row)
    }
}

impl ser::SerializeMap for Named {
    type Ok = Row;
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        let cell = of_value(key);
        self.key = cell.text;
        if cell.kind == TEXT { Ok(()) } else { Err(Stop::Enough) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.row.push((std::mem::take(&mut self.key), of_value(value)));
        Ok(())
    }

    fn end(self) -> Result<Row, Stop> {
        Ok(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Shape {
        Circle(f32),
        Rectangle { width: u8, name: &'static str },
    }

    #[derive(Serialize)]
    struct Wrapped<T>(T);

    #[derive(Serialize)]
    struct Nested {
        shape: Shape,
        many: Vec<u64>,
        missing: Option<i32>,
        present: Option<&'static str>,
    }

    #[derive(Serialize)]
    struct Empty {}

    fn nested() -> Nested {
        Nested { shape: Shape::Circle(0.5), many: vec![1, 2], missing: None, present: Some("a") }
    }

    #[test]
    fn structs_and_maps_with_texts_as_keys_are_rows() {
        let row = of_struct(&nested()).unwrap();
        let shown: Vec<(&str, &str, &str, bool)> = row
            .iter()
            .map(|(name, cell)| (name.as_str(), cell.text.as_str(), cell.kind.as_str(), cell.is_optional))
            .collect();
        let expected = [
            ("shape", "Circle(0.5)", "Shape", false),
            ("many", "[1, 2]", "list", false),
            ("missing", "None", "", true),
            ("present", "a", "str", true),
        ];
        assert_eq!(shown, expected);
        assert_eq!(of_struct(&Wrapped(nested())).unwrap().len(), 4);
        assert_eq!(of_struct(&json!({ "a": 1 })).unwrap()[0].0, "a");
    }

    #[test]
    fn nothing_else_is_a_row() {
        assert_eq!(of_struct(&1), None);
        assert_eq!(of_struct("text"), None);
        assert_eq!(of_struct(&(1, 2)), None);
        assert_eq!(of_struct(&Some(nested())), None);
        assert_eq!(of_struct(&Shape::Rectangle { width: 3, name: "a" }), None);
        assert_eq!(of_struct(&BTreeMap::from([(1, 2)])), None);
        assert_eq!(of_struct(&Empty {}), None);
    }

    #[test]
    fn a_value_that_cannot_be_serialized_is_no_row() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: ser::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(ser::Error::custom("out of range"))
            }
        }
        assert_eq!(of_struct(&Broken), None);
    }
}
