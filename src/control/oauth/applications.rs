//! Applications as clients: found by their `client_id`, known by their secret.

use super::error::OAuthError;
use super::secrets::is_same;
use super::vault::Vault;
use crate::control::wire::new_id;
use crate::store::{Application, ApplicationKind, State};
use jiff::Timestamp;
use std::sync::Arc;

/// A native application with this secret.
///
/// # Errors
/// When the machine gives no randomness.
pub(in crate::control) fn new(vault: &Vault, client_id: &str, display_name: &str, secret: &str) -> Result<Application, OAuthError> {
    Ok(Application {
        id: new_id("0oa")?,
        kind: ApplicationKind::Native,
        display_name: display_name.to_owned(),
        client_id: client_id.to_owned(),
        secret: vault.seal(secret.as_bytes())?,
        previous_secret: None,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        user_id: None,
    })
}

/// The application with that `client_id`.
#[must_use]
pub(in crate::control) fn by_client_id<'a>(state: &'a State, client_id: &str) -> Option<&'a Arc<Application>> {
    state.applications.values().find(|application| application.client_id == client_id)
}

/// Whether it is the application's secret, or the one before while that is still good.
#[must_use]
pub(in crate::control) fn secret_matches(vault: &Vault, application: &Application, secret: &str, now: Timestamp) -> bool {
    let previous = application.previous_secret.iter().filter(|(_, until)| now < *until).map(|(sealed, _)| sealed);
    let is_one = |sealed: &String| vault.open_text(sealed).is_some_and(|own| is_same(&own, secret));
    // Each is compared, whatever the one before said.
    std::iter::once(&application.secret).chain(previous).map(is_one).fold(false, |found, is_same| found | is_same)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_secret_is_sealed_and_known_again() {
        let vault = testing::vault();
        let application = new(&vault, "first-client", "First", "s3cret").unwrap();
        assert!(application.secret.starts_with("aes256gcm:"));
        let is_known = |secret: &str| secret_matches(&vault, &application, secret, testing::start());
        assert!(is_known("s3cret"));
        assert!(!is_known("s3cre") && !is_known("") && !is_known(&application.secret));
        assert!(!secret_matches(&Vault::plain(), &application, "s3cret", testing::start()));
    }

    #[test]
    fn the_secret_before_is_good_until_its_time() {
        let vault = testing::vault();
        let before = vault.seal(b"before").unwrap();
        let application = Application { previous_secret: Some((before, testing::later(60))), ..new(&vault, "first-client", "First", "now").unwrap() };
        assert!(secret_matches(&vault, &application, "now", testing::later(60)));
        assert!(secret_matches(&vault, &application, "before", testing::later(59)));
        assert!(!secret_matches(&vault, &application, "before", testing::later(60)));
    }

    #[test]
    fn an_application_is_found_by_its_client_id() {
        let mut draft = testing::draft();
        draft.put(new(&testing::vault(), "first-client", "First", "s").unwrap());
        assert!(by_client_id(&draft, "first-client").is_some() && by_client_id(&draft, "First-Client").is_none());
    }
}
