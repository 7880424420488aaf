//! Random calls on a random snapshot, with a question each.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::super::context::{ClaimValue, Claims, HeaderSource, HeaderValue};
use super::worlds::{METADATA, TEXTS, date, one_of, policy};

const VALUES: [&str; 11] = ["US", "us", "UK", "eq", "eq-1", "EQ", "c7", "c8", "", "U*", "é"];

#[derive(Clone, Debug)]
pub(super) struct Call {
    /// None: the roles of the snapshot.
    pub(super) claimed_roles: Option<(Vec<String>, bool)>,
    pub(super) user: &'static str,
    pub(super) headers: Headers,
    pub(super) claims: Option<Claims>,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) feature: Option<(&'static str, &'static str)>,
    pub(super) asked: Asked,
}

/// Metadata keys with their values.
pub(super) type Values = Vec<(&'static str, Vec<Option<&'static str>>)>;

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) application: &'static str,
    pub(super) scope: &'static str,
    pub(super) activity: &'static str,
    pub(super) entity: &'static str,
    pub(super) id: Vec<(&'static str, Option<&'static str>)>,
    pub(super) metadata: Known<Values>,
    pub(super) effective: Known<(String, String)>,
    pub(super) as_at: Known<(String, String)>,
    /// For questions about policies.
    pub(super) policy: Option<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Known<T> {
    Unknown,
    Left,
    Yes(T),
}

/// Headers by name; none: it cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Headers(Vec<(&'static str, Option<&'static str>)>);

impl HeaderSource for Headers {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        match self.0.iter().find(|(own, _)| *own == name) {
            None => HeaderValue::Absent,
            Some((_, None)) => HeaderValue::Unknown,
            Some((_, Some(text))) => HeaderValue::Text(text),
        }
    }
}

pub(super) fn call(now: Timestamp) -> impl Strategy<Value = Call> {
    let claimed = (subsequence(vec!["r1", "default/r0", "r2", "r3", "b/none"], 0..=4), any::<bool>(), prop::bool::weighted(0.05)).prop_map(
        |(mut codes, allow, is_administrator)| {
            if is_administrator {
                codes.push("LUSID_SYSTEM/lusid-administrator");
            }
            (codes.into_iter().map(str::to_owned).rev().collect(), allow)
        },
    );
    let headers = vec(weighted(0.85, one_of(&TEXTS)), 0..=2).prop_map(|values| Headers(["x-team", "x-other"].into_iter().zip(values).collect()));
    let scopes = subsequence(vec!["read", "write", "READ"], 0..=3).prop_map(|scopes| scopes.into_iter().map(Into::into).collect());
    let feature = weighted(0.85, select(vec![("LUSID", "f-1"), ("lusid", "F-2"), ("other", "f-1"), ("LUSID", "a/f-1")]));
    let user = prop_oneof![3 => Just("u1"), 1 => Just("u2")];
    (weighted(0.25, claimed), user, headers, weighted(0.8, claims()), scopes, feature, asked(now))
        .prop_map(|(claimed_roles, user, headers, claims, scopes, feature, asked)| Call { claimed_roles, user, headers, claims, scopes, feature, asked })
}

fn claims() -> impl Strategy<Value = Claims> {
    let value = weighted(0.85, one_of(&TEXTS)).prop_map(|text| text.map_or(ClaimValue::Unknown, |text| ClaimValue::Text(text.into())));
    let issuer = weighted(0.8, one_of(&["https://a", "https://b"]));
    let rarely = || proptest::bool::weighted(0.1);
    (issuer, rarely(), rarely(), vec(vec(value, 1..=3), 0..=2)).prop_map(|(issuer, are_unknown, has_unknown_scope, values)| Claims {
        issuer: issuer.map(Into::into),
        are_unknown,
        has_unknown_scope,
        values: ["team", "dept"].into_iter().map(Into::into).zip(values).collect(),
    })
}

fn asked(now: Timestamp) -> BoxedStrategy<Asked> {
    let application = prop_oneof![8 => Just("LUSID"), 1 => Just("other"), 1 => Just("")];
    let scope = prop_oneof![8 => Just("default"), 1 => Just("LUSID"), 1 => Just("else")];
    let activity = prop_oneof![
        6 => Just("Read"), 1 => Just("read"), 2 => Just("Upsert"), 2 => Just("Add"), 1 => Just("Update"), 1 => Just("Delete"), 2 => Just("Execute"), 1 => Just("Any")
    ];
    let entity = prop_oneof![
        16 => Just("Portfolio"), 1 => Just("PORTFOLIO"), 3 => Just("Feature"), 3 => Just("PropertyValue"), 4 => Just("Policy"),
        1 => Just("PolicyCollection"), 1 => Just("PropertyDefinition"), 1 => Just("Holding"),
    ];
    let dates = || known(interval(now), 3, 5);
    let what = (application, scope, activity, entity);
    (what, id(), known(metadata(), 4, 3), dates(), dates(), weighted(0.8, policy_asked_about(now)))
        .prop_map(|((application, scope, activity, entity), id, metadata, effective, as_at, policy)| {
            let asked = Asked { application, scope, activity, entity, id, metadata, effective, as_at, policy: None };
            match policy {
                Some((scope, code, policy)) if entity.starts_with("Policy") => {
                    Asked { id: vec![("scope", Some(scope)), ("code", Some(code))], policy: Some(policy), ..asked }
                }
                _ => asked,
            }
        })
        .boxed()
}

fn policy_asked_about(now: Timestamp) -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    let names = (one_of(&["US", "us", "UK", "eq"]), one_of(&["eq", "eq-1", "US"]));
    names.prop_flat_map(move |(scope, code)| policy(now, json!({"scope": scope, "code": code})).prop_map(move |policy| (scope, code, policy)))
}

fn known<T: std::fmt::Debug + Clone + 'static>(value: impl Strategy<Value = T> + 'static, unknown: u32, left: u32) -> BoxedStrategy<Known<T>> {
    prop_oneof![
        unknown => Just(()).prop_map(|()| Known::Unknown),
        left => Just(()).prop_map(|()| Known::Left),
        20 => value.prop_map(Known::Yes),
    ]
    .boxed()
}

fn id() -> impl Strategy<Value = Vec<(&'static str, Option<&'static str>)>> {
    let names = prop_oneof![
        8 => Just(vec!["scope", "code"]), 1 => Just(vec!["Scope", "CODE"]), 1 => Just(vec!["code"]), 2 => Just(vec!["domain", "scope", "code"]), 1 => Just(vec![])
    ];
    (names, [(); 3].map(|()| weighted(0.9, one_of(&VALUES)))).prop_map(|(names, values)| names.into_iter().zip(values).collect())
}

fn metadata() -> impl Strategy<Value = Vec<(&'static str, Vec<Option<&'static str>>)>> {
    let values = || vec(weighted(0.9, one_of(&METADATA)), 0..=2);
    (weighted(0.7, values()), weighted(0.6, values()))
        .prop_map(|(desk, rank)| desk.map(|values| ("Desk", values)).into_iter().chain(rank.map(|values| ("Rank", values))).collect())
}

fn interval(now: Timestamp) -> BoxedStrategy<(String, String)> {
    prop_oneof![
        5 => date(now).prop_map(|date| (date.clone(), date)),
        4 => (date(now), date(now)),
        1 => Just(("0001-01-01".to_owned(), "9999-12-31T23:59:59.999999999Z".to_owned())),
        1 => date(now).prop_map(|date| (date, "9999-12-31T23:59:59.999999999Z".to_owned())),
        // about the most days that are looked through
        1 => select(vec![("2020-01-01T23:00:00Z", "2030-02-16"), ("2020-01-01T23:00:00Z", "2030-02-17")])
            .prop_map(|(from, to)| (from.to_owned(), to.to_owned())),
    ]
    .boxed()
}
