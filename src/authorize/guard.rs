//! The query guard: which properties a filter or sort expression mentions, so that hidden values
//! cannot be probed (semantics §9, threats §5).

/// The property keys that `expression` refers to, or `None` when it mentions properties in a way
/// that was not understood. A reference counts wherever it stands, inside a literal too: upstreams
/// do not agree on how literals end.
pub(super) fn property_keys(expression: &str) -> Option<Vec<&str>> {
    let mut keys = Vec::new();
    let mut left = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some((before, behind)) = rest.split_once('[') {
        let reference = strip_reference_name(before).zip(behind.split_once(']')).filter(|(_, (key, _))| is_key(key));
        if let Some((kept, (key, after))) = reference {
            // An upstream that ends a key or a literal elsewhere would find another reference in it.
            if key.contains(['[', '\'']) {
                return None;
            }
            left.push_str(kept);
            left.push(' ');
            keys.push(key);
            rest = after;
        } else {
            left.push_str(before);
            left.push('[');
            rest = behind;
        }
    }
    left.push_str(rest);
    (!mentions_properties(&without_literals(&left))).then_some(keys)
}

/// The text without its `'…'` literals, in which `''` stands for one quote. A quote that opens
/// nothing stays, and so does what follows it.
fn without_literals(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\'') {
        left.push_str(before);
        left.push(' ');
        match behind_literal(behind) {
            Some(after) => rest = after,
            None => {
                left.push_str(behind);
                return left;
            }
        }
    }
    left.push_str(rest);
    left
}

/// What stands behind the closing quote of a literal whose opening quote was taken.
fn behind_literal(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (_, behind) = rest.split_once('\'')?;
        match behind.strip_prefix('\'') {
            Some(more) => rest = more,
            None => return Some(behind),
        }
    }
}

/// What stands before `properties` and its blanks, if that is what `before` ends with.
fn strip_reference_name(before: &str) -> Option<&str> {
    let trimmed = before.trim_end();
    let start = trimmed.len().checked_sub("properties".len())?;
    let (kept, name) = trimmed.split_at_checked(start)?;
    let stands_alone = !kept.ends_with(|character: char| character.is_alphanumeric() || character == '_');
    (name.eq_ignore_ascii_case("properties") && stands_alone).then_some(kept)
}

/// A key of the form `domain/scope/code`.
fn is_key(key: &str) -> bool {
    let mut parts = key.splitn(3, '/');
    parts.by_ref().take(3).filter(|part| !part.is_empty()).count() == 3
}

/// Whether what is left of an expression still speaks of properties: the word itself, or a text of
/// the form word/word/word.
fn mentions_properties(left: &str) -> bool {
    if left.to_ascii_lowercase().contains("propert") {
        return true;
    }
    let is_part = |character: char| character == '/' || !(character.is_whitespace() || character.is_ascii_punctuation() && !"-_.".contains(character));
    left.split(|character| !is_part(character)).any(|run| {
        let mut words = 0;
        run.split('/').any(|word| {
            words = if word.is_empty() { 0 } else { words + 1 };
            words >= 3
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let keys = property_keys("properties[P/risk/a] eq 'x''y' and not (PROPERTIES [P/cost/b] gt 5) or n eq 'properties[P/pay/c]'").unwrap();
        assert_eq!(keys, ["P/risk/a", "P/cost/b", "P/pay/c"]);
    }

    #[test]
    fn expressions_without_properties_are_plain() {
        for plain in ["", "displayName eq 'properties[a/b]'", "id.scope in ['a', 'b']", "a/b eq 1", "-displayName", "type eq 'a/b/c'"] {
            assert_eq!(property_keys(plain), Some(Vec::new()), "{plain}");
        }
    }

    mod on_any_expression {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn a_reference_is_never_overlooked(before in "([a-z'\\[\\] /]|properties\\[P/ok/){0,12}", after in "[a-z'\\[\\] /]{0,12}") {
                let expression = format!("{before} properties[P/pay/bonus]{after}");
                if let Some(keys) = property_keys(&expression) {
                    prop_assert!(keys.contains(&"P/pay/bonus"), "{expression}: {keys:?}");
                }
            }
        }
    }

    #[test]
    fn no_reference_hides_another() {
        for hiding in
            ["properties[P/ok/a properties[P/pay/bonus] eq 1", "properties[P/ok/a' eq properties[P/pay/bonus] eq 'b]", "properties[P/ok/a' eq 1 or 'b]"]
        {
            assert_eq!(property_keys(hiding), None, "{hiding}");
        }
    }

    #[test]
    fn mentions_that_are_not_understood_are_none() {
        for odd in [
            "properties[P/risk eq 1",
            "properties[P/risk] eq 1",
            "properties.P eq 1",
            "Property eq 1",
            "P/risk/a eq 1",
            "x eq 'a/b/c",
            "xproperties[P/a/b] eq 1",
            "properties[P//b] eq 1",
            "properties%5bP/a/b eq 1",
            "values.properties",
        ] {
            assert_eq!(property_keys(odd), None, "{odd}");
        }
    }
}
