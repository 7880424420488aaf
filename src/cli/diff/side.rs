//! One user in one of the two snapshots: what he has by name.

use crate::api_map::ApiMap;
use crate::policy::{
    Context, Dates, Grant, Interval, MetadataOf, NoHeaders, Policies, PolicyDocument, Question, RoleResource, RoleSource, ScopedId, Subject, User,
};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How the names of policies begin that refuse.
pub(super) const DENY: &str = "the Deny policy ";

/// A user who may sign in; who may not, or is not there, is nobody.
pub(super) struct Side<'a> {
    policies: &'a Policies,
    user: Option<&'a User>,
    now: Timestamp,
}

/// What one user has.
#[derive(Default)]
pub(super) struct Held {
    /// What is there or is not.
    pub(super) rights: BTreeSet<String>,
    /// The policies of the roles and the user-role, each with its text.
    pub(super) policies: BTreeMap<String, String>,
}

impl<'a> Side<'a> {
    pub(super) fn new(policies: &'a Policies, id: &str, now: Timestamp) -> Self {
        Self { policies, user: policies.user(id).filter(|user| user.may_sign_in(now)), now }
    }

    /// What policies see of the user at a call of that feature. Conditions on headers and claims are judged as for a call without any.
    pub(super) fn subject(&self, feature: Option<(&'a str, &'a str)>) -> Option<Subject<'a>> {
        let context = Context { now: self.now, headers: &NoHeaders, claims: None, scopes: &[], feature };
        self.user.map(|user| Subject::new(self.policies, RoleSource::Snapshot(user), context))
    }

    /// What the user has by name: features only with a map, which says which there are.
    pub(super) fn held(&self, map: Option<&'a ApiMap>) -> Held {
        let mut held = Held::default();
        let (Some(user), Some(subject)) = (self.user, self.subject(None)) else { return held };
        held.rights.insert("the right to sign in".to_owned());
        held.rights.extend(subject.role_names().map(|role| format!("the role {role}")));
        held.policies = policies_of_user(self.policies, user);
        for operation in map.map(ApiMap::operations).unwrap_or_default() {
            let feature = (operation.application.as_ref(), operation.feature.as_ref());
            if self.subject(Some(feature)).is_some_and(|subject| executes(&subject, feature, self.now)) {
                held.rights.insert(format!("the feature {}/{}", feature.0, feature.1));
            }
        }
        held
    }
}

/// Every policy of the user's roles and user-role, by its name and with its text.
fn policies_of_user(policies: &Policies, user: &User) -> BTreeMap<String, String> {
    let roles = user.roles.iter().filter_map(|id| policies.role(id)).map(|role| (role.id.to_string(), &role.resource));
    let own = policies.user_role(&user.id).map(|role| ("the user-role".to_owned(), &role.resource));
    let mut found = BTreeMap::new();
    for (role, resource) in roles.chain(own) {
        let supervised = resource.supervised.iter().filter_map(|id| policies.role(id)).map(|role| &role.resource);
        for resource in std::iter::once(resource).chain(supervised) {
            let own = policies_of(policies, resource);
            let documents = own.iter().filter_map(|id| policies.document(id));
            found.extend(documents.map(|policy| (format!("{}{} of {role}", begun(policy), policy.id), format!("{policy:?}"))));
        }
    }
    found
}

const fn begun(policy: &PolicyDocument) -> &'static str {
    match policy.grant {
        Grant::Allow => "the Allow policy ",
        Grant::Deny => DENY,
    }
}

fn policies_of(policies: &Policies, resource: &RoleResource) -> BTreeSet<ScopedId> {
    let mut found: BTreeSet<ScopedId> = resource.policies.iter().cloned().collect();
    let mut open: Vec<&ScopedId> = resource.collections.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(collection) = policies.collections().iter().find(|collection| collection.id == *id).filter(|_| seen.insert(id)) else { continue };
        found.extend(collection.policies.iter().cloned());
        open.extend(&collection.collections);
    }
    found
}

fn executes(subject: &Subject<'_>, feature: (&str, &str), now: Timestamp) -> bool {
    let dates = Dates::Between(Interval::at(now));
    let question = Question {
        application: feature.0,
        action_scope: "default",
        activity: "Execute",
        entity: "Feature",
        id: &[("scope", Some(Cow::Borrowed(feature.0))), ("code", Some(Cow::Borrowed(feature.1)))],
        metadata: MetadataOf::Unknown,
        effective: dates,
        as_at: dates,
        policy: None,
    };
    subject.decide(&question).granted
}
