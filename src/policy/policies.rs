//! The policies in force: checked documents with their index, immutable.

use jiff::Timestamp;

use super::compile::{Compiled, RolesOfUser, compile};
use super::dates::Instant;
use super::documents::{
    ADMINISTRATOR_CODE, ADMINISTRATOR_SCOPE, AccessMetadata, Documents, PersonalAccessToken, PolicyCollection, PolicyDocument, Problem, Role, RoleId, ScopedId,
    User, UserRole,
};
use super::lookup::{Lookup, hash_folded, hash_of, mix};
use super::memory;
use super::metadata::Metadata;

/// The scope of user-roles.
const USERS_SCOPE: &str = "_users";

/// Everything a snapshot says, compiled; the default is revision 0, which grants nothing.
#[derive(Debug)]
pub struct Policies {
    pub(super) documents: Documents,
    pub(super) compiled: Compiled,
    pub(super) administrator: ScopedId,
    users_by_id: Lookup,
    users_by_login: Lookup,
    roles_by_id: Lookup,
    user_roles_by_user: Lookup,
    policies_by_id: Lookup,
    tokens: Lookup,
    metadata: Lookup,
    /// The places that the policies have in the document, in the order in which they are kept.
    written_at: Box<[u32]>,
    bytes: usize,
}

/// Reads a snapshot document and compiles it (interfaces §5).
///
/// # Errors
/// Every problem of the document, each with its key path; then nothing of it is in force.
pub fn load(json: &[u8]) -> Result<Policies, Vec<Problem>> {
    Documents::read(json).map(Policies::new)
}

impl Default for Policies {
    fn default() -> Self {
        Self::new(Documents::default())
    }
}

impl Policies {
    fn new(mut documents: Documents) -> Self {
        documents.roles.sort_by(|left, right| (left.hierarchy_index, &left.id).cmp(&(right.hierarchy_index, &right.id)));
        let mut numbered: Vec<(u32, PolicyDocument)> = (0..).zip(std::mem::take(&mut documents.policies)).collect();
        numbered.sort_by(|(_, left), (_, right)| left.id.cmp(&right.id));
        let (written_at, sorted): (Vec<u32>, Vec<PolicyDocument>) = numbered.into_iter().unzip();
        documents.policies = sorted;
        for (user, place) in documents.users.iter_mut().zip(0..) {
            user.place = place;
        }
        shrink(&mut documents);
        let compiled = compile(&documents);
        let mut policies = Self {
            administrator: ScopedId::new(ADMINISTRATOR_SCOPE, ADMINISTRATOR_CODE),
            users_by_id: Lookup::of(documents.users.iter().map(|user| hash_of(&user.id))),
            users_by_login: Lookup::of(documents.users.iter().map(|user| hash_of(&user.login))),
            roles_by_id: Lookup::of(documents.roles.iter().map(|role| hash_of_id(&role.id))),
            user_roles_by_user: Lookup::of(documents.user_roles.iter().map(|role| hash_of(&role.id.code))),
            policies_by_id: Lookup::of(documents.policies.iter().map(|policy| hash_of_id(&policy.id))),
            tokens: Lookup::of(documents.personal_access_tokens.iter().map(|token| hash_of_digest(&token.sha256))),
            metadata: Lookup::of(
                documents.access_metadata.iter().map(|access| hash_of_thing(&access.entity, access.id.iter().map(|(name, value)| (&**name, &**value)))),
            ),
            documents,
            compiled,
            written_at: written_at.into(),
            bytes: 0,
        };
        policies.bytes = policies.count_bytes();
        policies
    }

    /// The snapshot's revision; 0 before the first.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.documents.revision
    }

    /// When the snapshot was made; the year 0001 before the first.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.documents.issued_at.unwrap_or(Instant::MIN).into()
    }

    /// The user with this id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&User> {
        let users = &self.documents.users;
        let place = self.users_by_id.find(hash_of(id), |place| users.get(place).is_some_and(|user| *user.id == *id))?;
        users.get(place)
    }

    /// The user with this login, compared exactly; none if several have it, for then it names nobody.
    #[must_use]
    pub fn user_by_login(&self, login: &str) -> Option<&User> {
        let users = &self.documents.users;
        let is = |place: usize| users.get(place).is_some_and(|user| *user.login == *login);
        let first = self.users_by_login.find(hash_of(login), is).filter(|_| !login.is_empty())?;
        let second = self.users_by_login.find(hash_of(login), |place| place != first && is(place));
        if second.is_some() { None } else { users.get(first) }
    }

    /// The personal access token with this SHA-256; whether it is still usable is the caller's question.
    #[must_use]
    pub fn personal_access_token(&self, sha256: &[u8; 32]) -> Option<&PersonalAccessToken> {
        let tokens = &self.documents.personal_access_tokens;
        let is = |place: usize| tokens.get(place).is_some_and(|token| token.sha256 == *sha256);
        tokens.get(self.tokens.find(hash_of_digest(sha256), is)?)
    }

    /// Whether a signed token is revoked: by its `jti`, or because its user's tokens of that time are.
    ///
    /// A token without `iat` is taken as older than any revocation of its user. The `until` of an entry only says
    /// when it may be forgotten: a token is never let in again.
    #[must_use]
    pub fn is_revoked(&self, jti: Option<&str>, user_id: &str, issued_at: Option<Timestamp>) -> bool {
        let revocations = &self.documents.revocations;
        let is_older = |before: &Instant| issued_at.is_none_or(|issued_at| Instant::from(issued_at) < *before);
        jti.is_some_and(|jti| revocations.tokens.contains(jti)) || revocations.users.get(user_id).is_some_and(is_older)
    }

    /// The access metadata of exactly this id: entity and part names without case, values exact.
    #[must_use]
    pub fn access_metadata(&self, entity: &str, id: &[(&str, &str)]) -> Option<&Metadata> {
        let things = &self.documents.access_metadata;
        let is = |place: usize| {
            things.get(place).is_some_and(|thing| {
                let has = |(name, value): &(&str, &str)| thing.id.iter().any(|(own, text)| own.eq_ignore_ascii_case(name) && **text == **value);
                thing.entity.eq_ignore_ascii_case(entity) && thing.id.len() == id.len() && id.iter().all(has)
            })
        };
        let place = self.metadata.find(hash_of_thing(entity, id.iter().copied()), is)?;
        things.get(place).map(|thing| &thing.metadata)
    }

    /// Whether a policy names the header of that name, given in lower case: then it may occur once only.
    #[must_use]
    pub fn names_header(&self, name: &str) -> bool {
        self.compiled.headers.binary_search_by(|header| (**header).cmp(name)).is_ok()
    }

    /// The headers named in any policy's `if`, in lower case.
    pub fn headers_named(&self) -> impl Iterator<Item = &str> {
        self.compiled.headers.iter().map(|header| &**header)
    }

    /// All users, in the order of the document.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.documents.users
    }

    /// All roles, the strongest first.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.documents.roles
    }

    /// All user-roles.
    #[must_use]
    pub fn user_roles(&self) -> &[UserRole] {
        &self.documents.user_roles
    }

    /// All policies, in order of scope and code.
    #[must_use]
    pub fn policies(&self) -> &[PolicyDocument] {
        &self.documents.policies
    }

    /// All policies with their places in the document, for messages that lead there.
    pub fn policies_as_written(&self) -> impl Iterator<Item = (usize, &PolicyDocument)> {
        self.written_at.iter().map(|place| *place as usize).zip(&self.documents.policies)
    }

    /// All access metadata, in the order of the document.
    #[must_use]
    pub fn things_with_metadata(&self) -> &[AccessMetadata] {
        &self.documents.access_metadata
    }

    /// All policy collections.
    #[must_use]
    pub fn collections(&self) -> &[PolicyCollection] {
        &self.documents.collections
    }

    /// The policy with this id.
    #[must_use]
    pub fn document(&self, id: &ScopedId) -> Option<&PolicyDocument> {
        let policies = &self.documents.policies;
        let is = |place: usize| policies.get(place).is_some_and(|policy| policy.id == *id);
        policies.get(self.policies_by_id.find(hash_of_id(id), is)?)
    }

    /// The role with this id.
    #[must_use]
    pub fn role(&self, id: &RoleId) -> Option<&Role> {
        self.documents.roles.get(self.rank(id)?)
    }

    /// The user-role of this user.
    #[must_use]
    pub fn user_role(&self, user_id: &str) -> Option<&UserRole> {
        self.documents.user_roles.get(self.user_role_place(user_id)?)
    }

    /// Roughly how many bytes it takes in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place of a role among all, the strongest first.
    pub(super) fn rank(&self, id: &RoleId) -> Option<usize> {
        let roles = &self.documents.roles;
        self.roles_by_id.find(hash_of_id(id), |place| roles.get(place).is_some_and(|role| role.id == *id))
    }

    pub(super) fn user_role_place(&self, user_id: &str) -> Option<usize> {
        let roles = &self.documents.user_roles;
        self.user_roles_by_user.find(hash_of(user_id), |place| roles.get(place).is_some_and(|role| *role.id.scope == *USERS_SCOPE && *role.id.code == *user_id))
    }

    /// The roles of a user, who may come from another snapshot.
    pub(super) fn roles_of(&self, user: &User) -> Option<&RolesOfUser> {
        let own = self.documents.users.get(user.place as usize).filter(|own| std::ptr::eq(*own, user));
        let own = own.or_else(|| self.user(&user.id))?;
        self.compiled.users.get(own.place as usize)
    }

    fn count_bytes(&self) -> usize {
        let lookups =
            [&self.users_by_id, &self.users_by_login, &self.roles_by_id, &self.user_roles_by_user, &self.policies_by_id, &self.tokens, &self.metadata];
        size_of::<Self>()
            + memory::of_documents(&self.documents)
            + memory::of_compiled(&self.compiled)
            + size_of_val(&*self.written_at)
            + lookups.iter().map(|lookup| lookup.bytes()).sum::<usize>()
    }
}

/// The vectors grew by doubling; a snapshot lives long.
fn shrink(documents: &mut Documents) {
    documents.users.shrink_to_fit();
    documents.roles.shrink_to_fit();
    documents.user_roles.shrink_to_fit();
    documents.policies.shrink_to_fit();
    documents.collections.shrink_to_fit();
    documents.access_metadata.shrink_to_fit();
    documents.personal_access_tokens.shrink_to_fit();
}

fn hash_of_id(id: &ScopedId) -> u64 {
    mix(hash_of(&id.scope), hash_of(&id.code))
}

fn hash_of_digest(sha256: &[u8; 32]) -> u64 {
    sha256.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// The same whatever the order of the parts.
fn hash_of_thing<'a>(entity: &str, id: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let parts = id.map(|(name, value)| mix(hash_folded(name.as_bytes()), hash_of(value)));
    mix(hash_folded(entity.as_bytes()), parts.fold(0, u64::wrapping_add))
}
