//! The two evaluators agree on what a restriction covers: selectors from an alphabet so small that they often do.

use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::super::coverage::covers_policy;
use super::super::documents::{Condition, PolicyDocument};
use super::covering::is_covered;

fn actions() -> BoxedStrategy<Value> {
    let action = (
        prop_oneof![4 => Just("default"), 1 => Just("LUSID"), 1 => Just("else")],
        prop_oneof![4 => Just("Any"), 2 => Just("Upsert"), 1 => Just("Add"), 1 => Just("read")],
        prop_oneof![5 => Just("Portfolio"), 2 => Just("Feature")],
    );
    let action = action.prop_map(|(scope, activity, entity)| json!({"scope": scope, "activity": activity, "entity": entity}));
    vec(action, 1..=2).prop_map(Value::from).boxed()
}

fn identifier(fewest: usize) -> BoxedStrategy<Value> {
    let pattern = weighted(0.8, select(vec!["*", "**", "US", "us", "U*", "U*S", ""]));
    btree_map(select(vec!["scope", "Scope", "code"]), pattern, fewest..=2).prop_map(|parts| json!(parts)).boxed()
}

fn selector(depth: usize) -> BoxedStrategy<Value> {
    let expression = (select(vec!["Desk", "desk"]), select(vec!["Equals", "NotEquals"]), select(vec!["EQ", "FX"]));
    let expression = expression.prop_map(|(key, operator, text)| json!({"metadataKey": key, "operator": operator, "textValue": text}));
    let all = actions().prop_map(|actions| json!({"matchAllSelectorDefinition": {"actions": actions}}));
    let by_id = (identifier(1), actions()).prop_map(|(identifier, actions)| json!({"idSelectorDefinition": {"identifier": identifier, "actions": actions}}));
    let by_metadata = (vec(expression, 1..=2), actions())
        .prop_map(|(expressions, actions)| json!({"metadataSelectorDefinition": {"expressions": expressions, "actions": actions}}));
    let inner = if depth == 0 { Just(Vec::new()).boxed() } else { vec(selector(depth - 1), 0..=2).boxed() };
    let by_policy = (weighted(0.7, identifier(0)), inner, actions()).prop_map(
        |(identity, inner, actions)| json!({"policySelectorDefinition": {"identityRestriction": identity, "restrictionSelectors": inner, "actions": actions}}),
    );
    prop_oneof![1 => all, 6 => by_id, 3 => by_metadata, 4 => by_policy].boxed()
}

fn policy(selectors: &[Value]) -> PolicyDocument {
    let json = json!({"id": {"code": "p"}, "grant": "Allow", "selectors": selectors});
    PolicyDocument::parse(json.to_string().as_bytes()).unwrap()
}

#[test]
fn both_evaluators_agree_on_what_a_restriction_covers() {
    let asked = vec(selector(1), 1..=2);
    let restrictions = vec(selector(1), 1..=4);
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let covered = std::cell::Cell::new(0_u32);
    let result = runner.run(&(asked, restrictions), |(asked, restrictions)| {
        let actions = json!([{"activity": "Any", "entity": "Policy"}]);
        let restricting = policy(&[json!({"policySelectorDefinition": {"restrictionSelectors": restrictions, "actions": actions}})]);
        let Condition::Policy(restriction) = &restricting.selectors[0].condition else { panic!("it selects policies") };
        let policy = policy(&asked);
        let slow = policy.selectors.iter().all(|selector| is_covered(selector, &restriction.selectors));
        covered.set(covered.get() + u32::from(slow));
        prop_assert_eq!(covers_policy(&restriction.selectors, &policy), slow, "the fast one is left; {:?} within {:?}", asked, restrictions);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    println!("{} of 2000 covered", covered.get());
    assert!(covered.get() > 60, "{} of 2000 covered", covered.get());
}
