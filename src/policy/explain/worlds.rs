//! Random snapshots from small alphabets, so that policies match and unknowns meet often.

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::super::documents::{DateQuality, DateUnit, MetadataOperator, PointInTime, RelativeTo, TextOperator};
use super::calls::{Call, call};

pub(super) const ROLES: [&str; 5] = ["r0", "r1", "r2", "r3", "missing"];
const POLICIES: usize = 7;
const COLLECTIONS: usize = 4;
const NOWS: [&str; 9] = [
    "2026-11-21T12:00:00Z",
    "2026-11-20T16:59:59.999999999Z",
    "2024-02-29T17:00:00Z",
    "2024-01-31T23:59:59.999999999Z",
    "2025-03-30T00:00:00Z",
    "2026-08-31T11:59:59.5Z",
    "2025-01-01T00:00:00Z",
    "0001-01-02T03:04:05Z",
    "9999-12-30T21:00:00Z",
];
pub(super) const TEXTS: [&str; 6] = ["Equity", "equity", "Fixed", "qui", "", "Equity, fixed ,"];
const PATTERNS: [&str; 14] = ["*", "**", "U*", "u*", "*S", "*s*", "US", "us", "eq*", "e*1", "eq", "c7", "", "*é"];
pub(super) const METADATA: [&str; 11] = ["EQ", "eq", "FX", "10", "9", "-1.50", "-2", "-10", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", ""];

/// A snapshot, the time, and some calls with a question each.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) snapshot: Value,
    pub(super) calls: Vec<Call>,
}

pub(super) fn world() -> impl Strategy<Value = World> {
    select(&NOWS[..]).prop_flat_map(|now| {
        let now: Timestamp = now.parse().unwrap();
        (snapshot(now), vec(call(now), 10)).prop_map(move |(snapshot, calls)| World { now, snapshot, calls })
    })
}

pub(super) fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    select(texts)
}

/// Mostly none, seldom several.
fn few(entry: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Vec<Value>> {
    let entry = entry.boxed();
    prop_oneof![6 => Just(Vec::new()), 4 => vec(entry.clone(), 1), 1 => vec(entry, 2..=3)].boxed()
}

/// A date near now: days, month ends and year ends around it, at telling times of day.
pub(super) fn date(now: Timestamp) -> BoxedStrategy<String> {
    let today: DateTime = jiff::tz::TimeZone::UTC.to_datetime(now);
    let days = select(vec![0, 0, 0, 1, -1, 2, -2, 3, -3, 5, 7, -7, 8, -28, 29, -30, 31, -31, 60, 365, -366]);
    let near = days.prop_map(move |days| today.date().saturating_add(Span::new().days(days)));
    let month = today.date();
    let marks = vec![month.first_of_month(), month.last_of_month(), month.first_of_year(), month.last_of_year(), month];
    let times = select(vec!["00:00:00", "11:59:59.999999999", "12:00:00", "16:59:59.999999999", "17:00:00", "23:59:59.999999999", "now"]);
    let written = move |(day, time): (Date, &str)| {
        let day = day.max(Date::constant(1, 1, 1));
        if time == "now" { format!("{day}T{}Z", today.time()) } else { format!("{day}T{time}Z") }
    };
    let ends = one_of(&["0001-01-01", "9999-12-31T23:59:59.999999999Z", "2000-02-29", "2020-05-17T00:00:00+14:00"]);
    prop_oneof![
        12 => (near, times.clone()).prop_map(written),
        5 => (select(marks), times).prop_map(written),
        1 => ends.prop_map(str::to_owned),
    ]
    .boxed()
}

fn snapshot(now: Timestamp) -> impl Strategy<Value = Value> {
    let policies: Vec<_> = (0..POLICIES).map(|place| policy(now, json!(policy_id(place)))).collect();
    let collections: Vec<_> = (0..COLLECTIONS).map(collection).collect();
    let roles: Vec<_> = ROLES.iter().take(4).map(|code| role(now, code)).collect();
    let user = |id: &'static str| user_roles().prop_map(move |roles| json!({"id": id, "status": "ACTIVE", "roles": roles}));
    let user_role = resource().prop_map(|resource| json!({"id": {"scope": "_users", "code": "u1"}, "resource": resource}));
    let administrator = (resource(), when(now))
        .prop_map(|(resource, when)| json!({"id": {"scope": "LUSID_SYSTEM", "code": "lusid-administrator"}, "resource": resource, "when": when}));
    let parts = (policies, collections, roles, [user("u1"), user("u2")], weighted(0.7, user_role), weighted(0.5, administrator), weighted(0.15, bulk()));
    parts.prop_map(|(mut policies, mut collections, mut roles, users, user_role, administrator, bulk)| {
        // the order of ranks is not that of the document
        roles.reverse();
        roles.extend(administrator);
        if let Some((more, collection)) = bulk {
            policies.extend(more);
            collections.push(collection);
            let in_all = json!({"code": "bulk"});
            for role in &mut roles {
                role["resource"]["policyIdRoleResource"]["policyCollections"].as_array_mut().unwrap().push(in_all.clone());
            }
        }
        json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2020-01-01T00:00:00Z", "users": users, "roles": roles,
            "userRoles": user_role.into_iter().collect::<Vec<_>>(), "policies": policies, "policyCollections": collections})
    })
}

/// So many policies in one collection that they are found by index, and some of these indexes are shared.
fn bulk() -> impl Strategy<Value = (Vec<Value>, Value)> {
    let name = one_of(&["scope", "code", "domain", "Code"]);
    let pattern = prop_oneof![one_of(&PATTERNS), one_of(&["e*", "eq-*", "eq-1*", "eq-1*1", "E*", "EQ*", "é*", "c*", "c7*", "c8"])];
    let kind = prop_oneof![5 => Just(("Portfolio", false)), 2 => Just(("Feature", false)), 1 => Just(("Policy", false)), 1 => Just(("Policy", true))];
    let one = (one_of(&["Allow", "Deny"]), one_of(&["Any", "Read", "Upsert", "Add"]), btree_map(name, pattern, 1..=2), kind);
    vec(one, 10..90).prop_map(|policies| {
        let ids: Vec<Value> = (0..policies.len()).map(|place| json!({"scope": "m", "code": format!("f{place}")})).collect();
        let policies = policies.into_iter().zip(&ids).map(|((grant, activity, identifier, (entity, is_restriction)), id)| {
            let actions = json!([{"activity": activity, "entity": entity}]);
            let selector = if is_restriction {
                json!({"policySelectorDefinition": {"identityRestriction": identifier, "actions": actions}})
            } else {
                json!({"idSelectorDefinition": {"identifier": identifier, "actions": actions}})
            };
            json!({"id": id, "grant": grant, "selectors": [selector]})
        });
        (policies.collect(), json!({"id": {"code": "bulk"}, "policies": ids}))
    })
}

fn policy_id(place: usize) -> Value {
    let code = format!("p{place}");
    match place % 3 {
        0 => json!({"scope": "b", "code": code}),
        1 => json!({"scope": "a", "code": code}),
        _ => json!({"code": code}),
    }
}

fn role_id(code: &str) -> Value {
    json!({"scope": "default", "code": code})
}

fn user_roles() -> impl Strategy<Value = Vec<Value>> {
    (subsequence(ROLES.to_vec(), 1..=ROLES.len()), prop::bool::weighted(0.03)).prop_map(|(codes, is_administrator)| {
        let administrator = is_administrator.then(|| json!({"scope": "LUSID_SYSTEM", "code": "lusid-administrator"}));
        codes.into_iter().map(role_id).rev().chain(administrator).collect()
    })
}

fn some_of(ids: Vec<Value>, fewest: usize, most: usize) -> impl Strategy<Value = Vec<Value>> {
    let most = most.min(ids.len());
    subsequence(ids, fewest..=most)
}

fn resource() -> impl Strategy<Value = Value> {
    let policies = some_of((0..POLICIES).map(policy_id).collect(), 1, POLICIES);
    let collections = some_of((0..COLLECTIONS).map(|place| json!({"code": format!("c{place}")})).collect(), 0, 1);
    let mut supervised: Vec<Value> = ROLES.iter().take(4).map(|code| role_id(code)).collect();
    supervised.push(json!({"scope": "LUSID_SYSTEM", "code": "lusid-administrator"}));
    (policies, collections, weighted(0.25, some_of(supervised, 0, 2))).prop_map(|(policies, collections, supervised)| {
        json!({"policyIdRoleResource": {"policies": policies, "policyCollections": collections},
            "nonTransitiveSupervisorRoleResource": supervised.map(|roles| json!({"roles": roles}))})
    })
}

fn collection(place: usize) -> impl Strategy<Value = Value> {
    let policies = some_of((0..POLICIES).map(policy_id).collect(), 0, 2);
    let inner = some_of((place + 1..COLLECTIONS).map(|place| json!({"code": format!("c{place}")})).collect(), 0, 2);
    (policies, inner).prop_map(move |(policies, inner)| json!({"id": {"code": format!("c{place}")}, "policies": policies, "policyCollections": inner}))
}

fn role(now: Timestamp, code: &'static str) -> impl Strategy<Value = Value> {
    (1..=3, resource(), when(now))
        .prop_map(move |(index, resource, when)| json!({"id": role_id(code), "roleHierarchyIndex": index, "resource": resource, "when": when}))
}

fn when(now: Timestamp) -> impl Strategy<Value = Value> {
    let bounds = (weighted(0.5, date(now)), weighted(0.5, date(now)));
    prop_oneof![
        5 => Just(Value::Null),
        3 => Just(json!({})),
        1 => bounds.prop_map(|(activate, deactivate)| json!({"activate": activate, "deactivate": deactivate})),
    ]
}

pub(super) fn policy(now: Timestamp, id: Value) -> BoxedStrategy<Value> {
    let applications = prop_oneof![
        4 => Just(Value::Null), 2 => Just(json!([])), 2 => Just(json!(["LUSID"])), 1 => Just(json!(["x", "lusid"])), 1 => Just(json!(["other"]))
    ];
    let grant = prop_oneof![3 => Just("Allow"), 2 => Just("Deny")];
    let selectors = prop_oneof![2 => vec(selector(2), 1), 3 => vec(selector(2), 2..=3)];
    let parts = (grant, applications, selectors, few(for_entry(now)), few(if_entry()), when(now));
    parts
        .prop_map(move |(grant, applications, selectors, dates, conditions, when)| {
            json!({"id": id, "grant": grant, "applications": applications, "selectors": selectors, "for": dates, "if": conditions, "when": when})
        })
        .boxed()
}

fn actions() -> BoxedStrategy<Value> {
    let entity = prop_oneof![
        14 => Just("Portfolio"), 1 => Just("portfolio"), 3 => Just("Feature"), 1 => Just("feature"), 3 => Just("PropertyValue"),
        3 => Just("Policy"), 1 => Just("PolicyCollection"), 1 => Just("PropertyDefinition"), 1 => Just("Holding"),
    ];
    let activity = prop_oneof![
        9 => Just("Any"), 4 => Just("Read"), 1 => Just("READ"), 2 => Just("Upsert"), 2 => Just("Add"), 1 => Just("Update"), 1 => Just("Delete"),
        2 => Just("Execute"), 1 => Just("any"),
    ];
    let scope = prop_oneof![3 => Just(Value::Null), 4 => Just(json!("default")), 2 => Just(json!("LUSID")), 1 => Just(json!("lusid"))];
    let action = (scope, activity, entity).prop_map(|(scope, activity, entity)| json!({"scope": scope, "activity": activity, "entity": entity}));
    vec(action, 1..=4).prop_map(Value::from).boxed()
}

fn identifier(fewest: usize) -> BoxedStrategy<Value> {
    let name = prop_oneof![8 => Just("scope"), 8 => Just("code"), 2 => Just("Scope"), 1 => Just("domain"), 1 => Just("other")];
    let pattern = prop_oneof![9 => one_of(&PATTERNS).prop_map(Value::from), 1 => Just(Value::Null)];
    btree_map(name, pattern, fewest..=2).prop_map(|parts| json!(parts)).boxed()
}

fn selector(depth: usize) -> BoxedStrategy<Value> {
    let expression = (one_of(&["Desk", "Rank", "desk"]), any_of_operators(), metadata_text());
    let expression = expression.prop_map(|(key, operator, text)| json!({"metadataKey": key, "operator": operator, "textValue": text}));
    let all = actions().prop_map(|actions| json!({"matchAllSelectorDefinition": {"actions": actions}}));
    let by_id = (identifier(1), actions()).prop_map(|(identifier, actions)| json!({"idSelectorDefinition": {"identifier": identifier, "actions": actions}}));
    let by_metadata = (vec(expression, 1..=2), actions())
        .prop_map(|(expressions, actions)| json!({"metadataSelectorDefinition": {"expressions": expressions, "actions": actions}}));
    let inner = if depth == 0 { Just(Vec::new()).boxed() } else { vec(selector(depth - 1), 0..=2).boxed() };
    let by_policy = (weighted(0.6, identifier(0)), weighted(0.7, inner), actions()).prop_map(
        |(identity, inner, actions)| json!({"policySelectorDefinition": {"identityRestriction": identity, "restrictionSelectors": inner, "actions": actions}}),
    );
    prop_oneof![3 => all, 6 => by_id, 3 => by_metadata, 2 => by_policy].boxed()
}

fn any_of_operators() -> impl Strategy<Value = &'static str> {
    use MetadataOperator::*;
    select(vec![Equals, NotEquals, GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo, In]).prop_map(MetadataOperator::name)
}

fn metadata_text() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => one_of(&METADATA), 1 => one_of(&["EQ, 10", " 9 ,,FX\t", ",", "-0", "00009.0", "1."])]
}

fn for_entry(now: Timestamp) -> BoxedStrategy<Value> {
    let end = prop_oneof![
        1 => Just(json!({"value": "AsAt=Latest"})),
        2 => date(now).prop_map(|date| json!({"dateTimeOffset": date})),
    ];
    let range = (weighted(0.7, date(now)), weighted(0.7, date(now))).prop_map(|(from, to)| json!({"effectiveRange": {"from": from, "to": to}}));
    let as_at = (end.clone(), end).prop_map(|(from, to)| json!({"asAtRangeForSpec": {"from": from, "to": to}}));
    let quality = qualities().prop_map(|quality| json!({"effectiveDateHasQuality": {"quality": quality}}));
    prop_oneof![
        2 => range,
        2 => as_at,
        5 => relative().prop_map(|relative| json!({"effectiveDateRelative": relative})),
        3 => relative().prop_map(|relative| json!({"asAtRelative": relative})),
        3 => quality,
    ]
    .boxed()
}

fn relative() -> impl Strategy<Value = Value> {
    use {DateUnit as Unit, PointInTime as Point, RelativeTo as To};
    let points = [
        Point::Now,
        Point::Now,
        Point::FirstOfMonth,
        Point::FirstBusinessDayOfTheMonth,
        Point::LastDayOfTheMonth,
        Point::LastBusinessDayOfMonth,
        Point::FirstDayOfYear,
        Point::LastDayOfYear,
    ];
    let units = [Unit::Minute, Unit::Hour, Unit::Day, Unit::BusinessDay, Unit::BusinessDay, Unit::Weeks, Unit::Months, Unit::Years];
    let to = [To::BeforeOrOn, To::Before, To::OnDayOf, To::AfterOrOn, To::After, To::Exactly];
    let adjustment = prop_oneof![
        8 => -3..=3_i64,
        2 => select(vec![5, -5, 6, -7, 12, -11, 24, -48, 60, 720]),
        1 => select(vec![i64::MIN, i64::MAX, 40_000, -40_000, 3_000_000, -3_000_000, 99_999_999_999]),
    ];
    let parts = (weighted(0.8, select(points.map(Point::name).to_vec())), weighted(0.8, adjustment), weighted(0.8, select(units.map(Unit::name).to_vec())));
    (parts, select(to.map(To::name).to_vec()))
        .prop_map(|((date, adjustment, unit), relative_to)| json!({"date": date, "adjustment": adjustment, "unit": unit, "relativeToDateTime": relative_to}))
}

fn qualities() -> impl Strategy<Value = &'static str> {
    use DateQuality::*;
    let qualities = [
        IsFirstDayOfAnyMonth,
        IsLastDayOfAnyMonth,
        IsBusinessDayOfAnyMonth,
        IsFirstDayOfTheCurrentMonth,
        IsLastDayOfTheCurrentMonth,
        IsBusinessDayOfTheCurrentMonth,
        IsBeforeMidday,
        IsBefore5pm,
        IsAfter5pm,
    ];
    select(qualities.map(DateQuality::name).to_vec())
}

fn text_test() -> impl Strategy<Value = (&'static str, &'static str)> {
    use TextOperator::*;
    let operators = [
        EqualsCaseSensitive,
        EqualsCaseInsensitive,
        NotEqualsCaseSensitive,
        NotEqualsCaseInsensitive,
        ContainsCaseSensitive,
        NotPresentOrNotContainsCaseSensitive,
        NotPresent,
        InCaseInsensitive,
    ];
    (select(operators.map(TextOperator::name).to_vec()), one_of(&TEXTS))
}

fn if_entry() -> BoxedStrategy<Value> {
    let header = (one_of(&["X-Team", "x-team", "X-Other"]), text_test())
        .prop_map(|(name, (operator, value))| json!({"ifRequestHeaderExpression": {"headerName": name, "operator": operator, "value": value}}));
    let issuer = || weighted(0.3, one_of(&["https://a", "https://b"]));
    let claim = (one_of(&["team", "dept"]), text_test(), issuer(), issuer()).prop_map(|(claim, (operator, value), issuer, original)| {
        json!({"ifIdentityClaimExpression": {"claimType": claim, "operator": operator, "value": value, "claimIssuer": issuer, "claimOriginalIssuer": original}})
    });
    let scope = one_of(&["read", "write"]).prop_map(|scope| json!({"ifIdentityScopeExpression": {"scopeName": scope}}));
    let code = || one_of(&["LUSID/f-1", "lusid/F-*", "f-1", "*", "F*", "*/f-2", "other/*", "f-2", "LUSID*", "*/f-1", "LUSID/a/F-1"]);
    let codes = prop_oneof![code().prop_map(Value::from), vec(code(), 0..=2).prop_map(Value::from)];
    let via = (codes, weighted(0.6, one_of(&["In", "NotIn"])))
        .prop_map(|(codes, operator)| json!({"ifViaApiExpression": {"apiFeatureCodes": codes, "operator": operator}}));
    let actions = prop_oneof![3 => Just(json!([{"activity": "Execute", "entity": "Feature"}])), 1 => actions()];
    let by_code = (weighted(0.5, one_of(&["LUSID", "l*", "other", "*"])), one_of(&["f-1", "F-1", "f-*", "*", "f-2"]), actions)
        .prop_map(|(scope, code, actions)| json!({"idSelectorDefinition": {"identifier": {"scope": scope, "code": code}, "actions": actions}}));
    let chain = vec(prop_oneof![2 => by_code, 1 => selector(0)], 1..=2).prop_map(|selectors| json!({"ifFeatureChainExpression": {"selectors": selectors}}));
    prop_oneof![3 => header, 4 => claim, 2 => scope, 3 => via, 3 => chain].boxed()
}
