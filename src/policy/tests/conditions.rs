//! `if` in a whole decision: each row of semantics §6.

use super::*;

fn header(operator: &str, value: Option<&str>) -> Value {
    json!([{ "ifRequestHeaderExpression": { "headerName": "X-Team", "operator": operator, "value": value } }])
}

fn claim(operator: &str, value: &str) -> Value {
    json!([{ "ifIdentityClaimExpression": { "claimType": "team", "claimValueType": "ignored", "operator": operator, "value": value } }])
}

/// Whether an Allow with this condition grants, and whether a Deny with it refuses.
fn holds(condition: &Value, ask: &Ask<'_>) -> (bool, bool) {
    let allowing = one_role(&[with(allow(all_portfolios()), "if", condition.clone())]);
    let denying = one_role(&[allow(all_portfolios()), with(deny(all_portfolios()), "if", condition.clone())]);
    (ask.granted(&allowing), !ask.granted(&denying))
}

const YES: (bool, bool) = (true, true);
const NO: (bool, bool) = (false, false);
const UNKNOWN: (bool, bool) = (false, true);

#[test]
fn text_operators_on_a_header() {
    let absent = HeaderValue::Absent;
    let text = HeaderValue::Text;
    for (operator, value, actual, expected) in [
        ("EqualsCaseSensitive", "Equity", text("Equity"), YES),
        ("EqualsCaseSensitive", "Equity", text("equity"), NO),
        ("EqualsCaseSensitive", "Equity", absent, NO),
        ("EqualsCaseInsensitive", "Equity", text("EQUITY"), YES),
        ("EqualsCaseInsensitive", "ç", text("Ç"), NO),
        ("EqualsCaseSensitive", "", text(""), YES),
        ("NotEqualsCaseSensitive", "Equity", text("equity"), YES),
        ("NotEqualsCaseSensitive", "Equity", absent, NO),
        ("NotEqualsCaseSensitive", "x", text(""), YES),
        ("NotEqualsCaseInsensitive", "Equity", text("equity"), NO),
        ("NotEqualsCaseInsensitive", "Equity", text("Rates"), YES),
        ("ContainsCaseSensitive", "quit", text("Equity"), YES),
        ("ContainsCaseSensitive", "Equity", text("quit"), NO),
        ("ContainsCaseSensitive", "QUIT", text("Equity"), NO),
        ("NotPresentOrNotContainsCaseSensitive", "quit", absent, YES),
        ("NotPresentOrNotContainsCaseSensitive", "quit", text("Rates"), YES),
        ("NotPresentOrNotContainsCaseSensitive", "quit", text("Equity"), NO),
        ("NotPresent", "", absent, YES),
        ("NotPresent", "", text(""), NO),
        ("InCaseInsensitive", "Rates, EQUITY ,,FX", text("equity"), YES),
        ("InCaseInsensitive", "Rates, EQUITY ,,FX", text(""), NO),
        ("InCaseInsensitive", "Rates", absent, NO),
    ] {
        let ask = Ask { header: Some(("x-team", actual)), ..Ask::default() };
        assert_eq!(holds(&header(operator, Some(value)), &ask), expected, "{operator} {value} {actual:?}");
    }
}

#[test]
fn a_header_that_is_not_utf8_is_unknown() {
    let ask = Ask { header: Some(("x-team", HeaderValue::Unknown)), ..Ask::default() };
    for operator in ["EqualsCaseSensitive", "NotEqualsCaseInsensitive", "NotPresent", "NotPresentOrNotContainsCaseSensitive"] {
        assert_eq!(holds(&header(operator, Some("x")), &ask), UNKNOWN, "{operator}");
    }
}

#[test]
fn every_header_named_in_a_policy_is_known_by_its_lower_case_name() {
    let policies = one_role(&[with(allow(all_portfolios()), "if", header("NotPresent", None)), allow(all_portfolios())]);
    assert_eq!(policies.headers_named().collect::<Vec<_>>(), ["x-team"]);
    assert!(policies.names_header("x-team") && !policies.names_header("x-other"));
}

fn claims(values: &[&str]) -> Claims {
    let values = values.iter().map(|value| if *value == "{}" { ClaimValue::Unknown } else { ClaimValue::Text((*value).into()) });
    Claims { issuer: Some("https://id.example".into()), values: vec![("team".into(), values.collect())], ..Claims::default() }
}

#[test]
fn positive_operators_need_one_value_of_a_claim_and_negative_ones_all() {
    let of = |values: &[&str], condition: &Value| holds(condition, &Ask { claims: Some(&claims(values)), ..Ask::default() });
    assert_eq!(of(&["a", "b"], &claim("EqualsCaseSensitive", "b")), YES);
    assert_eq!(of(&["a", "b"], &claim("NotEqualsCaseSensitive", "b")), NO);
    assert_eq!(of(&["a", "c"], &claim("NotEqualsCaseSensitive", "b")), YES);
    assert_eq!(of(&["a", "c"], &claim("NotPresentOrNotContainsCaseSensitive", "c")), NO);
    assert_eq!(of(&["a"], &claim("NotPresent", "")), NO);
}

#[test]
fn absent_claims_satisfy_only_what_asks_for_absence() {
    let empty = Claims::default();
    for claims in [None, Some(&empty), Some(&claims(&[]))] {
        let ask = Ask { claims, ..Ask::default() };
        assert_eq!(holds(&claim("NotPresent", ""), &ask), YES);
        assert_eq!(holds(&claim("NotPresentOrNotContainsCaseSensitive", "x"), &ask), YES);
        assert_eq!(holds(&claim("NotEqualsCaseSensitive", "x"), &ask), NO);
    }
}

#[test]
fn without_a_token_at_hand_claims_and_scopes_are_unknown() {
    let unknown = Claims { are_unknown: true, ..claims(&["x"]) };
    let ask = Ask { claims: Some(&unknown), ..Ask::default() };
    for operator in ["EqualsCaseSensitive", "NotEqualsCaseSensitive", "NotPresent", "NotPresentOrNotContainsCaseSensitive"] {
        assert_eq!(holds(&claim(operator, "x"), &ask), UNKNOWN, "{operator}");
    }
    assert_eq!(holds(&json!([{ "ifIdentityScopeExpression": { "scopeName": "read" } }]), &ask), UNKNOWN);
}

#[test]
fn beside_something_that_cannot_be_read_a_scope_is_there_or_unknown() {
    let claims = Claims { has_unknown_scope: true, ..claims(&["x"]) };
    let ask = Ask { claims: Some(&claims), scopes: &["read".into()], ..Ask::default() };
    for (scope, expected) in [("read", YES), ("write", UNKNOWN)] {
        assert_eq!(holds(&json!([{ "ifIdentityScopeExpression": { "scopeName": scope } }]), &ask), expected);
    }
}

#[test]
fn an_object_in_a_claim_is_unknown_and_each_element_counts_for_itself() {
    let of = |values: &[&str], condition: &Value| holds(condition, &Ask { claims: Some(&claims(values)), ..Ask::default() });
    assert_eq!(of(&["{}"], &claim("EqualsCaseSensitive", "x")), UNKNOWN);
    assert_eq!(of(&["{}"], &claim("NotPresent", "")), UNKNOWN);
    assert_eq!(of(&["{}", "x"], &claim("EqualsCaseSensitive", "x")), YES);
    assert_eq!(of(&["{}", "x"], &claim("NotEqualsCaseSensitive", "x")), NO);
    assert_eq!(of(&["{}", "y"], &claim("NotEqualsCaseSensitive", "x")), UNKNOWN);
}

#[test]
fn a_claim_of_another_issuer_is_absent() {
    let of = |member: &str, issuer: &str, operator: &str| {
        let mut condition = claim(operator, "a");
        condition[0]["ifIdentityClaimExpression"][member] = json!(issuer);
        holds(&condition, &Ask { claims: Some(&claims(&["a"])), ..Ask::default() })
    };
    for member in ["claimIssuer", "claimOriginalIssuer"] {
        assert_eq!(of(member, "https://id.example", "EqualsCaseSensitive"), YES);
        assert_eq!(of(member, "https://other.example", "EqualsCaseSensitive"), NO);
        assert_eq!(of(member, "https://other.example", "NotPresent"), YES);
    }
}

#[test]
fn a_scope_must_be_there_whole() {
    let condition = json!([{ "ifIdentityScopeExpression": { "scopeName": "portfolios:read" } }]);
    for (scope, expected) in [("portfolios:read", YES), ("portfolios", NO), ("PORTFOLIOS:READ", NO)] {
        assert_eq!(holds(&condition, &Ask { scopes: &["other".into(), scope.into()], ..Ask::default() }), expected);
    }
}

#[test]
fn via_api_names_features_with_stars_and_without_case() {
    let of =
        |features: Value, operator: Value| holds(&json!([{ "ifViaApiExpression": { "apiFeatureCodes": features, "operator": operator } }]), &Ask::default());
    assert_eq!(of(json!(["x", "lusid/API-portfolios-get*"]), json!("In")), YES);
    assert_eq!(of(json!("api-portfolios-getportfolio"), Value::Null), YES);
    assert_eq!(of(json!("Drive/api-portfolios-getportfolio"), Value::Null), NO);
    assert_eq!(of(json!(["api-portfolios-getportfolio"]), json!("NotIn")), NO);
    assert_eq!(of(json!(["api-portfolios-list*"]), json!("NotIn")), YES);
    let condition = json!([{ "ifViaApiExpression": { "apiFeatureCodes": "*", "operator": "NotIn" } }]);
    assert_eq!(holds(&condition, &Ask { feature: None, ..Ask::default() }), UNKNOWN);
}

#[test]
fn a_feature_chain_asks_about_the_feature_being_executed() {
    let of = |selector: Value, feature| holds(&json!([{ "ifFeatureChainExpression": { "selectors": [selector] } }]), &Ask { feature, ..Ask::default() });
    let by_code = |activity: &str, code: &str| json!({ "idSelectorDefinition": { "identifier": { "scope": "LUSID", "code": code }, "actions": [{ "scope": "LUSID", "activity": activity, "entity": "Feature" }] } });
    let executed = Some(("LUSID", "api-portfolios-getportfolio"));
    assert_eq!(of(by_code("Execute", "API-portfolios-get*"), executed), YES);
    assert_eq!(of(by_code("Any", "api-portfolios-getportfolio"), executed), YES);
    assert_eq!(of(by_code("Read", "*"), executed), NO);
    assert_eq!(of(by_code("Execute", "api-portfolios-list*"), executed), NO);
    assert_eq!(of(by_code("Execute", "*"), None), UNKNOWN);
    assert_eq!(of(all_portfolios(), executed), NO);
}

#[test]
fn every_entry_must_hold_and_a_known_mismatch_wins() {
    let mut entries = header("EqualsCaseSensitive", Some("a"));
    entries.as_array_mut().unwrap().push(json!({ "ifIdentityScopeExpression": { "scopeName": "s" } }));
    let ask = |value, scopes| holds(&entries, &Ask { header: Some(("x-team", value)), scopes, ..Ask::default() });
    let scope = ["s".into()];
    assert_eq!(ask(HeaderValue::Text("a"), &scope), YES);
    assert_eq!(ask(HeaderValue::Text("a"), &[]), NO);
    assert_eq!(ask(HeaderValue::Unknown, &scope), UNKNOWN);
    assert_eq!(ask(HeaderValue::Unknown, &[]), NO);
}
