//! The snapshot document: read element by element, then its ids and references checked (interfaces §5).

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::dates::Instant;
use super::access_metadata::AccessMetadata;
use super::json::{Name, Node};
use super::policy::{PolicyCollection, PolicyDocument};
use super::problems::{Place, Problem};
use super::reading::{Cursor, Findings};
use super::references;
use super::role::{Role, UserRole};
use super::user::{PersonalAccessToken, Revocations, User};

const SCHEMA: &str = "doorward.snapshot/1";
/// Those that are not known are passed over, for a later schema may have them; it will not have so many.
const MOST_MEMBERS: usize = 1000;

/// Everything a snapshot says, in its order, checked.
#[derive(Debug, Default)]
pub(in super::super) struct Documents {
    /// `revision`, at least 1.
    pub revision: u64,
    /// `issuedAt`.
    pub issued_at: Option<Instant>,
    /// `users`.
    pub users: Vec<User>,
    /// `roles`.
    pub roles: Vec<Role>,
    /// `userRoles`.
    pub user_roles: Vec<UserRole>,
    /// `policies`.
    pub policies: Vec<PolicyDocument>,
    /// `policyCollections`.
    pub collections: Vec<PolicyCollection>,
    /// `accessMetadata`.
    pub access_metadata: Vec<AccessMetadata>,
    /// `personalAccessTokens`.
    pub personal_access_tokens: Vec<PersonalAccessToken>,
    /// `revokedTokens`.
    pub revocations: Revocations,
}

/// Where the elements stood, for those arrays whose elements are referred to or must differ.
#[derive(Default)]
pub(super) struct Positions {
    pub(super) users: Vec<usize>,
    pub(super) roles: Vec<usize>,
    pub(super) user_roles: Vec<usize>,
    pub(super) policies: Vec<usize>,
    pub(super) collections: Vec<usize>,
    pub(super) access_metadata: Vec<usize>,
    pub(super) personal_access_tokens: Vec<usize>,
}

impl Documents {
    /// Reads a whole document, or says everything that is wrong with it.
    pub(in super::super) fn read(json: &[u8]) -> Result<Self, Vec<Problem>> {
        let mut reading = Reading::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let syntax = deserializer.deserialize_any(&mut reading).and_then(|()| deserializer.end());
        match syntax {
            Ok(()) if reading.findings.is_full() => {}
            Ok(()) => {
                reading.check_presence();
                references::check(&reading.documents, &reading.positions, &reading.findings);
            }
            Err(error) => reading.findings.report(Place::ROOT, format!("is not a snapshot in JSON: {error}")),
        }
        let problems = reading.findings.into_problems();
        if problems.is_empty() { Ok(reading.documents) } else { Err(problems) }
    }
}

#[derive(Default)]
struct Reading {
    documents: Documents,
    positions: Positions,
    findings: Findings,
    seen: HashSet<String>,
}

impl Reading {
    fn check_presence(&self) {
        for name in ["schema", "revision", "issuedAt"] {
            if !self.seen.contains(name) {
                self.findings.report(Place::ROOT.member(name), "is missing");
            }
        }
    }

    fn scalar(&mut self, name: &str, node: &Node<'_>) {
        let root = Place::ROOT;
        let cursor = Cursor::new(node, root.member(name), &self.findings);
        self.findings.check_duplicates(node, root.member(name));
        match name {
            "schema" if cursor.text().is_some_and(|schema| schema != SCHEMA) => {
                cursor.problem(format!("must be `{SCHEMA}`"));
            }
            "revision" => match cursor.integer().map(u64::try_from) {
                Some(Ok(revision @ 1..)) => self.documents.revision = revision,
                Some(_) => cursor.problem("must be at least 1"),
                None => {}
            },
            "issuedAt" => self.documents.issued_at = cursor.instant(),
            _ => {}
        }
    }

    fn element(&mut self, array: &str, index: usize, node: &Node<'_>) {
        fn keep<T>(documents: &mut Vec<T>, positions: &mut Vec<usize>, index: usize, document: Option<T>) {
            if let Some(document) = document {
                documents.push(document);
                positions.push(index);
            }
        }
        if self.findings.is_full() {
            (self.documents, self.positions) = (Documents::default(), Positions::default());
        }
        let root = Place::ROOT;
        let list = root.member(array);
        let place = list.item(index);
        let cursor = Cursor::new(node, place, &self.findings);
        self.findings.check_duplicates(node, place);
        let (documents, positions) = (&mut self.documents, &mut self.positions);
        match array {
            "users" => keep(&mut documents.users, &mut positions.users, index, User::read(cursor)),
            "roles" => keep(&mut documents.roles, &mut positions.roles, index, Role::read(cursor)),
            "userRoles" => keep(&mut documents.user_roles, &mut positions.user_roles, index, UserRole::read(cursor)),
            "policies" => keep(&mut documents.policies, &mut positions.policies, index, PolicyDocument::read(cursor)),
            "policyCollections" => {
                keep(&mut documents.collections, &mut positions.collections, index, PolicyCollection::read(cursor));
            }
            "accessMetadata" => {
                keep(&mut documents.access_metadata, &mut positions.access_metadata, index, AccessMetadata::read(cursor));
            }
            "personalAccessTokens" => {
                let token = PersonalAccessToken::read(cursor);
                keep(&mut documents.personal_access_tokens, &mut positions.personal_access_tokens, index, token);
            }
            _ => documents.revocations.read(cursor),
        }
    }
}

const ARRAYS: [&str; 8] = ["users", "roles", "userRoles", "policies", "policyCollections", "accessMetadata", "personalAccessTokens", "revokedTokens"];

impl<'de> Visitor<'de> for &mut Reading {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = access.next_key()? {
            if self.seen.len() >= MOST_MEMBERS {
                return Err(Error::custom(format!("has more than {MOST_MEMBERS} members")));
            }
            if !self.seen.insert(name.clone().into_owned()) {
                self.findings.report(Place::ROOT.member(&name), "stands twice in one object; keep one of the two");
            }
            if ARRAYS.contains(&&*name) {
                access.next_value_seed(Elements { reading: self, array: &name })?;
            } else {
                let node = access.next_value()?;
                self.scalar(&name, &node);
            }
        }
        Ok(())
    }
}

/// The elements of one array, each read and dropped before the next.
struct Elements<'r> {
    reading: &'r mut Reading,
    array: &'r str,
}

impl Elements<'_> {
    /// What is no array is a problem among others; reading goes on.
    fn refuse<E>(self) -> Result<(), E> {
        self.reading.findings.report(Place::ROOT.member(self.array), "must be an array");
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array `{}`", self.array)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.refuse()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.refuse()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.refuse()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.refuse()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.refuse()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.refuse()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(node) = access.next_element()? {
            self.reading.element(self.array, index, &node);
            index += 1;
        }
        Ok(())
    }
}
