//! A snapshot document. What is taken is what another reader of JSON finds in it, without a member twice;
//! what it means is the same to the quick evaluator and the literal one; and what grants nothing to
//! anybody lets nobody in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::policy::{
    Action, CauseExplained, Condition, Context, Dates, DecisionExplained, Interval, Metadata, MetadataOf, NoHeaders, Policies, Question, RoleSource, Selector,
    Subject, User, explain,
};
use rooms::snapshot::Snapshot;
use rooms::{calls, json};
use serde_json::Value;
use std::borrow::Cow;

fuzz_target!(|document: &[u8]| {
    let policies = match Snapshot::load(document, calls::now()) {
        Ok(snapshot) => {
            assert!(snapshot.is_in_force(None, calls::now()));
            snapshot.policies
        }
        Err(problems) => return assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty())),
    };
    check_document(document, &policies);
    let (users, selectors) = (policies.users().iter().take(4), || policies.policies().iter().flat_map(|policy| &policy.selectors).take(6));
    for user in users {
        for selector in selectors() {
            selector.actions.iter().take(2).for_each(|action| ask(&policies, user, action, selector));
        }
    }
});

fn check_document(document: &[u8], policies: &Policies) {
    assert!(!json::has_twins(document), "{}", document.escape_ascii());
    let Ok(value) = serde_json::from_slice::<Value>(document) else { return assert!(json::is_json(document)) };
    assert_eq!(value["schema"], "doorward.snapshot/1");
    assert_eq!(value["revision"].as_u64(), Some(policies.revision()));
    assert!(policies.revision() > 0);
    let count = |name: &str| value[name].as_array().map_or(0, Vec::len);
    assert_eq!((count("users"), count("roles")), (policies.users().len(), policies.roles().len()));
    assert_eq!((count("policies"), count("policyCollections")), (policies.policies().len(), policies.collections().len()));
}

/// A question that the selector could be meant for, with everything known and with nothing known.
fn ask(policies: &Policies, user: &User, action: &Action, selector: &Selector) {
    let known: Vec<(&str, Option<Cow<'_, str>>)> = match &selector.condition {
        Condition::Identifier(parts) => {
            parts.0.iter().map(|part| (&*part.name, part.pattern.as_deref().map(|pattern| pattern.replace('*', "x").into()))).collect()
        }
        _ => vec![("scope", Some("US".into())), ("code", Some("eq".into()))],
    };
    let own: Metadata = match &selector.condition {
        Condition::Metadata(all) => all.iter().map(|expression| (&*expression.key, vec![Some(expression.text.clone())])).collect(),
        _ => std::iter::empty::<(&str, Vec<Option<Box<str>>>)>().collect(),
    };
    let now = Dates::Between(Interval::at(calls::now()));
    let whole = (known.as_slice(), MetadataOf::Known(&own), now);
    for (id, metadata, dates) in [whole, (&[], MetadataOf::Unknown, Dates::Unknown), (&known, MetadataOf::LeftToAnswer, Dates::LeftToRows)] {
        let activity = if action.activity.eq_ignore_ascii_case("Any") { "Read" } else { &*action.activity };
        let question = Question {
            application: "LUSID",
            action_scope: "default",
            activity,
            entity: &action.entity,
            id,
            metadata,
            effective: dates,
            as_at: now,
            policy: None,
        };
        assert_agreed(policies, user, &question);
    }
}

fn assert_agreed(policies: &Policies, user: &User, question: &Question<'_>) {
    let context = Context { now: calls::now(), headers: &NoHeaders, claims: None, scopes: &[], feature: Some(("LUSID", "list")) };
    let source = RoleSource::Snapshot(user);
    let explained = explain(policies, source, &context, question).decision;
    let decision = Subject::new(policies, source, context).decide(question);
    let by = decision.by.map(|by| CauseExplained::from(by.named(policies).expect("a cause has its names")));
    assert_eq!(DecisionExplained { granted: decision.granted, by }, explained, "{question:?}");
    let is_named = user.roles.iter().any(|role| role.is_administrator()) || policies.policies().iter().any(|policy| policy.grant.name() == "Allow");
    assert!(!decision.granted || is_named, "nothing grants {question:?}");
}
