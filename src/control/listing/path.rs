//! Places in a row, as a caller names them: `id.scope`.

use serde_json::Value;

/// A field by its names in the answer, joined by dots; names compare without ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    names: Box<[Box<str>]>,
}

impl Path {
    /// Reads a path; none unless every name is made of letters, digits, `_`, `-` and `$`, and begins without `-`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('-') && name.chars().all(|letter| letter.is_alphanumeric() || "_-$".contains(letter));
        text.split('.').map(|name| is_name(name).then(|| name.into())).collect::<Option<_>>().map(|names| Self { names })
    }

    /// The name of the row's own member that it begins with.
    pub(super) fn first(&self) -> &str {
        self.names.first().map_or("", |name| name)
    }

    /// The first value at the path that passes the test.
    ///
    /// An array stands for each of its elements, wherever on the way it is met. A null is no value.
    pub(super) fn find<'v>(&self, row: &'v Value, test: impl Fn(&Value) -> bool) -> Option<&'v Value> {
        find(&self.names, row, &test)
    }
}

/// INVARIANT: goes one level down into `value` with each call, so it is never deeper than the row.
fn find<'v>(names: &[Box<str>], value: &'v Value, test: &dyn Fn(&Value) -> bool) -> Option<&'v Value> {
    match (value, names.split_first()) {
        (Value::Null, _) => None,
        (Value::Array(elements), _) => elements.iter().find_map(|element| find(names, element, test)),
        (value, None) => test(value).then_some(value),
        (Value::Object(members), Some((name, rest))) => {
            let named = members.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.into_iter().find_map(|(_, value)| find(rest, value, test))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(path: &str, row: &Value) -> Vec<String> {
        let seen = std::cell::RefCell::new(Vec::new());
        Path::parse(path).unwrap().find(row, |value| {
            seen.borrow_mut().push(value.to_string());
            false
        });
        seen.into_inner()
    }

    #[test]
    fn names_have_no_case_and_arrays_stand_for_their_elements() {
        let row = json!({ "Id": { "scope": "a" }, "roles": [{ "code": 1 }, null, [{ "CODE": [2, null, [3]] }], { "other": 4 }], "none": null });
        assert_eq!(all("ID.Scope", &row), ["\"a\""]);
        assert_eq!(all("roles.code", &row), ["1", "2", "3"]);
        assert_eq!(all("id", &row), ["{\"scope\":\"a\"}"]);
        for nothing in ["none", "none.x", "missing", "id.scope.x", "roles.0"] {
            assert!(all(nothing, &row).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in ["", ".", "a.", ".a", "a..b", "-a", "a.-b", "a b", "a/b", "a[b]", "a+b", "a:b"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
        for text in ["a", "a.b.c", "$id", "a-b_c", "größe", "0"] {
            assert!(Path::parse(text).is_some(), "{text}");
        }
    }
}
