//! Everything that is remembered, at one moment.

use super::documents::{
    AccessMetadata, Application, Credential, ExternalTokenIssuer, IdentityRole, NetworkZone, PersonalAccessToken, Policy, PolicyCollection, PolicyTemplate,
    RefreshToken, Revocation, Role, Session, Setting, SetupLink, SigningKey, User, UserRole,
};
use super::table::Table;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// A kind of document.
pub trait Document: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// Its name in the store; never changed.
    const KIND: &'static str;
    /// Whether a change of it makes a new revision of the snapshot.
    const IS_PUBLISHED: bool;
    /// Whether its content is kept out of the audit log.
    const IS_SECRET: bool;

    /// Its key; unique among its kind.
    fn key(&self) -> String;

    /// The documents of this kind.
    fn table(state: &State) -> &Table<Self>;

    /// The same, to be changed.
    fn table_mut(state: &mut State) -> &mut Table<Self>;

    /// Brings what is looked up by something else than the key up to date.
    fn index(_state: &mut State, _before: Option<&Self>, _after: Option<&Self>) {}
}

/// Declares the kinds: the field of [`State`], the type, its name in the store, and what a change of it means.
macro_rules! kinds {
    ($($(#[$doc:meta])* $field:ident: $kind:ident = $name:literal, $published:literal, $secret:literal $(, $index:expr)?;)*) => {
        /// Everything that is remembered; a copy of it costs little.
        #[derive(Clone, Debug, Default)]
        pub struct State {
            /// How many changes were committed; every commit has its own number.
            pub sequence: u64,
            /// The revision of the snapshot.
            pub revision: u64,
            /// When that revision was made.
            pub revised_at: Option<Timestamp>,
            $($(#[$doc])* pub $field: Table<$kind>,)*
            /// User ids by login in lower case.
            pub(super) logins: Table<String>,
        }

        $(impl Document for $kind {
            const KIND: &'static str = $name;
            const IS_PUBLISHED: bool = $published;
            const IS_SECRET: bool = $secret;

            fn key(&self) -> String {
                self.own_key()
            }

            fn table(state: &State) -> &Table<Self> {
                &state.$field
            }

            fn table_mut(state: &mut State) -> &mut Table<Self> {
                &mut state.$field
            }

            $(fn index(state: &mut State, before: Option<&Self>, after: Option<&Self>) {
                $index(state, before, after);
            })?
        })*

        impl State {
            /// Takes over one row of the store; `None` = the document is gone.
            ///
            /// # Errors
            /// When the text is no document of that kind; a kind that is not known is passed over.
            pub fn take_over(&mut self, kind: &str, key: &str, body: Option<&str>) -> Result<(), serde_json::Error> {
                match kind {
                    $($name => self.take_over_as::<$kind>(key, body),)*
                    _ => Ok(()),
                }
            }
        }
    };
}

kinds! {
    /// Access: policies, by `scope/code`.
    policies: Policy = "policy", true, false;
    /// Access: policy collections, by `scope/code`.
    collections: PolicyCollection = "policyCollection", true, false;
    /// Access: policy templates, by `scope/code`.
    templates: PolicyTemplate = "policyTemplate", false, false;
    /// Access: roles, by `scope/code`.
    roles: Role = "role", true, false;
    /// Access: user-roles, by the user's id.
    user_roles: UserRole = "userRole", true, false;
    /// Access: metadata of entities.
    access_metadata: AccessMetadata = "accessMetadata", true, false;
    /// Identity: users, by id.
    users: User = "user", true, false, User::index;
    /// Identity: roles, by id.
    identity_roles: IdentityRole = "identityRole", false, false;
    /// Identity: personal access tokens, by id.
    personal_access_tokens: PersonalAccessToken = "personalAccessToken", true, true;
    /// Tokens that are of no use any more, by `jti` or user.
    revocations: Revocation = "revocation", true, false;
    /// Identity: how users sign in, by user id.
    credentials: Credential = "credential", false, true;
    /// Identity: applications, by id.
    applications: Application = "application", false, true;
    /// Refresh tokens, by SHA-256.
    refresh_tokens: RefreshToken = "refreshToken", false, true;
    /// One-time links, by SHA-256.
    setup_links: SetupLink = "setupLink", false, true;
    /// Sessions at the console, by SHA-256.
    sessions: Session = "session", false, true;
    /// Signing keys, by `kid`.
    signing_keys: SigningKey = "signingKey", false, true;
    /// Identity: external token issuers, by code.
    external_token_issuers: ExternalTokenIssuer = "externalTokenIssuer", false, false;
    /// Identity: network zones, by code.
    network_zones: NetworkZone = "networkZone", false, false;
    /// Policies of the Identity API itself: passwords, sessions, the user schema; by name.
    settings: Setting = "setting", false, false;
}

impl State {
    /// The document of that kind with that key.
    #[must_use]
    pub fn find<T: Document>(&self, key: &str) -> Option<&Arc<T>> {
        T::table(self).find(key)
    }

    /// The user with that login, whatever its case.
    #[must_use]
    pub fn user_by_login(&self, login: &str) -> Option<&Arc<User>> {
        self.users.find(self.logins.find(&login.to_lowercase())?)
    }

    pub(super) fn write<T: Document>(&mut self, key: &str, document: Option<Arc<T>>) {
        let before = self.find::<T>(key).map(Arc::clone);
        T::index(self, before.as_deref(), document.as_deref());
        match document {
            Some(document) => T::table_mut(self).put(key.into(), document),
            None => T::table_mut(self).remove(key),
        }
    }

    fn take_over_as<T: Document>(&mut self, key: &str, body: Option<&str>) -> Result<(), serde_json::Error> {
        let document = body.map(serde_json::from_str::<T>).transpose()?;
        self.write(key, document.map(Arc::new));
        Ok(())
    }
}
