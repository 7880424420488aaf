//! What an admission changes of a head, as Envoy's edits: of a request as the admission says it, of an
//! answer by comparing the head before with the head after. Envoy's own headers stay Envoy's.

use crate::authorize::RequestEdits;
use crate::envoy::head::OF_ENVOY;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue as Shown, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::HeaderMutation;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Edits of a head.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) set: Vec<HeaderValueOption>,
    pub(super) removed: Vec<String>,
}

impl Edits {
    /// Of a request, as an admission wants them, but for the headers that are not `wanted`.
    pub(super) fn of_request(admitted: &RequestEdits, wanted: impl Fn(&HeaderName) -> bool) -> Self {
        let is_ours = |name: &HeaderName| !OF_ENVOY.contains(name) && wanted(name);
        let removed = admitted.removed.iter().filter(|name| is_ours(name)).map(|name| name.as_str().to_owned()).collect();
        let mut edits = Self { set: Vec::with_capacity(admitted.set.len()), removed };
        for of_one in admitted.set.chunk_by(|(one, _), (other, _)| one == other) {
            if let Some((name, _)) = of_one.first().filter(|(name, _)| is_ours(name)) {
                edits.replace(name, of_one.iter().map(|(_, value)| value));
            }
        }
        edits
    }

    /// Of an answer: what makes `after` of `before`.
    pub(super) fn between(before: &HeaderMap, after: &HeaderMap) -> Self {
        let mut edits = Self::default();
        let is_ours = |name: &&HeaderName| !OF_ENVOY.contains(name);
        for name in before.keys().filter(is_ours) {
            if !after.contains_key(name) {
                edits.removed.push(name.as_str().to_owned());
            }
        }
        for name in after.keys().filter(is_ours) {
            if !before.get_all(name).iter().eq(after.get_all(name).iter()) {
                edits.replace(name, after.get_all(name).iter());
            }
        }
        edits
    }

    /// All values of a header, instead of those it had.
    fn replace<'a>(&mut self, name: &HeaderName, all: impl Iterator<Item = &'a HeaderValue>) {
        let append = |place| if place == 0 { HeaderAppendAction::OverwriteIfExistsOrAdd } else { HeaderAppendAction::AppendIfExistsOrAdd };
        self.set.extend(all.enumerate().map(|(place, value)| option(name, value, append(place))));
    }

    /// As ext_proc takes them.
    pub(super) fn into_mutation(self) -> HeaderMutation {
        HeaderMutation { set_headers: self.set, remove_headers: self.removed }
    }
}

/// One header to be set.
pub(super) fn option(name: &HeaderName, value: &HeaderValue, action: HeaderAppendAction) -> HeaderValueOption {
    let header = Shown { key: name.as_str().to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() };
    HeaderValueOption { header: Some(header), append_action: action.into(), ..HeaderValueOption::default() }
}

/// All of these, each instead of what was there.
pub(super) fn overwriting(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    headers.iter().map(|(name, value)| option(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
    }

    fn set(edits: &Edits) -> Vec<(String, Vec<u8>, i32)> {
        let of = |option: &HeaderValueOption| {
            let header = option.header.clone().unwrap();
            (header.key, header.raw_value, option.append_action)
        };
        edits.set.iter().map(of).collect()
    }

    #[test]
    fn only_what_changed_is_said() {
        let before = map(&[("a", "1"), ("b", "2"), ("c", "3"), ("te", "trailers")]);
        let after = map(&[("a", "1"), ("b", "4"), ("d", "5"), ("d", "6")]);
        let edits = Edits::between(&before, &after);
        assert_eq!(edits.removed, ["c"]);
        let (first, more) = (HeaderAppendAction::OverwriteIfExistsOrAdd as i32, HeaderAppendAction::AppendIfExistsOrAdd as i32);
        let wanted = [("b", "4", first), ("d", "5", first), ("d", "6", more)];
        assert_eq!(set(&edits), wanted.map(|(name, value, action)| (name.to_owned(), value.as_bytes().to_vec(), action)));
    }
}
