//! The second factor: codes by time (TOTP, RFC 6238), six digits, a new one every 30 seconds.

use super::error::OAuthError;
use super::vault::Vault;
use crate::control::wire::random;
use crate::store::{Credential, Draft, User};
use jiff::Timestamp;
use totp_rs::{Builder, Totp};

/// A code lasts so many seconds.
const STEP_SECONDS: u64 = 30;
/// How many steps before and after the present one are taken too.
const SKEW: u16 = 1;

/// What the user puts into an authenticator; shown once.
pub(in crate::control) struct Enrolment {
    /// In base32, to be typed.
    pub(in crate::control) secret: String,
    /// `otpauth://…`, to be scanned.
    pub(in crate::control) url: String,
}

/// Makes a second factor for a user. It is asked for as soon as a first code has confirmed it.
///
/// # Errors
/// When there is one that was confirmed: it has to be taken away first.
pub(in crate::control) fn begin(draft: &mut Draft, vault: &Vault, user: &User) -> Result<Enrolment, OAuthError> {
    let mut credential = credential(draft, &user.id);
    if is_enrolled(&credential) {
        return Err(OAuthError::SecondFactorEnrolled);
    }
    let secret = random::<20>()?;
    // A colon would end the name in the URL.
    let totp = builder(&secret).with_account_name(user.login.replace(':', "_")).with_issuer(Some("Doorward")).build();
    let totp = totp.map_err(|_| OAuthError::Sealing)?;
    let url = totp.to_url().map_err(|_| OAuthError::Sealing)?;
    credential.totp = Some(vault.seal(&secret)?);
    credential.totp_last_step = 0;
    draft.put(credential);
    Ok(Enrolment { secret: totp.secret().to_base32(), url })
}

/// Takes a first code; whether it was right.
pub(in crate::control) fn confirm(draft: &mut Draft, vault: &Vault, user_id: &str, code: &str) -> bool {
    let mut credential = credential(draft, user_id);
    if is_enrolled(&credential) || !take(&mut credential, vault, code, draft.now()) {
        return false;
    }
    credential.totp_confirmed = true;
    draft.put(credential);
    true
}

/// Takes a user's second factor away; whether there was one.
pub(in crate::control) fn reset(draft: &mut Draft, user_id: &str) -> bool {
    let mut credential = credential(draft, user_id);
    let was_there = credential.totp.take().is_some();
    if was_there {
        credential.totp_confirmed = false;
        draft.put(credential);
    }
    was_there
}

/// Whether a code is asked for.
#[must_use]
pub(in crate::control) fn is_enrolled(credential: &Credential) -> bool {
    credential.totp_confirmed
}

/// Takes a code: it must be right and its step a later one than that of the last code (RFC 6238 §5.2).
pub(super) fn take(credential: &mut Credential, vault: &Vault, code: &str, now: Timestamp) -> bool {
    match step(credential, vault, code, now) {
        Some(step) if step > credential.totp_last_step => {
            credential.totp_last_step = step;
            true
        }
        _ => false,
    }
}

fn step(credential: &Credential, vault: &Vault, code: &str, now: Timestamp) -> Option<u64> {
    let secret: [u8; 20] = vault.open(credential.totp.as_deref()?)?.try_into().ok()?;
    let totp: Totp = builder(&secret).build().ok()?;
    totp.check(code, u64::try_from(now.as_second()).ok()?)
}

fn builder(secret: &[u8; 20]) -> Builder {
    Builder::new().with_secret(*secret).with_digits(6).with_skew(SKEW).with_step_duration(STEP_SECONDS)
}

fn credential(draft: &Draft, user_id: &str) -> Credential {
    match draft.credentials.find(user_id) {
        Some(credential) => (**credential).clone(),
        None => Credential { user_id: user_id.to_owned(), ..Credential::default() },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::UserKind;

    /// The code of a user at that time.
    pub(in super::super) fn code(draft: &Draft, vault: &Vault, user_id: &str, now: Timestamp) -> String {
        let secret: [u8; 20] = vault.open(credential(draft, user_id).totp.as_deref().unwrap()).unwrap().try_into().unwrap();
        builder(&secret).build().unwrap().generate(now.as_second() as u64).to_string()
    }

    fn enrolled() -> (Draft, std::sync::Arc<Vault>, std::sync::Arc<User>) {
        let (mut draft, vault, user) = (testing::draft(), testing::vault(), testing::user("ada", UserKind::Personal));
        begin(&mut draft, &vault, &user).unwrap();
        let first = code(&draft, &vault, &user.id, testing::later(-30));
        assert!(confirm(&mut draft, &vault, &user.id, &first));
        (draft, vault, user)
    }

    fn taken(draft: &mut Draft, vault: &Vault, code: &str) -> bool {
        let mut credential = credential(draft, "00uada");
        let is_taken = take(&mut credential, vault, code, draft.now());
        draft.put(credential);
        is_taken
    }

    #[test]
    fn an_authenticator_is_given_a_url_with_160_bits() {
        let (mut draft, vault) = (testing::draft(), testing::vault());
        let enrolment = begin(&mut draft, &vault, &testing::user("ada", UserKind::Personal)).unwrap();
        assert_eq!(enrolment.secret.len(), 32);
        assert!(enrolment.url.starts_with("otpauth://totp/Doorward:ada%40example.com?"), "{}", enrolment.url);
        assert!(enrolment.url.contains(&format!("secret={}", enrolment.secret)) && enrolment.url.contains("issuer=Doorward"), "{}", enrolment.url);
        let kept = credential(&draft, "00uada").totp.unwrap();
        assert!(kept.starts_with("aes256gcm:"), "{kept}");
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, cut to six digits.
        let totp = builder(b"12345678901234567890").build().unwrap();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.generate(time).to_string(), code);
        }
    }

    #[test]
    fn it_is_not_asked_for_before_a_first_code() {
        let (mut draft, vault, user) = (testing::draft(), testing::vault(), testing::user("ada", UserKind::Personal));
        begin(&mut draft, &vault, &user).unwrap();
        assert!(!is_enrolled(&credential(&draft, &user.id)));
        let right = code(&draft, &vault, &user.id, testing::start());
        let wrong = if right == "000000" { "000001" } else { "000000" };
        assert!(!confirm(&mut draft, &vault, &user.id, wrong));
        assert!(!is_enrolled(&credential(&draft, &user.id)));
        assert!(confirm(&mut draft, &vault, &user.id, &right));
        assert!(is_enrolled(&credential(&draft, &user.id)));
    }

    #[test]
    fn codes_of_one_step_before_and_after_are_taken_and_no_others() {
        for (offset, is_taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let (mut draft, vault, user) = (testing::draft(), testing::vault(), testing::user("ada", UserKind::Personal));
            begin(&mut draft, &vault, &user).unwrap();
            let code = code(&draft, &vault, &user.id, testing::later(offset));
            assert_eq!(taken(&mut draft, &vault, &code), is_taken, "{offset}");
        }
    }

    #[test]
    fn no_code_is_taken_twice_nor_an_older_one_after_it() {
        let (mut draft, vault, user) = enrolled();
        let (now, before) = (code(&draft, &vault, &user.id, testing::start()), code(&draft, &vault, &user.id, testing::later(-30)));
        assert!(!taken(&mut draft, &vault, &before), "it has confirmed the factor");
        assert!(taken(&mut draft, &vault, &now));
        assert!(!taken(&mut draft, &vault, &now));
        let next = code(&draft, &vault, &user.id, testing::later(30));
        assert!(taken(&mut draft, &vault, &next));
    }

    #[test]
    fn one_that_was_confirmed_is_neither_replaced_nor_confirmed_again_but_reset() {
        let (mut draft, vault, user) = enrolled();
        assert!(matches!(begin(&mut draft, &vault, &user), Err(OAuthError::SecondFactorEnrolled)));
        let now = code(&draft, &vault, &user.id, testing::start());
        assert!(!confirm(&mut draft, &vault, &user.id, &now));
        assert!(reset(&mut draft, &user.id) && !reset(&mut draft, &user.id));
        assert!(!is_enrolled(&credential(&draft, &user.id)));
        assert!(begin(&mut draft, &vault, &user).is_ok());
    }

    #[test]
    fn a_code_is_worth_nothing_where_the_vault_does_not_open() {
        let (mut draft, vault, user) = enrolled();
        let now = code(&draft, &vault, &user.id, testing::start());
        assert!(!taken(&mut draft, &Vault::plain(), &now));
        assert!(is_enrolled(&credential(&draft, &user.id)));
    }
}
