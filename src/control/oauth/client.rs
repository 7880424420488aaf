//! Which application asks: by the form, or by HTTP Basic.

use super::applications;
use super::form::{Form, readings_of_raw};
use super::refusal::OAuthRefusal;
use super::vault::Vault;
use crate::store::{Application, State};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use std::sync::Arc;

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What an application shows.
struct Shown {
    ids: Vec<String>,
    secrets: Vec<String>,
    is_by_header: bool,
}

/// The application that asks.
///
/// # Errors
/// When it shows nothing, shows it twice, is not known, or its secret is another.
pub(super) fn authenticate(state: &State, vault: &Vault, asked: (&HeaderMap, &Form), now: Timestamp) -> Result<Arc<Application>, OAuthRefusal> {
    let (headers, form) = asked;
    let shown = by_header(headers, form)?.or_else(|| by_form(form)).ok_or_else(|| OAuthRefusal::client(false))?;
    let application = shown.ids.iter().find_map(|id| applications::by_client_id(state, id));
    let knows = |application: &&Arc<Application>| shown.secrets.iter().any(|secret| applications::secret_matches(vault, application, secret, now));
    application.filter(knows).map(Arc::clone).ok_or_else(|| OAuthRefusal::client(shown.is_by_header))
}

fn by_form(form: &Form) -> Option<Shown> {
    let (ids, secrets) = (form.readings("client_id"), form.readings("client_secret"));
    (!ids.is_empty() && !secrets.is_empty()).then_some(Shown { ids, secrets, is_by_header: false })
}

/// RFC 6749 §2.3.1 has id and secret escaped in the header; clients write them as they are. Both are tried.
fn by_header(headers: &HeaderMap, form: &Form) -> Result<Option<Shown>, OAuthRefusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let Some((scheme, rest)) = value.as_bytes().split_at_checked(b"basic ".len()) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Ok(None);
    }
    let decoded = BASE64.decode(rest.trim_ascii()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else { return Err(OAuthRefusal::client(true)) };
    let is_another = form.text("client_id").is_some_and(|other| other != id && readings_of_raw(id).iter().all(|id| id != other));
    if values.next().is_some() || form.text("client_secret").is_some() || is_another {
        return Err(OAuthRefusal::request("the client shows its credentials more than once"));
    }
    Ok(Some(Shown { ids: readings_of_raw(id), secrets: readings_of_raw(secret), is_by_header: true }))
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Error;
    use super::super::testing;
    use super::*;

    const SECRET: &str = "s/e+c&r=t:é%41";

    fn asked(basic: Option<&str>, form: &str) -> Result<String, Error> {
        let (mut draft, vault) = (testing::draft(), testing::vault());
        draft.put(applications::new(&vault, "first-client", "First", SECRET).unwrap());
        let mut headers = HeaderMap::new();
        if let Some(basic) = basic {
            headers.insert(AUTHORIZATION, format!("Basic {}", BASE64.encode(basic)).parse().unwrap());
        }
        let form = Form::parse(form.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        authenticate(&draft, &vault, (&headers, &form), testing::start()).map(|application| application.client_id.clone()).map_err(|refusal| refusal.error)
    }

    #[test]
    fn a_client_is_known_by_the_form() {
        assert_eq!(asked(None, "client_id=first-client&client_secret=s%2Fe%2Bc%26r%3Dt%3A%C3%A9%2541").unwrap(), "first-client");
        assert_eq!(asked(None, "client_id=first-client&client_secret=s/e+c%26r=t:é%2541").unwrap(), "first-client", "as it stands");
    }

    #[test]
    fn a_client_is_known_by_its_header_as_it_is_and_escaped() {
        assert_eq!(asked(Some(&format!("first-client:{SECRET}")), "").unwrap(), "first-client");
        assert_eq!(asked(Some("first%2Dclient:s%2Fe%2Bc%26r%3Dt%3A%C3%A9%2541"), "client_id=first-client").unwrap(), "first-client");
    }

    #[test]
    fn one_that_is_not_known_or_has_another_secret_is_refused_alike() {
        for form in ["", "client_id=first-client", "client_secret=x", "client_id=first-client&client_secret=x", "client_id=other&client_secret=x"] {
            assert_eq!(asked(None, form).unwrap_err(), Error::InvalidClient, "{form}");
        }
        for basic in ["", "first-client", "first-client:", "first-client:x", "other:x"] {
            assert_eq!(asked(Some(basic), "").unwrap_err(), Error::InvalidClient, "{basic}");
        }
    }

    #[test]
    fn credentials_are_shown_once() {
        let basic = format!("first-client:{SECRET}");
        assert_eq!(asked(Some(&basic), "client_id=first-client&client_secret=x").unwrap_err(), Error::InvalidRequest);
        assert_eq!(asked(Some(&basic), "client_id=another").unwrap_err(), Error::InvalidRequest);
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            headers.append(AUTHORIZATION, format!("Basic {}", BASE64.encode(&basic)).parse().unwrap());
        }
        let twice = authenticate(&testing::draft(), &testing::vault(), (&headers, &Form::default()), testing::start());
        assert_eq!(twice.unwrap_err().error, Error::InvalidRequest);
    }
}
