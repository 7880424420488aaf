//! JSON read strictly: an object in which a member stands twice, at any depth, is refused, and the
//! text of every value is kept as it was written.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The members of one JSON object in their order, each with the text of its value.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The members of the object that `text` is, or `None` when it is no object, not JSON, or some
/// object in it has the same member twice. Names are compared decoded.
pub(super) fn members(text: &[u8]) -> Option<Members<'_>> {
    let text = std::str::from_utf8(text).ok()?;
    serde_json::from_str::<NoMemberTwice>(text).ok()?;
    object(text)
}

/// The members of the object that `text` is, without a look at what is inside them.
pub(super) fn object(text: &str) -> Option<Members<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = MembersSeed.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

/// The value of the member `name`.
pub(super) fn member<'m, 'a>(members: &'m Members<'a>, name: &str) -> Option<&'m &'a RawValue> {
    members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
}

/// The value as a string.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The value as an array of strings.
pub(super) fn texts(value: &RawValue) -> Option<Vec<String>> {
    serde_json::from_str(value.get()).ok()
}

struct MembersSeed;

impl<'de> DeserializeSeed<'de> for MembersSeed {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersSeed {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            members.push((name.0, map.next_value()?));
        }
        Ok(members)
    }
}

/// A member name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

/// Any JSON value without an object in it that has a member twice.
struct NoMemberTwice;

impl<'de> serde::Deserialize<'de> for NoMemberTwice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoMemberTwiceVisitor)
    }
}

struct NoMemberTwiceVisitor;

impl<'de> Visitor<'de> for NoMemberTwiceVisitor {
    type Value = NoMemberTwice;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(NoMemberTwice)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<NoMemberTwice>()?.is_some() {}
        Ok(NoMemberTwice)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = HashSet::new();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            map.next_value::<NoMemberTwice>()?;
        }
        Ok(NoMemberTwice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth_and_under_any_spelling() {
        assert!(members(br#"{"a":1,"a":2}"#).is_none());
        assert!(members(br#"{"a":{"b":[{"c":1,"c":1}]}}"#).is_none());
        assert!(members(br#"{"a":1,"\u0061":2}"#).is_none());
        assert!(members(br#"{"a":1,"b":{"a":2}}"#).is_some());
    }

    #[test]
    fn only_a_whole_object_is_read() {
        for text in ["", "[]", "1", "{} {}", "{\"a\":1,}", "{\"a\":\"\\ud800\"}", "\u{feff}{}"] {
            assert!(members(text.as_bytes()).is_none(), "{text}");
        }
        assert!(members(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn values_keep_their_text() {
        let members = members(br#" { "n" : 1.50e3 , "x\u0079" : true } "#).unwrap();
        assert_eq!(member(&members, "n").unwrap().get(), "1.50e3");
        assert_eq!(member(&members, "xy").unwrap().get(), "true");
    }
}
