//! The two evaluators agree on random worlds; and what the explanation says of small ones.

use std::borrow::Cow;
use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use serde_json::{Value, json};

use super::super::context::{Context, NoHeaders};
use super::super::dates::{Dates, Interval, parse_instant};
use super::super::documents::{PolicyDocument, RoleId};
use super::super::metadata::Metadata;
use super::super::policies::{Policies, load};
use super::super::question::{MetadataOf, Question};
use super::super::subject::{RoleSource, Subject};
use super::calls::{Call, Known};
use super::worlds::{World, world};
use super::{CauseExplained, DecisionExplained, explain};

fn policies(snapshot: &Value) -> Policies {
    load(snapshot.to_string().as_bytes()).unwrap_or_else(|problems| panic!("{snapshot:#}\n{problems:?}"))
}

fn dates(known: &Known<(String, String)>) -> Dates {
    match known {
        Known::Unknown => Dates::Unknown,
        Known::Left => Dates::LeftToRows,
        Known::Yes((one, other)) => {
            let (one, other) = (parse_instant(one).unwrap(), parse_instant(other).unwrap());
            Dates::Between(Interval::between(one.min(other), one.max(other)).unwrap())
        }
    }
}

/// What both evaluators say, and the explanation in words.
fn both(policies: &Policies, world: &World, call: &Call) -> (DecisionExplained, DecisionExplained, String) {
    let asked = &call.asked;
    let metadata = match &asked.metadata {
        Known::Yes(values) => {
            let entry = |(key, values): &(&'static str, Vec<Option<&str>>)| (*key, values.iter().map(|value| value.map(Into::into)).collect());
            Some(values.iter().map(entry).collect::<Metadata>())
        }
        _ => None,
    };
    let policy = asked.policy.as_ref().map(|policy| PolicyDocument::parse(policy.to_string().as_bytes()).unwrap());
    let id: Vec<_> = asked.id.iter().map(|(name, value)| (*name, value.map(Cow::Borrowed))).collect();
    let question = Question {
        application: asked.application,
        action_scope: asked.scope,
        activity: asked.activity,
        entity: asked.entity,
        id: &id,
        metadata: match (&asked.metadata, &metadata) {
            (_, Some(metadata)) => MetadataOf::Known(metadata),
            (Known::Left, _) => MetadataOf::LeftToAnswer,
            _ => MetadataOf::Unknown,
        },
        effective: dates(&asked.effective),
        as_at: dates(&asked.as_at),
        policy: policy.as_ref(),
    };
    let context = Context { now: world.now, headers: &call.headers, claims: call.claims.as_ref(), scopes: &call.scopes, feature: call.feature };
    let claimed: Vec<RoleId>;
    let source = match &call.claimed_roles {
        Some((roles, allow_administrator)) => {
            claimed = roles.iter().map(|role| RoleId::named(role)).collect();
            RoleSource::Claimed { user_id: call.user, roles: &claimed, allow_administrator: *allow_administrator }
        }
        None => RoleSource::Snapshot(policies.user(call.user).unwrap()),
    };
    let explanation = explain(policies, source, &context, &question);
    let words = explanation.to_string();
    let decision = Subject::new(policies, source, context).decide(&question);
    let by = decision.by.map(|by| CauseExplained::from(by.named(policies).unwrap()));
    (DecisionExplained { granted: decision.granted, by }, explanation.decision, words)
}

#[test]
fn both_evaluators_agree_on_random_worlds() {
    let (asked, granted, denied_by_policy) = (Cell::new(0_u32), Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let result = runner.run(&world(), |world| {
        let policies = policies(&world.snapshot);
        for call in &world.calls {
            let (fast, slow, words) = both(&policies, &world, call);
            asked.set(asked.get() + 1);
            granted.set(granted.get() + u32::from(slow.granted));
            denied_by_policy.set(denied_by_policy.get() + u32::from(!slow.granted && slow.by.is_some()));
            prop_assert_eq!(fast, slow, "the fast one is left; {:?}\n{}", call, words);
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, world)) => {
            panic!("{reason}\nnow {}\n{}", world.now, world.snapshot)
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let (asked, granted, denied_by_policy) = (asked.get(), granted.get(), denied_by_policy.get());
    println!("{asked} questions, {granted} granted, {denied_by_policy} denied by a policy");
    assert!(granted > asked / 20 && denied_by_policy > asked / 20, "{asked} questions, {granted} granted, {denied_by_policy} denied by a policy");
}

/// One user `ann` with these roles, each of these policies: `{role: [policy, …]}`.
fn snapshot(roles: &Value, policies: &Value) -> Value {
    let ids: Vec<Value> = roles.as_object().unwrap().keys().map(|code| json!({"code": code})).collect();
    let role = |(index, (code, own)): (usize, (&String, &Value))| {
        let own: Vec<Value> = own.as_array().unwrap().iter().map(|code| json!({"code": code})).collect();
        json!({"id": {"code": code}, "roleHierarchyIndex": index + 1, "resource": {"policyIdRoleResource": {"policies": own}}})
    };
    let roles: Vec<Value> = roles.as_object().unwrap().iter().enumerate().map(role).collect();
    json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{"id": "ann", "status": "ACTIVE", "roles": ids}], "roles": roles, "policies": policies})
}

fn policy(code: &str, grant: &str, more: &Value) -> Value {
    let actions = json!([{"activity": "Any", "entity": "Portfolio"}]);
    let mut policy = json!({"id": {"code": code}, "grant": grant, "selectors": [{"matchAllSelectorDefinition": {"actions": actions}}]});
    for (name, value) in more.as_object().unwrap() {
        policy[name] = value.clone();
    }
    policy
}

fn by_scope(pattern: &str) -> Value {
    let actions = json!([{"activity": "Any", "entity": "Portfolio"}]);
    json!({"selectors": [{"idSelectorDefinition": {"identifier": {"scope": pattern}, "actions": actions}}]})
}

/// May ann read `US/eq` at noon on 21 November 2026?
fn explained(snapshot: &Value) -> super::Explanation {
    let policies = policies(snapshot);
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let id = [("scope", Some(Cow::Borrowed("US"))), ("code", Some(Cow::Borrowed("eq")))];
    let question = Question {
        application: "LUSID",
        action_scope: "default",
        activity: "Read",
        entity: "Portfolio",
        id: &id,
        metadata: MetadataOf::Unknown,
        effective: Dates::Between(Interval::at(now)),
        as_at: Dates::Between(Interval::everything()),
        policy: None,
    };
    let context = Context { now, headers: &NoHeaders, claims: None, scopes: &[], feature: Some(("LUSID", "f")) };
    explain(&policies, RoleSource::Snapshot(policies.user("ann").unwrap()), &context, &question)
}

#[test]
fn an_explanation_names_the_values_that_differ() {
    let words = explained(&snapshot(&json!({"r": ["uk"]}), &json!([policy("uk", "Allow", &by_scope("UK*"))]))).to_string();
    let expected = "denied: no policy grants this\n1. role default/r (index 1) is passed over\n   \
        Allow default/uk nearly matches; selectors[0]: identifier: scope `US` does not match the pattern `UK*`\n";
    assert_eq!(words, expected);
}

#[test]
fn an_explanation_tells_what_a_deny_policy_makes_of_the_unknown() {
    let actions = json!([{"activity": "Any", "entity": "Portfolio"}]);
    let expressions = json!([{"metadataKey": "Desk", "operator": "Equals", "textValue": "EQ"}]);
    let by_metadata = json!({"selectors": [{"metadataSelectorDefinition": {"expressions": expressions, "actions": actions}}]});
    let words = explained(&snapshot(&json!({"r": ["d"]}), &json!([policy("d", "Deny", &by_metadata)]))).to_string();
    assert!(words.starts_with("denied by role default/r, policy default/d, selectors[0]\n"), "{words}");
    assert!(words.contains("selectors[0] is unknown: metadata of this item is unknown, and unknown fails closed in a Deny policy"), "{words}");
}

#[test]
fn a_weaker_role_is_told_though_it_is_not_reached() {
    let policies = json!([policy("all", "Allow", &json!({})), policy("none", "Deny", &json!({}))]);
    let explanation = explained(&snapshot(&json!({"a": ["all"], "b": ["none"]}), &policies));
    assert!(explanation.decision.granted);
    assert!(explanation.to_string().contains("2. role default/b (index 2) would deny, but is not reached"), "{explanation}");
}

#[test]
fn policies_for_other_actions_are_only_counted() {
    let other = json!([{"activity": "Execute", "entity": "Feature"}]);
    let many: Vec<Value> =
        (0..30).map(|place| policy(&format!("p{place:02}"), "Allow", &json!({"selectors": [{"matchAllSelectorDefinition": {"actions": other}}]}))).collect();
    let near: Vec<Value> = (0..25).map(|place| policy(&format!("q{place:02}"), "Allow", &by_scope("UK"))).collect();
    let all: Vec<Value> = many.into_iter().chain(near).collect();
    let ids: Vec<&Value> = all.iter().map(|policy| &policy["id"]["code"]).collect();
    let explanation = explained(&snapshot(&json!({"r": ids}), &json!(all)));
    assert_eq!((explanation.roles[0].policies.len(), explanation.roles[0].unrelated_policies), (25, 30));
    let words = explanation.to_string();
    assert!(words.ends_with("   and 5 more that nearly match\n   and 30 policies for other actions\n"), "{words}");
}

#[test]
fn a_machine_reads_the_same_names() {
    let relative = json!({"effectiveDateRelative": {"relativeToDateTime": "Before", "adjustment": -7}});
    let policies = json!([policy("old", "Allow", &json!({"for": [relative]}))]);
    let json = serde_json::to_value(explained(&snapshot(&json!({"r": ["old"]}), &policies))).unwrap();
    assert_eq!(json["decision"], json!({"granted": false, "by": null}));
    let date = &json["roles"][0]["policies"][0]["conditions"][3];
    let why = "effective 2026-11-21T12:00:00Z does not lie wholly in Before 2026-11-14T12:00:00Z (Now -7 Day)";
    assert_eq!(*date, json!({"what": "for[0]", "truth": "false", "isMet": false, "why": why}));
    assert_eq!(json["roles"][0]["outcome"], json!("passedOver"));
}

#[test]
fn a_header_is_never_told_by_its_value() {
    struct Secret;
    impl super::super::context::HeaderSource for Secret {
        fn value(&self, _: &str) -> super::super::context::HeaderValue<'_> {
            super::super::context::HeaderValue::Text("canary")
        }
    }
    let test = json!({"ifRequestHeaderExpression": {"headerName": "X-Key", "operator": "EqualsCaseSensitive", "value": "other"}});
    let policies = policies(&snapshot(&json!({"r": ["p"]}), &json!([policy("p", "Allow", &json!({"if": [test]}))])));
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let dates = Dates::Between(Interval::at(now));
    let question = Question {
        application: "LUSID",
        action_scope: "default",
        activity: "Read",
        entity: "Portfolio",
        id: &[],
        metadata: MetadataOf::Unknown,
        effective: dates,
        as_at: dates,
        policy: None,
    };
    let context = Context { now, headers: &Secret, claims: None, scopes: &[], feature: None };
    let explanation = explain(&policies, RoleSource::Snapshot(policies.user("ann").unwrap()), &context, &question);
    assert!(explanation.to_string().contains("the value of header `x-key` does not satisfy EqualsCaseSensitive `other`"), "{explanation}");
    assert!(!serde_json::to_string(&explanation).unwrap().contains("canary"));
}
