//! Forms as clients write them by hand: blanks and `@` as they are, some values escaped and some not.
//!
//! A value has two readings where a `+` stands in it: as forms are encoded, where it is a blank, and
//! as it stands. Logins, passwords and secrets are tried in both; anything else is read in the first.
//! A `%` that begins no escape stands for itself.

use super::refusal::OAuthRefusal;
use percent_encoding::percent_decode_str;

/// No form is longer: the longest thing in one is a token.
pub(super) const LONGEST_FORM: usize = 64 << 10;
/// No form has more values.
const MOST_VALUES: usize = 100;

/// The values of a form, by name; each has been given once, and none is empty.
#[derive(Default)]
pub(super) struct Form {
    values: Vec<(String, Value)>,
}

struct Value {
    /// As forms are encoded.
    decoded: String,
    /// With every `+` as it stands, where that makes a difference.
    literal: Option<String>,
}

impl Form {
    /// Reads a form. A value that is empty is as good as not there (RFC 6749 §3.2).
    ///
    /// # Errors
    /// When a value is given twice, is not UTF-8, or there are too many.
    pub(super) fn parse(body: &[u8]) -> Result<Self, OAuthRefusal> {
        let text = std::str::from_utf8(body).map_err(|_| OAuthRefusal::request("the form is not UTF-8"))?;
        let mut form = Self::default();
        // A line break at the end comes from a file or a terminal.
        let pairs = text.trim_end_matches(['\r', '\n']).split('&').filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            if index == MOST_VALUES {
                return Err(OAuthRefusal::request("the form has too many values"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(&name.replace('+', " "))?, Value::parse(value)?);
            if form.values.iter().any(|(known, _)| *known == name) {
                return Err(OAuthRefusal::request("a value is given more than once"));
            }
            form.values.push((name, value));
        }
        form.values.retain(|(_, value)| !value.decoded.is_empty());
        Ok(form)
    }

    /// A value, decoded.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| value.decoded.as_str())
    }

    /// A value in every way that it may be read, the usual one first; empty when it is not there.
    pub(super) fn readings(&self, name: &str) -> Vec<String> {
        self.value(name).map(|value| std::iter::once(&value.decoded).chain(&value.literal).cloned().collect()).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Value {
    fn parse(text: &str) -> Result<Self, OAuthRefusal> {
        let literal = text.contains('+').then(|| decode(text)).transpose()?;
        Ok(Self { decoded: decode(&text.replace('+', " "))?, literal })
    }
}

/// A text in every way that it may be read: as it stands, and as forms are encoded.
pub(super) fn readings_of_raw(text: &str) -> Vec<String> {
    let decoded = decode(&text.replace('+', " ")).ok().filter(|decoded| decoded != text);
    std::iter::once(text.to_owned()).chain(decoded).collect()
}

fn decode(text: &str) -> Result<String, OAuthRefusal> {
    percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| OAuthRefusal::request("a value is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    fn form(body: &str) -> Form {
        Form::parse(body.as_bytes()).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"))
    }

    #[test]
    fn the_forms_that_clients_build_by_hand_are_read() {
        let form = form(
            "grant_type=password&username=svc@acme.com&password=p%20w%2Fd%2B%26%3D%C3%A9&scope=openid client groups offline_access&client_id=cid&client_secret=s%2Fe%2Bc%26r%3Dt",
        );
        assert_eq!(form.text("username"), Some("svc@acme.com"));
        assert_eq!(form.readings("password"), ["p w/d+&=é"]);
        assert_eq!(form.text("scope"), Some("openid client groups offline_access"));
        assert_eq!(form.readings("client_secret"), ["s/e+c&r=t"]);
    }

    #[test]
    fn a_plus_has_two_readings() {
        let form = form("username=svc+1@acme.com&scope=openid+groups");
        assert_eq!(form.readings("username"), ["svc 1@acme.com", "svc+1@acme.com"]);
        assert_eq!(form.text("scope"), Some("openid groups"));
    }

    #[test]
    fn a_percent_sign_that_begins_no_escape_stands_for_itself() {
        assert_eq!(form("password=100%&username=a%zz@b").readings("password"), ["100%"]);
        assert_eq!(form("username=a%zz@b").text("username"), Some("a%zz@b"));
    }

    #[test]
    fn an_equals_sign_in_a_value_belongs_to_it_and_an_empty_value_is_not_there() {
        let form = form("password=a=b==&otp=&scope\n");
        assert_eq!(form.text("password"), Some("a=b=="));
        assert_eq!(form.text("otp"), None);
        assert_eq!(form.text("scope"), None);
        assert!(form.readings("username").is_empty());
    }

    #[test]
    fn what_is_given_twice_is_refused_under_any_spelling() {
        for body in ["a=1&a=2", "a=1&%61=2", "a=&a=1", "a=%ff", "%ff=a"] {
            assert!(Form::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Form::parse(b"a=\xff").is_err());
        assert!(Form::parse(b"a=").is_ok());
        let many: Vec<String> = (0..=MOST_VALUES).map(|number| format!("v{number}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn what_a_client_escapes_comes_back_as_it_was(name in "[a-z_]{1,12}", value in ".{1,40}") {
            let escaped = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
            let form = form(&format!("x=1&{name}-={escaped}&y=2"));
            prop_assert_eq!(form.readings(&format!("{name}-")), [value]);
        }

        #[test]
        fn what_a_client_leaves_as_it_is_is_among_the_readings(value in "[ -$'-~&&[^%]]{1,40}") {
            let form = form(&format!("username={value}&y=2"));
            prop_assert!(form.readings("username").contains(&value), "{:?}", form.readings("username"));
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_a_refusal(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::parse(&body);
        }
    }
}
