//! Passwords, hashed by argon2id. They are hashed and compared on threads that may block, few at a
//! time: however many guess, there is processor time left for everybody else.

use super::error::OAuthError;
use super::password_policy::{PasswordFlaw, PasswordPolicy};
use super::secrets;
use crate::store::{Credential, State, User};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What the password of a user that is not there is compared with, so that it takes as long. It is random: no
/// password has it, and nobody is let in by it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$IaQghNKDDxfEU1Z+jj7JWQ$ktoU3iKC/5jivA3o3vjWEjpBZQrxyiBI9I+c5X2F7QY";

/// Hashes and compares passwords.
#[derive(Clone, Debug)]
pub(in crate::control) struct Passwords {
    /// How many may be worked on at once.
    permits: Arc<Semaphore>,
}

/// A password that its policy admits, hashed. It is never shown.
pub(in crate::control) struct NewPassword {
    hash: String,
    /// The hash of the one that it follows.
    follows: Option<String>,
}

/// A password made here, hashed, with its text to be shown once.
pub(in crate::control) struct TemporaryPassword {
    /// What is told.
    pub(in crate::control) text: String,
    hash: String,
}

/// What came of comparing: whose the login is, and the hash that the password fits.
#[derive(Default)]
pub(in crate::control) struct Compared {
    user_id: Option<String>,
    fits: Option<String>,
}

impl Default for Passwords {
    /// Half of the machine's threads may be at work at once, one at least.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { permits: Arc::new(Semaphore::new((threads / 2).max(1))) }
    }
}

impl Passwords {
    /// Hashes a new password of the user if the policy for that kind of user admits it.
    ///
    /// # Errors
    /// [`OAuthError::Password`] with everything that is wrong with it.
    pub(in crate::control) async fn choose(&self, state: &State, user: &User, password: &str) -> Result<NewPassword, OAuthError> {
        let policy = PasswordPolicy::of(state, user.kind);
        let mut flaws = policy.flaws(user, password);
        let count = policy.age.history_count;
        let credential = state.credentials.find(&user.id);
        if flaws.is_empty() && self.is_used(credential, count, password).await? {
            flaws.push(PasswordFlaw::UsedBefore(count));
        }
        if !flaws.is_empty() {
            return Err(OAuthError::Password(flaws));
        }
        let follows = credential.and_then(|credential| credential.password.clone());
        Ok(NewPassword { hash: self.hash(password).await?, follows })
    }

    /// A password that an operator configured for a first start: it is taken as it is.
    ///
    /// # Errors
    /// When the library refuses.
    pub(in crate::control) async fn configured(&self, password: &str) -> Result<NewPassword, OAuthError> {
        Ok(NewPassword { hash: self.hash(password).await?, follows: None })
    }

    /// A password of the machine's own making.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(in crate::control) async fn temporary(&self) -> Result<TemporaryPassword, OAuthError> {
        let text = secrets::legible()?;
        Ok(TemporaryPassword { hash: self.hash(&text).await?, text })
    }

    /// Compares a password with the one of the user with that login. Both are given in every way that
    /// they may be read. It takes as long for a user that is not there, or has no password.
    ///
    /// # Errors
    /// When the library refuses.
    pub(in crate::control) async fn compare(&self, state: &State, logins: &[String], passwords: &[String]) -> Result<Compared, OAuthError> {
        let user = logins.iter().find_map(|login| state.user_by_login(login));
        let hash = user.and_then(|user| state.credentials.find(&user.id)).and_then(|credential| credential.password.as_deref());
        let is_right = self.is_any(hash.unwrap_or(NOBODY), passwords).await?;
        let fits = hash.filter(|_| is_right).map(str::to_owned);
        Ok(Compared { user_id: user.map(|user| user.id.clone()), fits })
    }

    async fn is_used(&self, credential: Option<&Arc<Credential>>, count: u32, password: &str) -> Result<bool, OAuthError> {
        let Some(credential) = credential else { return Ok(false) };
        let passwords = [password.to_owned()];
        for hash in credential.password.iter().chain(&credential.history).take(count as usize) {
            if self.is_any(hash, &passwords).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn hash(&self, password: &str) -> Result<String, OAuthError> {
        let password = password.to_owned();
        self.work(move || hash(&password)).await?
    }

    /// Whether one of the passwords has that hash.
    async fn is_any(&self, hash: &str, passwords: &[String]) -> Result<bool, OAuthError> {
        let (hash, passwords) = (hash.to_owned(), passwords.to_vec());
        self.work(move || passwords.iter().any(|password| fits(&hash, password))).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, OAuthError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| OAuthError::Hashing)?;
        let work = tokio::task::spawn_blocking(move || {
            // The caller may be gone; the permit is given back when the work is done.
            let _permit = permit;
            work()
        });
        work.await.map_err(|_| OAuthError::Hashing)
    }
}

impl NewPassword {
    /// Makes it the password of a credential; the one before moves into the history.
    ///
    /// # Errors
    /// When the credential has another password than the one that was looked at: the history has not been compared with it.
    pub(super) fn enter(self, credential: &mut Credential) -> Result<(), OAuthError> {
        if credential.password != self.follows {
            return Err(OAuthError::PasswordChanged);
        }
        credential.history.splice(0..0, credential.password.replace(self.hash));
        Ok(())
    }
}

impl TemporaryPassword {
    /// As [`NewPassword::enter`]; a password that was made here was never used before.
    pub(super) fn enter(&self, credential: &mut Credential) {
        credential.history.splice(0..0, credential.password.replace(self.hash.clone()));
    }
}

impl Compared {
    /// Whose the login is.
    pub(super) fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// Whether the password fitted the one that the credential still has.
    pub(super) fn is_right(&self, credential: &Credential) -> bool {
        self.fits.is_some() && self.fits == credential.password
    }

    #[cfg(test)]
    pub(super) fn of(user_id: Option<&str>, fits: Option<&str>) -> Self {
        Self { user_id: user_id.map(str::to_owned), fits: fits.map(str::to_owned) }
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NewPassword")
    }
}

impl fmt::Debug for TemporaryPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TemporaryPassword")
    }
}

impl fmt::Debug for Compared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Compared")
    }
}

fn argon2() -> Result<Argon2<'static>, OAuthError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| OAuthError::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password.
fn hash(password: &str) -> Result<String, OAuthError> {
    let hash = argon2()?.hash_password(password.as_bytes()).map_err(|_| OAuthError::Hashing)?;
    Ok(hash.to_string())
}

fn fits(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), &hash).is_ok())
}

/// The hash of `cheap`, which is compared at once.
#[cfg(test)]
pub(super) fn cheap_hash() -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    argon2.hash_password(b"cheap").unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::UserKind;
    use std::time::Duration;

    async fn chosen(passwords: &Passwords, state: &State, password: &str) -> Result<NewPassword, OAuthError> {
        let user = testing::user("ada", UserKind::Personal);
        passwords.choose(state, &user, password).await
    }

    fn credential(state: &State) -> Credential {
        (**state.credentials.find("00uada").unwrap()).clone()
    }

    #[test]
    fn passwords_are_hashed_by_argon2id_with_a_salt_of_their_own() {
        let (one, other) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(fits(&one, "correct horse") && !fits(&one, "correct hors") && !fits("", "") && !fits("x", "x"));
    }

    #[tokio::test]
    async fn none_of_the_last_passwords_is_taken_again_and_older_ones_are() {
        let passwords = Passwords::default();
        let mut draft = testing::draft();
        draft.put(Credential { user_id: "00uada".into(), ..Credential::default() });
        for number in 1..=5 {
            let new = chosen(&passwords, &draft, &format!("password number {number}")).await.unwrap();
            let mut credential = credential(&draft);
            new.enter(&mut credential).unwrap();
            draft.put(credential);
        }
        for number in 2..=5 {
            let error = chosen(&passwords, &draft, &format!("password number {number}")).await.unwrap_err();
            assert!(matches!(&error, OAuthError::Password(flaws) if *flaws == [PasswordFlaw::UsedBefore(4)]), "{error:?}");
        }
        assert!(chosen(&passwords, &draft, "password number 1").await.is_ok());
    }

    #[tokio::test]
    async fn two_who_change_a_password_at_once_do_not_both() {
        let passwords = Passwords::default();
        let state = State::default();
        let (one, other) = (chosen(&passwords, &state, "password number 1").await.unwrap(), chosen(&passwords, &state, "password number 1").await.unwrap());
        let mut credential = Credential::default();
        one.enter(&mut credential).unwrap();
        assert!(matches!(other.enter(&mut credential), Err(OAuthError::PasswordChanged)));
    }

    #[tokio::test]
    async fn a_password_is_compared_with_the_users_in_every_reading() {
        let passwords = Passwords::default();
        let mut draft = testing::draft();
        let hash = hash("a+b").unwrap();
        testing::put(&mut draft, &testing::user("ada", UserKind::Personal), &hash);
        let readings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        for (logins, given, is_right) in [
            (&["ADA@example.com"][..], &["a+b"][..], true),
            (&["ada @example.com", "ada@example.com"], &["a b", "a+b"], true),
            (&["ada@example.com"], &["a b"], false),
            (&["eve@example.com"], &["a+b"], false),
        ] {
            let compared = passwords.compare(&draft, &readings(logins), &readings(given)).await.unwrap();
            assert_eq!(compared.is_right(&credential(&draft)), is_right, "{logins:?} {given:?}");
            assert_eq!(compared.user_id().is_some(), logins[0].starts_with(['a', 'A']));
        }
    }

    #[tokio::test]
    async fn who_is_not_there_costs_as_much_as_who_is() {
        let passwords = Passwords::default();
        let mut draft = testing::draft();
        testing::put(&mut draft, &testing::user("ada", UserKind::Personal), &hash("correct horse").unwrap());
        let took = async |login: &str| {
            let start = crate::observe::clock::monotonic();
            passwords.compare(&draft, &[login.to_owned()], &["wrong".to_owned()]).await.unwrap();
            start.elapsed()
        };
        // The least of three: the machine may be at something else.
        let known = took("ada@example.com").await.min(took("ada@example.com").await).min(took("ada@example.com").await);
        let unknown = took("eve@example.com").await;
        assert!(unknown > known / 10, "{unknown:?} for nobody, {known:?} for a user");
        assert!(unknown > Duration::from_millis(1));
    }

    #[tokio::test]
    async fn no_more_passwords_are_worked_on_at_once_than_there_are_permits() {
        let passwords = Passwords { permits: Arc::new(Semaphore::new(1)) };
        let held = Arc::clone(&passwords.permits).acquire_owned().await.unwrap();
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.work(|| 7).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn nothing_of_a_password_is_shown() {
        let passwords = Passwords::default();
        assert_eq!(format!("{:?}", chosen(&passwords, &State::default(), "canary canary").await.unwrap()), "NewPassword");
        assert_eq!(format!("{:?}", passwords.temporary().await.unwrap()), "TemporaryPassword");
        assert_eq!(format!("{:?}", Compared::of(Some("00u1"), Some("canary"))), "Compared");
    }
}
