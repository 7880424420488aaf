//! The table of semantics §11, row by row, and the combining rule of §7.

use super::*;

fn any_in_us() -> Value {
    allow(by_id(json!({ "scope": "US" })))
}

#[test]
fn the_stronger_role_wins_over_a_weaker_deny() {
    let policies = Snapshot::of_roles(&[&[any_in_us()], &[deny(by_id(json!({ "scope": "US" })))]]).load();
    assert!(Ask::default().granted(&policies));
    assert_eq!(Ask::default().cause(&policies), "default/r1 default/r1-1");
}

#[test]
fn deny_wins_inside_a_role() {
    let policies = one_role(&[any_in_us(), deny(by_id(json!({ "code": "secret" })))]);
    assert!(!Ask::read("US", "secret").granted(&policies));
    assert_eq!(Ask::read("US", "secret").cause(&policies), "default/r1 default/r1-2");
    assert!(Ask::read("US", "eq").granted(&policies));
}

#[test]
fn a_role_without_a_matching_policy_is_passed_over() {
    let features = allow(all(json!([action("Execute", "Feature")])));
    let policies = Snapshot::of_roles(&[&[features], &[allow(all_portfolios())]]).load();
    assert_eq!(Ask::default().cause(&policies), "default/r2 default/r2-1");
}

#[test]
fn a_deny_of_a_role_outranks_the_allow_of_a_user_role() {
    let mut snapshot = Snapshot::of_roles(&[&[deny(all_portfolios())]]);
    let own = snapshot.add_policies("own", &[allow(all_portfolios())]);
    let user_role = json!({ "id": { "scope": "_users", "code": "u" }, "resource": { "policyIdRoleResource": { "policies": own } } });
    let policies = snapshot.plus("userRoles", user_role).load();
    assert!(!Ask::default().granted(&policies));
}

#[test]
fn a_deny_by_metadata_hides_one_of_two_and_both_when_the_metadata_is_unknown() {
    let policies = one_role(&[allow(by_id(json!({ "scope": "*" }))), deny(by_metadata("IsExternallyManaged", "Equals", "true"))]);
    let (held, managed) = (metadata(&[("IsExternallyManaged", "false")]), metadata(&[("IsExternallyManaged", "true")]));
    let ask = |metadata| Ask { metadata, ..Ask::default() }.granted(&policies);
    assert!(ask(MetadataOf::Known(&held)));
    assert!(!ask(MetadataOf::Known(&managed)));
    assert!(!ask(MetadataOf::Unknown));
}

#[test]
fn seven_or_more_days_old_hides_today_and_the_six_days_before() {
    let week_old = json!([{ "effectiveDateRelative": { "date": "Now", "adjustment": -7, "unit": "Day", "relativeToDateTime": "BeforeOrOn" } }]);
    let policies = one_role(&[with(allow(all_portfolios()), "for", week_old)]);
    for day in 15..=21 {
        let date = format!("2026-11-{day}");
        assert!(!Ask { effective: Interval::at(instant(&date)).into(), ..Ask::default() }.granted(&policies), "{date}");
    }
    assert!(Ask { effective: Interval::at(instant("2026-11-14T23:59:59Z")).into(), ..Ask::default() }.granted(&policies));
}

#[test]
fn an_upsert_is_denied_by_add_or_update_in_its_dates() {
    let quarter = json!([{ "effectiveRange": { "from": "2022-01-01T00:00:00Z", "to": "2022-04-01T00:00:00Z" } }]);
    let actions = json!([action("Update", "Portfolio"), action("Delete", "Portfolio"), action("Add", "Portfolio")]);
    let policies = one_role(&[allow(all_portfolios()), with(deny(all(actions)), "for", quarter)]);
    let upsert = |date| Ask { effective: Interval::at(instant(date)).into(), ..Ask::doing("Upsert") }.granted(&policies);
    assert!(!upsert("2022-02-01"));
    assert!(upsert("2022-05-01"));
}

#[test]
fn one_property_of_three_is_denied() {
    let property = |identifier: Value| json!({ "idSelectorDefinition": { "identifier": identifier, "actions": [action("Any", "PropertyValue")] } });
    let everything = allow(property(json!({ "domain": "*", "scope": "*", "code": "*" })));
    let cost = deny(property(json!({ "domain": "Portfolio", "scope": "pricing", "code": "cost" })));
    let policies = one_role(&[everything, cost]);
    assert!(!Ask::property("Portfolio", "pricing", "cost").granted(&policies));
    assert!(Ask::property("Portfolio", "pricing", "price").granted(&policies));
    assert!(Ask::property("Portfolio", "risk", "cost").granted(&policies));
}

#[test]
fn without_a_policy_for_properties_none_is_granted() {
    let policies = one_role(&[allow(all_portfolios())]);
    assert!(!Ask::property("Portfolio", "pricing", "price").granted(&policies));
    assert_eq!(Ask::property("Portfolio", "pricing", "price").decide(&policies).by, None);
}

#[test]
fn a_selector_is_called_by_its_name_or_by_its_place() {
    for (name, called) in [(json!("all of them"), "all of them"), (json!(""), "selectors[1]"), (json!(7), "selectors[1]"), (Value::Null, "selectors[1]")] {
        let named = json!({ "matchAllSelectorDefinition": { "actions": any_portfolio(), "name": name } });
        let policies = one_role(&[allow(vec![by_id(json!({ "scope": "nowhere" })), named])]);
        let by = Ask::default().decide(&policies).by.unwrap();
        assert_eq!(by.named(&policies).unwrap().selector_name().unwrap(), called, "{name}");
    }
}

#[test]
fn the_first_policy_by_id_and_its_first_selector_are_named() {
    let nothing = by_id(json!({ "scope": "UK" }));
    let two = allow(vec![nothing.clone(), all_portfolios(), all_portfolios()]);
    let policies = one_role(&[allow(nothing), two, allow(all_portfolios())]);
    let by = Ask::default().decide(&policies).by.unwrap().named(&policies).unwrap();
    assert_eq!((by.policy.unwrap().id.to_string(), by.selector), ("default/r1-2".to_owned(), Some(1)));
}
