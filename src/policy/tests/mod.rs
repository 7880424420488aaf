//! What the policies mean, a sentence a test; and the nouns that the tests are written with.

mod changes;
mod conditions;
mod examples;
mod index;
mod loading;
mod matching;
mod mutation;
mod policy_questions;
mod question_dates;
mod roles;
mod signing_in;
mod unknown;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::*;

/// A Saturday at noon.
const NOW: &str = "2026-11-21T12:00:00Z";

/// An action of the scope `default`.
fn action(activity: &str, entity: &str) -> Value {
    json!({ "scope": "default", "activity": activity, "entity": entity })
}

/// `Any` on portfolios.
fn any_portfolio() -> Value {
    json!([action("Any", "Portfolio")])
}

fn by_id(identifier: Value) -> Value {
    json!({ "idSelectorDefinition": { "identifier": identifier, "actions": any_portfolio() } })
}

fn by_metadata(key: &str, operator: &str, text: &str) -> Value {
    let expression = json!({ "metadataKey": key, "operator": operator, "textValue": text });
    json!({ "metadataSelectorDefinition": { "expressions": [expression], "actions": any_portfolio() } })
}

fn all_portfolios() -> Value {
    all(any_portfolio())
}

fn all(actions: Value) -> Value {
    json!({ "matchAllSelectorDefinition": { "actions": actions } })
}

fn allow(selectors: impl Into<Selectors>) -> Value {
    json!({ "grant": "Allow", "selectors": selectors.into().0, "when": {} })
}

fn deny(selectors: impl Into<Selectors>) -> Value {
    json!({ "grant": "Deny", "selectors": selectors.into().0, "when": {} })
}

/// One selector, or several.
struct Selectors(Vec<Value>);

impl From<Value> for Selectors {
    fn from(selector: Value) -> Self {
        Self(vec![selector])
    }
}

impl From<Vec<Value>> for Selectors {
    fn from(selectors: Vec<Value>) -> Self {
        Self(selectors)
    }
}

/// The policy with one more member.
fn with(mut policy: Value, member: &str, value: Value) -> Value {
    policy[member] = value;
    policy
}

/// A snapshot in the making; the user is `u`.
#[derive(Default)]
struct Snapshot(serde_json::Map<String, Value>);

impl Snapshot {
    /// Roles `r1`, `r2`, … of the user, the strongest first, each with its policies `r1-1`, `r1-2`, ….
    fn of_roles(roles: &[&[Value]]) -> Self {
        let mut snapshot = Self::default();
        for (number, policies) in (1..).zip(roles) {
            let name = format!("r{number}");
            let ids = snapshot.add_policies(&name, policies);
            snapshot.add_role(&name, number, json!({ "policyIdRoleResource": { "policies": ids } }));
        }
        let names: Vec<_> = (1..=roles.len()).map(|number| format!("r{number}")).collect();
        snapshot.user(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn user(mut self, roles: &[&str]) -> Self {
        let roles: Vec<_> = roles.iter().map(|role| id(role)).collect();
        self.push("users", json!({ "id": "u", "login": "u@example.com", "type": "Service", "status": "ACTIVE", "roles": roles }));
        self
    }

    fn add_policies(&mut self, prefix: &str, policies: &[Value]) -> Vec<Value> {
        let ids: Vec<_> = (1..=policies.len()).map(|number| id(&format!("{prefix}-{number}"))).collect();
        for (id, policy) in ids.iter().zip(policies) {
            self.push("policies", with(policy.clone(), "id", id.clone()));
        }
        ids
    }

    fn add_role(&mut self, name: &str, index: i64, resource: Value) {
        self.push("roles", json!({ "id": id(name), "roleHierarchyIndex": index, "resource": resource, "when": {}, "permission": "Read" }));
    }

    fn push(&mut self, array: &str, element: Value) {
        let list = self.0.entry(array).or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(element);
    }

    fn plus(mut self, array: &str, element: Value) -> Self {
        self.push(array, element);
        self
    }

    fn json(&self) -> Value {
        let mut document = json!({ "schema": "doorward.snapshot/1", "revision": 7, "issuedAt": NOW });
        self.0.iter().for_each(|(name, value)| document[name] = value.clone());
        document
    }

    fn load(&self) -> Policies {
        load(self.json().to_string().as_bytes()).unwrap()
    }

    /// The key paths of the problems.
    fn problems(&self) -> Vec<String> {
        problems(&self.json().to_string())
    }
}

fn problems(json: &str) -> Vec<String> {
    load(json.as_bytes()).unwrap_err().into_iter().map(|problem| problem.path).collect()
}

/// `code`, or `scope/code`.
fn id(name: &str) -> Value {
    let id = ScopedId::named(name);
    json!({ "scope": &*id.scope, "code": &*id.code })
}

/// The rights of one role with these policies.
fn one_role(policies: &[Value]) -> Policies {
    Snapshot::of_roles(&[policies]).load()
}

/// A question in the making: by default, may `u` read the portfolio US/eq now?
#[derive(Clone, Debug)]
struct Ask<'a> {
    application: &'a str,
    scope: &'a str,
    activity: &'a str,
    entity: &'a str,
    id: Vec<(&'a str, Option<Cow<'a, str>>)>,
    metadata: MetadataOf<'a>,
    effective: Dates,
    as_at: Dates,
    policy: Option<&'a PolicyDocument>,
    now: &'a str,
    header: Option<(&'a str, HeaderValue<'a>)>,
    claims: Option<&'a Claims>,
    scopes: &'a [Box<str>],
    feature: Option<(&'a str, &'a str)>,
    claimed: Option<(&'a [RoleId], bool)>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        let latest = Dates::from(Interval::at(instant(NOW)));
        Self {
            application: "LUSID",
            scope: "default",
            activity: "Read",
            entity: "Portfolio",
            id: vec![("scope", Some("US".into())), ("code", Some("eq".into()))],
            metadata: MetadataOf::Unknown,
            effective: latest,
            as_at: latest,
            policy: None,
            now: NOW,
            header: None,
            claims: None,
            scopes: &[],
            feature: Some(("LUSID", "api-portfolios-getportfolio")),
            claimed: None,
        }
    }
}

impl HeaderSource for Option<(&str, HeaderValue<'_>)> {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        self.filter(|(own, _)| *own == name).map_or(HeaderValue::Absent, |(_, value)| value)
    }
}

impl<'a> Ask<'a> {
    fn read(scope: &'a str, code: &'a str) -> Self {
        Self { id: vec![("scope", Some(scope.into())), ("code", Some(code.into()))], ..Self::default() }
    }

    fn doing(activity: &'a str) -> Self {
        Self { activity, ..Self::default() }
    }

    fn feature(code: &'a str) -> Self {
        Self { activity: "Execute", entity: "Feature", ..Self::read("LUSID", code) }
    }

    fn property(domain: &'a str, scope: &'a str, code: &'a str) -> Self {
        let id = [("domain", domain), ("scope", scope), ("code", code)];
        Self { entity: "PropertyValue", id: id.into_iter().map(|(name, value)| (name, Some(value.into()))).collect(), ..Self::default() }
    }

    fn question(&self) -> Question<'_> {
        Question {
            application: self.application,
            action_scope: self.scope,
            activity: self.activity,
            entity: self.entity,
            id: &self.id,
            metadata: self.metadata,
            effective: self.effective,
            as_at: self.as_at,
            policy: self.policy,
        }
    }

    fn subject<'s>(&'s self, policies: &'s Policies) -> Subject<'s> {
        let context = Context { now: instant(self.now).into(), headers: &self.header, claims: self.claims, scopes: self.scopes, feature: self.feature };
        let roles = match self.claimed {
            Some((roles, allow_administrator)) => RoleSource::Claimed { user_id: "u", roles, allow_administrator },
            None => RoleSource::Snapshot(policies.user("u").unwrap()),
        };
        Subject::new(policies, roles, context)
    }

    fn decide(&self, policies: &Policies) -> Decision {
        self.subject(policies).decide(&self.question())
    }

    fn granted(&self, policies: &Policies) -> bool {
        self.decide(policies).granted
    }

    /// `role policy` of the cause.
    fn cause(&self, policies: &Policies) -> String {
        let named = self.decide(policies).by.and_then(|by| by.named(policies));
        named.map(|by| format!("{} {}", by.role, by.policy.map_or_else(String::new, |policy| policy.id.to_string()))).unwrap_or_default()
    }
}

fn instant(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

fn between(from: &str, to: &str) -> Dates {
    Interval::between(instant(from), instant(to)).unwrap().into()
}

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(key, value)| (*key, vec![Some((*value).into())])).collect()
}
