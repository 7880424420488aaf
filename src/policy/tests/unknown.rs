//! Unknown inputs, and what is granted without looking (semantics §1 and §9).

use super::*;

/// The parts of an id of which only the scope is known.
fn scope_only(scope: &str) -> Ask<'_> {
    Ask { id: vec![("scope", Some(scope.into()))], ..Ask::default() }
}

#[test]
fn an_unknown_part_is_met_by_null_and_stars_only() {
    for pattern in [Value::Null, json!("*"), json!("**")] {
        assert!(scope_only("US").granted(&one_role(&[allow(by_id(json!({ "scope": "US", "code": pattern })))])));
    }
    for pattern in ["eq", "e*", ""] {
        assert!(!scope_only("US").granted(&one_role(&[allow(by_id(json!({ "scope": "US", "code": pattern })))])), "{pattern}");
    }
}

#[test]
fn a_deny_that_could_match_denies_and_a_known_mismatch_wins() {
    let secret = deny(by_id(json!({ "scope": "US", "code": "secret" })));
    let policies = one_role(&[allow(all_portfolios()), secret]);
    assert!(!scope_only("US").granted(&policies));
    assert!(scope_only("UK").granted(&policies));
    let listed_as_unknown = Ask { id: vec![("scope", Some("US".into())), ("code", None)], ..Ask::default() };
    assert!(!listed_as_unknown.granted(&policies));
}

#[test]
fn the_index_finds_a_deny_among_many_when_the_part_is_unknown() {
    let mut list: Vec<_> = (0..50).map(|n| deny(by_id(json!({ "scope": format!("s{n}"), "code": format!("c{n}") })))).collect();
    list.push(allow(all_portfolios()));
    let policies = one_role(&list);
    assert!(!scope_only("s7").granted(&policies));
    assert!(!Ask { id: vec![("code", Some("C7".into()))], ..Ask::default() }.granted(&policies));
    assert!(!Ask { id: vec![], ..Ask::default() }.granted(&policies));
    assert!(scope_only("other").granted(&policies));
    assert!(Ask::read("s7", "c8").granted(&policies));
    assert!(!Ask::read("S7", "C7").granted(&policies));
}

#[test]
fn a_weaker_deny_that_could_match_withholds_nothing() {
    let policies = Snapshot::of_roles(&[&[allow(all_portfolios())], &[deny(by_id(json!({ "code": "secret" })))]]).load();
    assert!(scope_only("US").granted(&policies));
    let policies = Snapshot::of_roles(&[&[deny(by_id(json!({ "code": "secret" })))], &[allow(all_portfolios())]]).load();
    assert!(!scope_only("US").granted(&policies));
}

#[test]
fn unknown_metadata_is_not_met_in_an_allow_and_met_in_a_deny() {
    let not_fi = by_metadata("Desk", "NotEquals", "FI");
    assert!(!Ask::default().granted(&one_role(&[allow(not_fi.clone())])));
    assert!(!Ask::default().granted(&one_role(&[allow(all_portfolios()), deny(not_fi)])));
}

#[test]
fn metadata_left_to_the_answer_holds_in_an_allow_and_not_in_a_deny() {
    let ask = Ask { metadata: MetadataOf::LeftToAnswer, ..Ask::default() };
    let selector = by_metadata("Desk", "Equals", "FI");
    assert!(ask.granted(&one_role(&[allow(selector.clone())])));
    assert!(ask.granted(&one_role(&[allow(all_portfolios()), deny(selector)])));
}

#[test]
fn a_known_mismatch_of_a_condition_outweighs_unknown_metadata() {
    let condition = json!([{ "ifRequestHeaderExpression": { "headerName": "X-Unit", "operator": "EqualsCaseSensitive", "value": "stop" } }]);
    let policies = one_role(&[allow(all_portfolios()), with(deny(by_metadata("K", "Equals", "v")), "if", condition)]);
    assert!(Ask::default().granted(&policies));
    assert!(!Ask { header: Some(("x-unit", HeaderValue::Text("stop"))), ..Ask::default() }.granted(&policies));
}

#[test]
fn rights_change_with_policies_roles_and_conditions_and_nothing_else() {
    let digest = |policies: &Policies, header| {
        let ask = Ask { header, ..Ask::default() };
        ask.subject(policies).rights("LUSID", &[("Read", "Portfolio")]).digest
    };
    let us = || allow(by_id(json!({ "scope": "US" })));
    let other = || allow(all(json!([action("Any", "Quote")])));
    let base = digest(&one_role(&[us()]), None);
    assert_eq!(base, digest(&one_role(&[us(), other()]), None));
    assert_ne!(base, digest(&one_role(&[us(), us()]), None));
    assert_ne!(base, digest(&one_role(&[allow(by_id(json!({ "scope": "UK" })))]), None));
    assert_ne!(base, digest(&one_role(&[deny(by_id(json!({ "scope": "US" })))]), None));
    let condition = json!([{ "ifRequestHeaderExpression": { "headerName": "a", "operator": "NotPresent" } }]);
    let conditional = one_role(&[us(), with(us(), "if", condition)]);
    assert_ne!(digest(&conditional, None), digest(&conditional, Some(("a", HeaderValue::Text("")))));
    let (together, apart) = (one_role(&[us(), deny(all_portfolios())]), Snapshot::of_roles(&[&[us()], &[deny(all_portfolios())]]).load());
    assert_ne!(digest(&together, None), digest(&apart, None));
}

#[test]
fn rights_say_what_they_depend_on() {
    let rights = |policy: Value| Ask::default().subject(&one_role(&[policy])).rights("LUSID", &[("Read", "Portfolio")]);
    let plain = rights(allow(all_portfolios()));
    assert!(!plain.depends_on_now && !plain.depends_on_metadata && !plain.uses_effective && !plain.uses_as_at);
    assert!(rights(allow(by_metadata("K", "Equals", "v"))).depends_on_metadata);
    let dated = |entry: Value| rights(with(allow(all_portfolios()), "for", json!([entry])));
    let range = dated(json!({ "effectiveRange": { "to": "2030-01-01" } }));
    assert!(range.uses_effective && !range.uses_as_at && !range.depends_on_now);
    let latest = dated(json!({ "asAtRangeForSpec": { "from": { "dateTimeOffset": "2020-01-01" }, "to": { "value": "AsAt=Latest" } } }));
    assert!(latest.uses_as_at && latest.depends_on_now);
    assert!(dated(json!({ "effectiveDateHasQuality": { "quality": "IsLastDayOfTheCurrentMonth" } })).depends_on_now);
    assert!(!dated(json!({ "effectiveDateHasQuality": { "quality": "IsBeforeMidday" } })).depends_on_now);
    let timed = |when: Value| rights(with(allow(all_portfolios()), "when", when)).depends_on_now;
    assert!(timed(json!({ "activate": "2020-01-01", "deactivate": "2030-01-01" })));
    assert!(timed(json!({ "activate": "2030-01-01" })));
    assert!(!timed(json!({ "activate": "2020-01-01", "deactivate": "9999-12-31T23:59:59.9999999Z" })));
    assert!(!timed(json!({ "activate": "2020-01-01", "deactivate": "2021-01-01" })));
}
