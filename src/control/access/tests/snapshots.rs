//! Whatever is accepted, every data plane can load the snapshot of what is kept.

use super::super::{collections, policies, roles, user_roles};
use super::*;
use crate::store::ScopedId;
use proptest::prelude::*;

/// Words that are good in most places, or bad.
fn word() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        30 => prop_oneof!["[a-z]{3,5}", Just("Portfolio".to_owned()), Just("Policy".to_owned())].prop_map(Value::from),
        1 => proptest::sample::select(&["", "*", "\u{0}\"\u{10ffff}"][..]).prop_map(Value::from),
        1 => prop_oneof![Just(Value::Null), Just(json!(5))],
    ]
}

/// One of these, or something that is none of them.
fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    prop_oneof![30 => proptest::sample::select(names).prop_map(Value::from), 1 => Just(json!("Undefined")), 1 => Just(Value::Null)]
}

fn date() -> impl Strategy<Value = Value> + Clone {
    const GOOD: &[&str] =
        &["2024-01-01", "2024-02-29T23:59:59.9999999+14:00", "0001-01-01T00:00:00.0000000+00:00", "9999-12-31T23:59:59.9999999+00:00", "2024-01-01t00:00:00z"];
    const BAD: &[&str] = &["2024-13-01", "2016-12-31T23:59:60Z", "yesterday", "2024-01-01T00:00:00", "0000-01-01T00:00:00Z", ""];
    prop_oneof![
        20 => proptest::sample::select(GOOD).prop_map(Value::from),
        1 => proptest::sample::select(BAD).prop_map(Value::from),
        2 => Just(Value::Null),
    ]
}

/// Actions on one of these entities, or on none that suit.
fn actions(entities: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    let entity = prop_oneof![30 => proptest::sample::select(entities).prop_map(Value::from), 1 => word()];
    let action = (word(), word(), entity).prop_map(|(scope, activity, entity)| json!({ "scope": scope, "activity": activity, "entity": entity }));
    prop_oneof![20 => proptest::collection::vec(action, 1..3), 1 => Just(Vec::new())].prop_map(Value::from)
}

fn selector() -> impl Strategy<Value = Value> {
    const DATA: &[&str] = &["Portfolio", "Feature", "portfolio"];
    const ABOUT_POLICIES: &[&str] = &["Policy", "PolicyCollection", "Delegation"];
    let operators = &["Equals", "NotEquals", "In", "GreaterThan"][..];
    let expression =
        (word(), one_of(operators), word()).prop_map(|(key, operator, text)| json!({ "metadataKey": key, "operator": operator, "textValue": text }));
    let leaf = prop_oneof![
        6 => (proptest::collection::btree_map("[a-z]{0,4}", word(), 0..3), actions(DATA))
            .prop_map(|(identifier, actions)| json!({ "idSelectorDefinition": { "identifier": identifier, "actions": actions } })),
        6 => (proptest::collection::vec(expression, 0..3), actions(DATA))
            .prop_map(|(expressions, actions)| json!({ "metadataSelectorDefinition": { "expressions": expressions, "actions": actions } })),
        6 => actions(DATA).prop_map(|actions| json!({ "matchAllSelectorDefinition": { "actions": actions }, "idSelectorDefinition": null })),
        1 => Just(json!({})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let identity = proptest::option::of(word()).prop_map(|code| code.map(|code| json!({ "code": code })));
        (proptest::collection::vec(inner, 0..3), actions(ABOUT_POLICIES), identity).prop_map(|(selectors, actions, identity)| {
            json!({ "policySelectorDefinition": { "identityRestriction": identity, "restrictionSelectors": selectors, "actions": actions } })
        })
    })
}

fn for_spec() -> impl Strategy<Value = Value> {
    let relative = (
        one_of(&["Now", "FirstOfMonth"]),
        prop_oneof![9 => -1000..1000_i64, 1 => any::<i64>()],
        one_of(&["Day", "BusinessDay", "Years"]),
        one_of(&["Before", "Exactly"]),
    )
        .prop_map(|(date, adjustment, unit, to)| json!({ "date": date, "adjustment": adjustment, "unit": unit, "relativeToDateTime": to }));
    let end = prop_oneof![
        Just(json!({ "value": "AsAt=Latest" })),
        Just(json!({ "value": "AsAt=Now" })),
        date().prop_map(|date| json!({ "dateTimeOffset": date })),
        Just(json!({}))
    ];
    prop_oneof![
        (date(), date()).prop_map(|(from, to)| json!({ "effectiveRange": { "from": from, "to": to } })),
        (end.clone(), end).prop_map(|(from, to)| json!({ "asAtRangeForSpec": { "from": from, "to": to } })),
        relative.clone().prop_map(|relative| json!({ "asAtRelative": relative })),
        relative.prop_map(|relative| json!({ "effectiveDateRelative": relative, "effectiveRange": null })),
        one_of(&["IsAfter5pm"]).prop_map(|quality| json!({ "effectiveDateHasQuality": { "quality": quality } })),
    ]
}

fn if_expression() -> impl Strategy<Value = Value> {
    let operators = &["EqualsCaseSensitive", "NotPresent", "InCaseInsensitive"][..];
    prop_oneof![
        (word(), one_of(operators), word())
            .prop_map(|(name, operator, value)| json!({ "ifRequestHeaderExpression": { "headerName": name, "operator": operator, "value": value } })),
        (word(), one_of(operators), word(), word()).prop_map(|(claim, operator, value, issuer)| {
            json!({ "ifIdentityClaimExpression": { "claimType": claim, "operator": operator, "value": value, "claimIssuer": issuer } })
        }),
        word().prop_map(|name| json!({ "ifIdentityScopeExpression": { "scopeName": name } })),
        (word(), one_of(&["In", "NotIn"])).prop_map(|(code, operator)| json!({ "ifViaApiExpression": { "apiFeatureCodes": code, "operator": operator } })),
        (proptest::collection::vec(word(), 0..3)).prop_map(|codes| json!({ "ifViaApiExpression": { "apiFeatureCodes": codes } })),
        (proptest::collection::vec(selector(), 0..2)).prop_map(|selectors| json!({ "ifFeatureChainExpression": { "selectors": selectors } })),
    ]
}

prop_compose! {
    fn policy()(
        selectors in proptest::collection::vec(selector(), 1..3),
        dates in proptest::option::of(proptest::collection::vec(for_spec(), 0..2)),
        conditions in proptest::option::of(proptest::collection::vec(if_expression(), 0..2)),
        grant in one_of(&["Allow", "Deny"]),
        activate in date(),
        deactivate in date(),
        applications in proptest::option::of(proptest::collection::vec("[A-Z]{0,3}", 0..2)),
        code in 0..3_usize,
    ) -> Value {
        json!({
            "code": format!("policy-{code}"), "grant": grant, "selectors": selectors, "for": dates, "if": conditions, "applications": applications,
            "when": { "activate": activate, "deactivate": deactivate },
        })
    }
}

fn ids(kind: &'static str) -> impl Strategy<Value = Value> {
    let id = (0..4_usize, proptest::option::weighted(0.5, Just("default")))
        .prop_map(move |(code, scope)| json!({ "scope": scope, "code": format!("{kind}-{code}") }));
    proptest::collection::vec(id, 0..3).prop_map(Value::from)
}

/// Something that a caller asks for.
#[derive(Clone, Debug)]
enum Step {
    Policy(bool, Value),
    Collection(bool, Value),
    Role(bool, Value),
    UserRole(Value),
    Delete(&'static str, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let held = || (ids("policy"), ids("collection")).prop_map(|(policies, collections)| json!({ "policies": policies, "policyCollections": collections }));
    let collection = (0..4_usize, held()).prop_map(|(code, mut body)| {
        body["code"] = json!(format!("collection-{code}"));
        body
    });
    let resource = prop_oneof![
        3 => held().prop_map(|held| json!({ "policyIdRoleResource": held })),
        1 => ids("role").prop_map(|roles| json!({ "nonTransitiveSupervisorRoleResource": { "roles": roles } })),
    ];
    let role = (0..4_usize, resource).prop_map(|(code, resource)| json!({ "code": format!("role-{code}"), "resource": resource, "when": {} }));
    prop_oneof![
        4 => (any::<bool>(), policy()).prop_map(|(is_new, body)| Step::Policy(is_new, body)),
        3 => (any::<bool>(), collection).prop_map(|(is_new, body)| Step::Collection(is_new, body)),
        3 => (any::<bool>(), role).prop_map(|(is_new, body)| Step::Role(is_new, body)),
        1 => held().prop_map(Step::UserRole),
        2 => (proptest::sample::select(&["policy", "collection", "role"][..]), 0..4_usize).prop_map(|(kind, code)| Step::Delete(kind, code)),
    ]
}

fn read<T: DeserializeOwned + ToSchema + 'static>(value: &Value) -> Result<T, Problem> {
    body::read(value)
}

fn take(draft: &mut Draft, step: &Step) -> Result<(), Problem> {
    let caller = administrator();
    let own = |body: &Value| id(body["code"].as_str().unwrap());
    let still = super::super::ranks::Place { before: None, after: None };
    match step {
        Step::Policy(true, body) => policies::creation(draft, &caller, read(body)?).map(drop),
        Step::Policy(false, body) => policies::replacement(draft, &caller, &own(body), read(body)?).map(drop),
        Step::Collection(true, body) => collections::creation(draft, &caller, read(body)?).map(drop),
        Step::Collection(false, body) => collections::replacement(draft, &caller, &own(body), read(body)?).map(drop),
        Step::Role(true, body) => roles::creation(draft, &caller, read(body)?).map(drop),
        Step::Role(false, body) => roles::replacement(draft, &caller, &own(body), (read(body)?, still)).map(drop),
        Step::UserRole(held) => user_roles::replacement(draft, &caller, "00u1", read(&json!({ "resource": held }))?).map(drop),
        Step::Delete("policy", code) => policies::deletion(draft, &caller, &id(&format!("policy-{code}"))),
        Step::Delete("collection", code) => collections::deletion(draft, &caller, &id(&format!("collection-{code}"))),
        Step::Delete(_, code) => roles::deletion(draft, &caller, &id(&format!("role-{code}"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_always_loads(steps in proptest::collection::vec(step(), 0..40)) {
        let mut draft = draft_with_policies(&["policy-3"]);
        draft.put(crate::store::UserRole { id: ScopedId::new("_users", "00u1"), resource: crate::store::Resource::default() });
        for step in &steps {
            let mut next = Draft::new(&draft, now());
            if take(&mut next, step).is_ok() {
                draft = next;
                if let Err(problems) = crate::policy::load(snapshot_of(&draft).as_bytes()) {
                    prop_assert!(false, "{step:?} left {problems:?}");
                }
            }
        }
    }
}

/// The steps are not all refused: otherwise the property would say nothing.
#[test]
fn many_random_requests_are_accepted() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut accepted = std::collections::BTreeMap::<&str, usize>::new();
    let mut draft = draft_with_policies(&["policy-3"]);
    for _ in 0..600 {
        let step = step().new_tree(&mut runner).unwrap().current();
        let mut next = Draft::new(&draft, now());
        if take(&mut next, &step).is_ok() {
            draft = next;
            let kind = match step {
                Step::Policy(..) => "policy",
                Step::Collection(..) => "collection",
                Step::Role(..) => "role",
                Step::UserRole(..) => "user-role",
                Step::Delete(..) => "delete",
            };
            *accepted.entry(kind).or_default() += 1;
        }
    }
    for kind in ["policy", "collection", "role", "delete"] {
        assert!(accepted.get(kind).is_some_and(|count| *count >= 10), "{accepted:?}");
    }
}
