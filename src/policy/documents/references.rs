//! What ties the documents together: ids that stand twice, references that lead nowhere, cycles.

use std::collections::HashMap;
use std::hash::Hash;

use super::id::ScopedId;
use super::problems::Place;
use super::reading::Findings;
use super::role::RoleResource;
use super::snapshot::{Documents, Positions};

type Ids<'a> = HashMap<&'a ScopedId, usize, foldhash::fast::FixedState>;

/// Reports everything that is wrong between the documents.
pub(super) fn check(documents: &Documents, positions: &Positions, findings: &Findings) {
    let ids = Known {
        policies: unique("policies", documents.policies.iter().map(|policy| &policy.id), &positions.policies, findings),
        collections: unique("policyCollections", documents.collections.iter().map(|collection| &collection.id), &positions.collections, findings),
        roles: unique("roles", documents.roles.iter().map(|role| &role.id), &positions.roles, findings),
    };
    let users = unique("users", documents.users.iter().map(|user| &user.id), &positions.users, findings);
    unique("userRoles", documents.user_roles.iter().map(|role| &role.id), &positions.user_roles, findings);
    let tokens = documents.personal_access_tokens.iter();
    unique("personalAccessTokens", tokens.clone().map(|token| &token.sha256), &positions.personal_access_tokens, findings);
    check_metadata(documents, positions, findings);
    for (role, index) in documents.roles.iter().zip(&positions.roles) {
        ids.check_resource("roles", *index, &role.resource, findings);
    }
    for (role, index) in documents.user_roles.iter().zip(&positions.user_roles) {
        ids.check_resource("userRoles", *index, &role.resource, findings);
    }
    for (collection, index) in documents.collections.iter().zip(&positions.collections) {
        let (root, name) = (Place::ROOT, "policyCollections");
        let list = root.member(name);
        let place = list.item(*index);
        dangling(&collection.policies, &ids.policies, place, "policies", findings);
        dangling(&collection.collections, &ids.collections, place, "policyCollections", findings);
    }
    for (token, index) in tokens.zip(&positions.personal_access_tokens) {
        if !users.contains_key(&token.user_id) {
            let (root, message) = (Place::ROOT, format!("there is no user `{}`", token.user_id));
            findings.report(root.member("personalAccessTokens").item(*index).member("userId"), message);
        }
    }
    check_cycles(documents, &ids, positions, findings);
}

/// Where each id stands first; reports the later ones.
fn unique<'a, K: Eq + Hash + ?Sized>(
    array: &str,
    ids: impl Iterator<Item = &'a K>,
    positions: &[usize],
    findings: &Findings,
) -> HashMap<&'a K, usize, foldhash::fast::FixedState> {
    let mut known = HashMap::with_capacity_and_hasher(positions.len(), foldhash::fast::FixedState::default());
    for (place, (id, position)) in ids.zip(positions).enumerate() {
        if known.contains_key(id) {
            let root = Place::ROOT;
            findings.report(root.member(array).item(*position), "has the id of an earlier element; ids must differ");
        } else {
            known.insert(id, place);
        }
    }
    known
}

fn check_metadata(documents: &Documents, positions: &Positions, findings: &Findings) {
    let mut seen = std::collections::HashSet::new();
    for (access, position) in documents.access_metadata.iter().zip(&positions.access_metadata) {
        let mut id: Vec<_> = access.id.iter().map(|(name, value)| (name.to_ascii_lowercase(), &**value)).collect();
        id.sort();
        if !seen.insert((access.entity.to_ascii_lowercase(), id)) {
            let root = Place::ROOT;
            findings.report(root.member("accessMetadata").item(*position), "has the entity and id of an earlier element; ids must differ");
        }
    }
}

struct Known<'a> {
    policies: Ids<'a>,
    collections: Ids<'a>,
    roles: Ids<'a>,
}

impl Known<'_> {
    fn check_resource(&self, array: &str, index: usize, resource: &RoleResource, findings: &Findings) {
        let root = Place::ROOT;
        let list = root.member(array);
        let role = list.item(index);
        let place = role.member("resource");
        let own = place.member("policyIdRoleResource");
        dangling(&resource.policies, &self.policies, own, "policies", findings);
        dangling(&resource.collections, &self.collections, own, "policyCollections", findings);
        let supervisor = place.member("nonTransitiveSupervisorRoleResource");
        dangling(&resource.supervised, &self.roles, supervisor, "roles", findings);
    }
}

fn dangling(references: &[ScopedId], known: &Ids<'_>, place: Place<'_>, member: &str, findings: &Findings) {
    for (index, id) in references.iter().enumerate() {
        // the administrator is built in and needs no entry
        let is_built_in = member == "roles" && id.is_administrator();
        if !known.contains_key(id) && !is_built_in {
            findings.report(place.member(member).item(index), format!("there is no `{id}`; add it or remove the reference"));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Walks the collections depth first, without recursion: a nesting as deep as the document is no danger.
fn check_cycles(documents: &Documents, ids: &Known<'_>, positions: &Positions, findings: &Findings) {
    let mut visits = vec![Visit::New; documents.collections.len()];
    let nested = |collection: usize, at: usize| {
        let inner = documents.collections.get(collection).and_then(|collection| collection.collections.get(at));
        inner.map(|id| ids.collections.get(id).copied())
    };
    for start in 0..visits.len() {
        let mut path = vec![(start, 0)];
        while let Some((collection, at)) = path.pop() {
            let Some(visit) = visits.get_mut(collection) else {
                continue;
            };
            if at == 0 && *visit == Visit::Done {
                continue;
            }
            *visit = Visit::Open;
            let Some(inner) = nested(collection, at) else {
                *visit = Visit::Done;
                continue;
            };
            path.push((collection, at + 1));
            match inner.and_then(|inner| Some((inner, *visits.get(inner)?))) {
                Some((inner, Visit::New)) => path.push((inner, 0)),
                Some((_, Visit::Open)) => {
                    let (root, index) = (Place::ROOT, positions.collections.get(collection).copied().unwrap_or(collection));
                    let list = root.member("policyCollections");
                    let element = list.item(index);
                    findings.report(element.member("policyCollections").item(at), "leads back to the collection itself; remove one reference of the cycle");
                }
                _ => {}
            }
        }
    }
}
