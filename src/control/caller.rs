//! Who asks, and what they may do about policies. Their feature was judged before; here the policies
//! themselves are the data.
//!
//! Reading policies asks for the feature alone, unless some policy speaks of reading policies: then
//! that one says which. Changing them, and handing them on to roles, always needs a grant (entities
//! `Policy`, `PolicyCollection` and `Delegation`; semantics §4, `policySelectorDefinition`).

use super::problem::{Code, Problem};
use super::wire::RequestId;
use crate::authorize::{self, RequestHeaders};
use crate::observe::clock;
use crate::policy::{Context, Dates, HeaderSource, HeaderValue, Interval, Metadata, MetadataOf, Policies, PolicyDocument, Question, Subject};
use crate::snapshot::World;
use crate::store::{Author, Policy, PolicyCollection, ScopedId, State};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// The application of the Access API's own policies.
const APPLICATION: &str = "Access";

/// What is done to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Read,
    Add,
    Update,
    Delete,
}

impl Activity {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Add => "Add",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

/// One who asks; cheap to clone.
#[derive(Clone)]
pub(super) struct Caller(Arc<Known>);

/// What is known of a caller, and what was found out: whether they read whatever policy and collection there is.
struct Known {
    facts: Facts,
    reads_every_policy: OnceLock<bool>,
    reads_every_collection: OnceLock<bool>,
}

/// What is known of a caller.
pub(super) struct Facts {
    /// The user that acts.
    pub(super) user: authorize::Caller,
    /// The world they were judged by.
    pub(super) world: Arc<World>,
    /// `jti` and end of the token, if it is one of ours.
    pub(super) token: Option<(Box<str>, jiff::Timestamp)>,
    /// Whether they came by a personal access token.
    pub(super) by_personal_access_token: bool,
    /// The feature that is executed, `application/code`.
    pub(super) feature: String,
    /// The request.
    pub(super) request: RequestId,
    /// Its headers, for policies that name some.
    pub(super) headers: HeaderMap,
}

impl HeaderSource for Facts {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        RequestHeaders(&self.headers).seen(name)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::of(Code::InvalidToken))
    }
}

impl Caller {
    pub(super) fn new(facts: Facts) -> Self {
        Self(Arc::new(Known { facts, reads_every_policy: OnceLock::new(), reads_every_collection: OnceLock::new() }))
    }

    /// The user's id.
    pub(super) fn user(&self) -> &str {
        self.0.facts.user.user_id()
    }

    /// `jti` and end of the access token they came by.
    pub(super) fn token(&self) -> Option<(&str, jiff::Timestamp)> {
        self.0.facts.token.as_ref().map(|(id, end)| (&**id, *end))
    }

    /// Whether they came by a personal access token.
    pub(super) fn has_personal_access_token(&self) -> bool {
        self.0.facts.by_personal_access_token
    }

    /// The feature that is executed, `application/code`.
    pub(super) fn feature(&self) -> &str {
        &self.0.facts.feature
    }

    /// The application of that feature.
    pub(super) fn application(&self) -> &str {
        self.0.facts.feature.split('/').next().unwrap_or_default()
    }

    /// In whose name changes are written down.
    pub(super) fn author(&self) -> Author {
        let operation = self.0.facts.feature.split_once('/').map_or(&*self.0.facts.feature, |(_, code)| code);
        Author { user: self.user().to_owned(), operation: operation.to_owned(), request: self.0.facts.request.to_string() }
    }

    /// `scope/code` of the roles in force, the strongest first.
    pub(super) fn role_names(&self) -> Vec<String> {
        self.subject().role_names().collect()
    }

    /// Whether they have the role `LUSID_SYSTEM/lusid-administrator`.
    pub(super) fn is_administrator(&self) -> bool {
        self.subject().role_names().any(|name| name == "LUSID_SYSTEM/lusid-administrator")
    }

    /// Whether a policy may be shown.
    pub(super) fn sees_policy(&self, policy: &Policy) -> bool {
        // Reading the document takes time, and lists are long.
        *self.0.reads_every_policy.get_or_init(|| self.reads_every("Policy")) || self.sees("Policy", &policy.id, document(policy).as_ref())
    }

    /// Whether a collection may be shown.
    pub(super) fn sees_collection(&self, collection: &PolicyCollection) -> bool {
        *self.0.reads_every_collection.get_or_init(|| self.reads_every("PolicyCollection")) || self.sees("PolicyCollection", &collection.id, None)
    }

    /// # Errors
    /// 403 unless a policy grants it.
    pub(super) fn require_policy(&self, activity: Activity, policy: &Policy) -> Result<(), Problem> {
        self.require(activity, "Policy", &policy.id, document(policy).as_ref())
    }

    /// # Errors
    /// 403 unless a policy grants it.
    pub(super) fn require_collection(&self, activity: Activity, collection: &PolicyCollection) -> Result<(), Problem> {
        self.require(activity, "PolicyCollection", &collection.id, None)
    }

    /// Whether they may hand these policies on, or take them away: to and from a role, a user-role or
    /// a collection. Of a collection every policy in it is asked, however deep; one that has nothing in it yet,
    /// or is not there yet, is asked itself. What is named before it is there is asked by its id: of what it will say nothing is known.
    ///
    /// # Errors
    /// 403 unless a policy grants each.
    pub(super) fn require_delegation(&self, state: &State, activity: Activity, policies: &[ScopedId], collections: &[ScopedId]) -> Result<(), Problem> {
        let named = expanded(state, policies, collections);
        for id in &named.policies {
            let document = state.policies.find(&id.key()).and_then(|policy| document(policy));
            self.require(activity, "Delegation", id, document.as_ref())?;
        }
        named.bare_collections.iter().try_for_each(|id| self.require(activity, "Delegation", id, None))
    }

    /// Whether they may execute a feature, by application and code, now and by the call's own headers.
    pub(super) fn may_execute(&self, (application, code): (&str, &str)) -> bool {
        let now = Dates::Between(Interval::at(clock::now()));
        let question = Question {
            application,
            action_scope: "default",
            activity: "Execute",
            entity: "Feature",
            id: &[("scope", Some(application.into())), ("code", Some(code.into()))],
            metadata: MetadataOf::Unknown,
            effective: now,
            as_at: now,
            policy: None,
        };
        self.subject_at(&self.0.facts, Some((application, code))).decide(&question).granted
    }

    /// Whether they are an administrator, or nothing speaks of reading it, for or against.
    fn reads_every(&self, entity: &str) -> bool {
        let subject = self.subject();
        let is_spoken_of = subject.could_grant(APPLICATION, "Read", entity) || subject.could_deny(APPLICATION, "Read", entity);
        self.is_administrator() || !is_spoken_of
    }

    fn sees(&self, entity: &str, id: &ScopedId, document: Option<&PolicyDocument>) -> bool {
        let decision = self.subject().decide(&question(Activity::Read, entity, &parts(id), document));
        // Nothing speaks of it, and nothing speaks of reading any policy at all.
        let is_unrestricted = decision.by.is_none() && !self.subject().could_grant(APPLICATION, "Read", entity);
        decision.granted || is_unrestricted
    }

    fn require(&self, activity: Activity, entity: &str, id: &ScopedId, document: Option<&PolicyDocument>) -> Result<(), Problem> {
        match self.subject().decide(&question(activity, entity, &parts(id), document)).granted {
            true => Ok(()),
            false => Err(Problem::of(Code::AccessDenied).detail(format!("You may not {} this {entity}.", activity.name().to_ascii_lowercase()))),
        }
    }

    /// The policies that they are judged by.
    pub(super) fn policies(&self) -> &Policies {
        &self.0.facts.world.snapshot.policies
    }

    /// What policies see of them at a call with these headers that executes a feature, by application and code; none = it is not known which.
    pub(super) fn subject_at<'a>(&'a self, headers: &'a dyn HeaderSource, feature: Option<(&'a str, &'a str)>) -> Subject<'a> {
        let context = Context { now: clock::now(), headers, claims: self.0.facts.user.claims(), scopes: self.0.facts.user.scopes(), feature };
        Subject::new(self.policies(), self.0.facts.user.roles(self.policies()), context)
    }

    /// The same for bare questions, now.
    pub(super) fn asking<'a>(&'a self, headers: &'a dyn HeaderSource) -> authorize::Asking<'a> {
        authorize::Asking { policies: self.policies(), caller: &self.0.facts.user, is_token_known: true, headers, now: clock::now() }
    }

    fn subject(&self) -> Subject<'_> {
        self.subject_at(&self.0.facts, self.0.facts.feature.split_once('/'))
    }
}

type IdParts<'a> = [(&'a str, Option<std::borrow::Cow<'a, str>>); 2];

fn parts(id: &ScopedId) -> IdParts<'_> {
    [("scope", Some(id.scope.as_str().into())), ("code", Some(id.code.as_str().into()))]
}

fn question<'a>(activity: Activity, entity: &'a str, id: &'a IdParts<'a>, policy: Option<&'a PolicyDocument>) -> Question<'a> {
    static NO_METADATA: std::sync::LazyLock<Metadata> = std::sync::LazyLock::new(Metadata::default);
    let now = Dates::Between(Interval::at(clock::now()));
    Question {
        application: APPLICATION,
        action_scope: "default",
        activity: activity.name(),
        entity,
        id,
        metadata: MetadataOf::Known(&NO_METADATA),
        effective: now,
        as_at: now,
        policy,
    }
}

/// The policy as the engine reads it; what it cannot read is unknown to it.
fn document(policy: &Policy) -> Option<PolicyDocument> {
    PolicyDocument::parse(&serde_json::to_vec(policy).ok()?).ok()
}

/// What is asked when policies and collections are handed on.
#[derive(Default)]
struct Named {
    policies: BTreeSet<ScopedId>,
    /// Collections in which there is nothing to be asked, or which are not there.
    bare_collections: BTreeSet<ScopedId>,
}

/// These policies and those of these collections, however deep.
fn expanded(state: &State, policies: &[ScopedId], collections: &[ScopedId]) -> Named {
    let mut named = Named { policies: policies.iter().cloned().collect(), ..Named::default() };
    let mut seen = BTreeSet::new();
    let mut open: Vec<&ScopedId> = collections.iter().collect();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let collection = state.collections.find(&id.key());
        match collection.filter(|collection| !(collection.policies.is_empty() && collection.policy_collections.is_empty())) {
            Some(collection) => {
                named.policies.extend(collection.policies.iter().cloned());
                open.extend(&collection.policy_collections);
            }
            None => {
                named.bare_collections.insert(id.clone());
            }
        }
    }
    named
}

/// Callers for the tests of the operations.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::authorize::Identity;
    use crate::snapshot::Snapshot;
    use crate::token::{IssuerRules, VerifiedToken};
    use serde_json::{Value, json};

    /// This user of this snapshot document, by an access token.
    pub(in crate::control) fn caller(snapshot: &Value, user: &str) -> Caller {
        let now = clock::now();
        let snapshot = Snapshot::load(snapshot.to_string().as_bytes(), now).unwrap();
        let token = VerifiedToken {
            rules: Arc::new(IssuerRules::named("https://id.example")),
            user: user.into(),
            claims: crate::policy::Claims::default(),
            scopes: Vec::new(),
            roles: Vec::new(),
            token_id: Some("token-1".into()),
            issued_at: Some(now),
            expires_at: now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap(),
            binding: None,
        };
        let end = token.expires_at;
        let found = authorize::Caller::find(&Identity::Token(Arc::new(token)), &snapshot.policies, now).unwrap();
        Caller::new(Facts {
            user: found,
            world: Arc::new(World { snapshot: Arc::new(snapshot), ..World::default() }),
            token: Some(("token-1".into(), end)),
            by_personal_access_token: false,
            feature: "Access/access-tests".to_owned(),
            request: RequestId("00000000000000000000000000000001".to_owned()),
            headers: HeaderMap::new(),
        })
    }

    #[test]
    fn a_policy_about_policies_sees_the_headers_of_the_request() {
        let any = json!([{"matchAllSelectorDefinition": {"actions": [{"scope": "default", "activity": "Any", "entity": "Policy"}]}}]);
        let outside = json!([{"ifRequestHeaderExpression": {"headerName": "X-Net", "operator": "EqualsCaseSensitive", "value": "external"}}]);
        let role = |code: &str, rank: u32| json!({"id": {"code": code}, "roleHierarchyIndex": rank, "resource": {"policyIdRoleResource": {"policies": [{"code": code}]}}});
        let user = json!({"id": "00u1", "login": "a@b.c", "type": "Personal", "status": "ACTIVE", "roles": [{"code": "no"}, {"code": "yes"}]});
        let snapshot = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z", "users": [user], "roles": [role("no", 2), role("yes", 3)],
            "policies": [{"id": {"code": "no"}, "grant": "Deny", "selectors": any, "if": outside}, {"id": {"code": "yes"}, "grant": "Allow", "selectors": any}]});
        let policy: Policy = serde_json::from_value(json!({"id": {"scope": "default", "code": "abc"}, "grant": "Allow", "selectors": any,
            "when": {"activate": "2020-01-01T00:00:00Z", "deactivate": "9999-12-31T23:59:59Z"}}))
        .unwrap();
        let may = |net: &'static str| {
            let Ok(mut known) = Arc::try_unwrap(caller(&snapshot, "00u1").0) else { panic!("it is shared") };
            known.facts.headers.insert("x-net", http::HeaderValue::from_static(net));
            Caller(Arc::new(known)).require_policy(Activity::Update, &policy).is_ok()
        };
        assert_eq!([may("internal"), may("external")], [true, false]);
    }

    /// An administrator called `00uadministrator00001`.
    pub(in crate::control) fn administrator() -> Caller {
        let user = json!({"id": "00uadministrator00001", "login": "owner@example.com", "type": "Personal", "status": "ACTIVE",
            "roles": [{"scope": "LUSID_SYSTEM", "code": "lusid-administrator"}]});
        let snapshot = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z", "users": [user]});
        caller(&snapshot, "00uadministrator00001")
    }

    #[test]
    fn what_is_found_out_once_is_what_would_be_found_out_of_each_policy() {
        let about = |grant: &str, condition: &Value| {
            let mut selector = json!({"actions": [{"scope": "default", "activity": "Read", "entity": "Policy"}]});
            selector.as_object_mut().unwrap().extend(condition.as_object().unwrap().clone());
            json!({"id": {"code": "own"}, "grant": grant, "selectors": [{"policySelectorDefinition": selector}]})
        };
        let none = json!({"id": {"code": "own"}, "grant": "Allow",
            "selectors": [{"matchAllSelectorDefinition": {"actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}]}}]});
        let one = json!({"identityRestriction": {"code": "abc"}});
        let covering =
            json!({"restrictionSelectors": [{"matchAllSelectorDefinition": {"actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}]}}]});
        for (own, expected) in
            [(none, [true, true]), (about("Allow", &one), [true, false]), (about("Deny", &one), [false, true]), (about("Deny", &covering), [false, false])]
        {
            let role = json!({"id": {"code": "own"}, "roleHierarchyIndex": 2, "resource": {"policyIdRoleResource": {"policies": [{"code": "own"}]}}});
            let user = json!({"id": "00u1", "login": "a@b.c", "type": "Personal", "status": "ACTIVE", "roles": [{"code": "own"}]});
            let snapshot = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z", "users": [user], "roles": [role], "policies": [own]});
            let caller = caller(&snapshot, "00u1");
            let seen = ["abc", "other"].map(|code| {
                let policy: Policy = serde_json::from_value(json!({"id": {"scope": "default", "code": code}, "grant": "Allow",
                    "selectors": [{"matchAllSelectorDefinition": {"actions": [{"scope": "default", "activity": "Read", "entity": "Portfolio"}]}}],
                    "when": {"activate": "2020-01-01T00:00:00Z", "deactivate": "9999-12-31T23:59:59Z"}}))
                .unwrap();
                assert_eq!(caller.sees_policy(&policy), caller.sees("Policy", &policy.id, document(&policy).as_ref()), "{own}");
                caller.sees_policy(&policy)
            });
            assert_eq!(seen, expected, "{own}");
        }
    }

    #[test]
    fn an_administrator_is_one_and_may_do_everything_to_policies() {
        let caller = administrator();
        assert!(caller.is_administrator());
        let policy: Policy = serde_json::from_value(json!({"id": {"scope": "default", "code": "abc"}, "grant": "Allow",
            "selectors": [{"matchAllSelectorDefinition": {"actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}]}}],
            "when": {"activate": "2020-01-01T00:00:00Z", "deactivate": "9999-12-31T23:59:59Z"}}))
        .unwrap();
        caller.require_policy(Activity::Add, &policy).unwrap();
        assert!(caller.sees_policy(&policy));
    }
}
