//! JSON read strictly: an object in which a member stands twice, at any depth, is refused, and the
//! text of every value is kept as it was written.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The members of one JSON object in their order, each with the text of its value.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// How many members are looked through one by one before they are put in a set.
const FEW: usize = 24;

/// The members of the object that `text` is, or `None` when it is no object, not JSON, or some
/// object in it has the same member twice. Names are compared decoded.
pub(super) fn members(text: &[u8]) -> Option<Members<'_>> {
    members_of(std::str::from_utf8(text).ok()?)
}

/// The same of a text.
pub(super) fn members_of(text: &str) -> Option<Members<'_>> {
    let members = object(text)?;
    let is_good =
        are_distinct(&members) && members.iter().all(|(_, value)| is_plain(value.get()) || serde_json::from_str::<NoMemberTwice>(value.get()).is_ok());
    is_good.then_some(members)
}

/// The members of the object that `text` is, without a look at what is inside them.
pub(super) fn object(text: &str) -> Option<Members<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = MembersSeed.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

fn are_distinct(members: &Members<'_>) -> bool {
    if members.len() <= FEW {
        return members.iter().enumerate().all(|(place, (name, _))| !members.iter().take(place).any(|(earlier, _)| earlier == name));
    }
    let mut names = HashSet::new();
    members.iter().all(|(name, _)| names.insert(name))
}

/// Whether a value whose grammar was checked has nothing inside that must be looked at: no escape, no
/// member, no number that may be out of range.
fn is_plain(value: &str) -> bool {
    match value.as_bytes() {
        [b'"', inside @ ..] => memchr::memchr(b'\\', inside).is_none(),
        [b'{' | b'[', ..] => false,
        short => short.len() <= 18 && !short.iter().any(|byte| matches!(byte, b'e' | b'E') && !matches!(short.first(), Some(b't' | b'f'))),
    }
}

/// The value of the member `name`.
pub(super) fn member<'m, 'a>(members: &'m Members<'a>, name: &str) -> Option<&'m &'a RawValue> {
    members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
}

/// The JSON text of a value as a string.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inside.as_bytes()) {
        None => Some(Cow::Borrowed(inside)),
        Some(_) => serde_json::from_str(value).ok().map(Cow::Owned),
    }
}

/// The JSON text of a value as an array of strings.
pub(super) fn texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    elements(value)?.into_iter().map(|element| text(element.get())).collect()
}

/// The JSON text of a value as an array.
pub(super) fn elements(value: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value).ok()
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
        let mut members = Members::with_capacity(16);
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
    fn many_members_are_compared_as_few_are() {
        let many = |last: usize| (0..40).chain([last]).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert!(members(format!("{{{}}}", many(40)).as_bytes()).is_some());
        assert!(members(format!("{{{}}}", many(3)).as_bytes()).is_none());
    }

    #[test]
    fn what_only_a_full_reading_finds_is_found_in_plain_values_too() {
        for value in ["1e999", "-1E999", "\"\\ud800\"", "\"\\udc00\\ud800\"", "[1e999]", "[\"\\ud800\"]", "01", "+1", ".5", "tru", "\"\n\""] {
            assert!(members(format!("{{\"a\":{value}}}").as_bytes()).is_none(), "{value}");
        }
        for value in ["1e9", "-0.5", "true", "false", "null", "123456789012345678901234567890", "\"\\ud83d\\ude00\"", "\"\\\"\""] {
            assert!(members(format!("{{\"a\":{value}}}").as_bytes()).is_some(), "{value}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert!(members(deep.as_bytes()).is_none());
    }

    #[test]
    fn values_keep_their_text() {
        let members = members(br#" { "n" : 1.50e3 , "x\u0079" : true } "#).unwrap();
        assert_eq!(member(&members, "n").unwrap().get(), "1.50e3");
        assert_eq!(member(&members, "xy").unwrap().get(), "true");
    }
}
