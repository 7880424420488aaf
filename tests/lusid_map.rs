//! The shipped API map covers the LUSID API: every operation is filtered, unfiltered aloud, or
//! refused aloud.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use doorward::api_map::{Answering, ApiMap};
use doorward::cases::read_yaml;
use std::collections::BTreeSet;

fn shipped() -> ApiMap {
    let text = include_str!("../config/api/lusid.yaml");
    let value = read_yaml(text).unwrap();
    ApiMap::load(&[("config/api/lusid.yaml".to_owned(), value)])
        .unwrap_or_else(|problems| panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

#[test]
fn every_operation_of_the_api_is_said_aloud_exactly_once() {
    let expected: BTreeSet<&str> = include_str!("data/lusid-operations.txt").lines().collect();
    let map = shipped();
    let mapped: Vec<String> = map.operations().iter().map(|operation| format!("{} {}", operation.method, operation.template)).collect();
    assert_eq!(mapped.len(), 898);
    assert_eq!(mapped.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let unsaid = map.operations().iter().filter(|operation| operation.answering == Answering::Undeclared);
    assert!(unsaid.clone().all(|operation| !operation.targets.is_empty()), "{:?}", unsaid.map(|operation| &operation.place).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let map = shipped();
    for target in ["GET /api/portfoliogroups/a/b/holdings", "POST /api/aggregation/a/b/$valuation"] {
        let (method, path) = target.split_once(' ').unwrap();
        let found = map.find(method, path).unwrap();
        assert!(found.is_none_or(|found| found.operation.answering == Answering::Refused), "{target}");
    }
}

#[test]
fn the_founding_entities_are_bound() {
    let map = shipped();
    let names: BTreeSet<&str> = map.entities().iter().map(|entity| entity.name.as_ref()).collect();
    for name in [
        "Portfolio",
        "Transaction",
        "Holding",
        "PortfolioGroup",
        "Instrument",
        "CorporateActionSource",
        "ConfigurationRecipe",
        "LegalEntity",
        "DataType",
        "DataMap",
        "RelationshipDefinition",
        "Quote",
    ] {
        assert!(names.contains(name), "{name} is not bound");
    }
    for determined in ["Transaction", "Holding"] {
        let entity = map.entities().iter().find(|entity| *entity.name == *determined).unwrap();
        assert_eq!(&*entity.asked_as, "Portfolio");
    }
}
