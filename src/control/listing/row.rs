//! A row of a list, of which no more is made than is asked for.

use serde::ser::{Error as _, Impossible, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Error, Map, Value, value};

/// What may be in a list. It is looked at only where the page can depend on it, and made only for the page.
pub(in super::super) trait Row {
    /// Whether the caller may see it.
    fn is_shown(&self) -> bool {
        true
    }

    /// What is answered of it, where only these members matter; more of them does no harm.
    fn members(&self, asked: &Asked) -> Value;

    /// What is answered of it.
    fn made(self) -> Value;
}

impl<F: Fn() -> Value> Row for F {
    fn members(&self, _: &Asked) -> Value {
        self()
    }

    fn made(self) -> Value {
        self()
    }
}

/// The members of a row that a filter and an order name.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Asked(Vec<Box<str>>);

impl Asked {
    /// These, whatever their case.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<str>> = names.map(|name| name.to_ascii_lowercase().into()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// These members of a structure; of what is no structure, everything.
    pub(in super::super) fn of_row<T: Serialize>(&self, row: &T) -> Value {
        row.serialize(Reader(self)).or_else(|_| serde_json::to_value(row)).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|asked| asked.eq_ignore_ascii_case(name))
    }
}

struct Reader<'a>(&'a Asked);

/// The members that were asked for, as far as they were read.
struct Members<'a> {
    asked: &'a Asked,
    found: Map<String, Value>,
}

impl SerializeStruct for Members<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if self.asked.has(name) {
            self.found.insert(name.to_owned(), value.serialize(value::Serializer)?);
        }
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Object(self.found))
    }
}

/// Everything but a structure is refused, and then read whole.
macro_rules! refused {
    ($($method:ident($($kind:ty),*);)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<Value, Error> {
            Err(no_structure())
        })*
    };
}

impl<'a> Serializer for Reader<'a> {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Impossible<Value, Error>;
    type SerializeTuple = Impossible<Value, Error>;
    type SerializeTupleStruct = Impossible<Value, Error>;
    type SerializeTupleVariant = Impossible<Value, Error>;
    type SerializeMap = Impossible<Value, Error>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Impossible<Value, Error>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        Ok(Members { asked: self.0, found: Map::new() })
    }

    refused! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64); serialize_f32(f32); serialize_f64(f64);
        serialize_char(char); serialize_str(&str); serialize_bytes(&[u8]); serialize_none(); serialize_unit();
        serialize_unit_struct(&'static str); serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Value, Error> {
        Err(no_structure())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<Value, Error> {
        Err(no_structure())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Result<Value, Error> {
        Err(no_structure())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_structure())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_structure())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_structure())
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_structure())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(no_structure())
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_structure())
    }
}

fn no_structure() -> Error {
    Error::custom("a row that is no structure is read whole")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Thing {
        id: Vec<u8>,
        display_name: &'static str,
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        dates: Option<u8>,
    }

    #[test]
    fn only_what_is_asked_for_is_read_of_a_structure() {
        let thing = Thing { id: vec![1], display_name: "a", dates: None };
        let members = |names: &[&str]| Asked::of(names.iter().copied()).of_row(&thing);
        assert_eq!(members(&[]), json!({}));
        assert_eq!(members(&["DISPLAYNAME", "for", "other"]), json!({"displayName": "a"}));
        assert_eq!(members(&["id", "id"]), json!({"id": [1]}));
    }

    #[test]
    fn what_is_no_structure_is_read_whole() {
        for value in [json!({"a": 1, "b": 2}), json!([1]), json!("a"), Value::Null] {
            assert_eq!(Asked::default().of_row(&value), value);
        }
    }
}
