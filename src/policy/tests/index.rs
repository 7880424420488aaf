//! The index changes nothing: `decide` is a straight scan of the policies, only quicker.

use proptest::prelude::*;

use super::super::decide::applies_to;
use super::super::for_dates::dates_hold;
use super::super::question::EntityKind;
use super::super::selector::selector_holds;
use super::*;

/// Every policy of every role, in order, without the index.
fn scan(policies: &Policies, subject: &Subject<'_>, question: &Question<'_>) -> (bool, Option<(String, usize)>) {
    for role in policies.roles() {
        for grant in [Grant::Deny, Grant::Allow] {
            let mut held: Vec<_> = role.resource.policies.iter().filter_map(|id| policies.document(id)).filter(|policy| policy.grant == grant).collect();
            held.sort_by(|left, right| left.id.cmp(&right.id));
            for policy in held {
                let place = policies.policies().iter().position(|other| other.id == policy.id).unwrap();
                let matching = policy.selectors.iter().position(|selector| selector_holds(selector, question, grant).is_met(grant));
                let others = applies_to(policy, question.application)
                    && subject.is_in_play(u32::try_from(place).unwrap(), policy)
                    && (EntityKind::of(question.entity) == EntityKind::Feature || dates_hold(&policy.dates, grant, question, subject.now).is_met(grant));
                if let (Some(selector), true) = (matching, others) {
                    return (grant == Grant::Allow, Some((policy.id.to_string(), selector)));
                }
            }
        }
    }
    (false, None)
}

fn pattern() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[abA]{1,2}".prop_map(Value::from),
        2 => "[abA]{1,2}\\*".prop_map(Value::from),
        1 => "[ab*]{0,3}".prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn actions() -> impl Strategy<Value = Value> {
    let activity = prop::sample::select(vec!["Read", "Any", "Upsert", "Add", "update"]);
    let entity = prop::sample::select(vec!["Portfolio", "Portfolio", "Feature", "Policy"]);
    let scope = prop::sample::select(vec!["default", "default", "other"]);
    let action = (scope, activity, entity).prop_map(|(scope, activity, entity)| json!({ "scope": scope, "activity": activity, "entity": entity }));
    prop::collection::vec(action, 1..3).prop_map(Value::from)
}

fn selector() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["scope", "code", "Code", "domain"]);
    let identifier = prop::collection::btree_map(name, pattern(), 1..3).prop_map(|parts| json!(parts));
    (identifier, actions(), 0..8_u8).prop_map(|(identifier, actions, kind)| match kind {
        0 => json!({ "matchAllSelectorDefinition": { "actions": actions } }),
        1 => json!({ "policySelectorDefinition": { "identityRestriction": identifier, "actions": actions } }),
        2 => json!({ "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "K", "operator": "Equals", "textValue": "a" }], "actions": actions } }),
        _ => json!({ "idSelectorDefinition": { "identifier": identifier, "actions": actions } }),
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let condition = json!([{ "ifIdentityScopeExpression": { "scopeName": "s" } }]);
    let dates = json!([{ "effectiveRange": { "to": "2020-01-01" } }]);
    let as_at = json!([{ "asAtRangeForSpec": { "from": { "value": "AsAt=Latest" }, "to": { "value": "AsAt=Latest" } } }]);
    (prop::collection::vec(selector(), 1..3), any::<bool>(), 0..8_u8).prop_map(move |(selectors, allows, more)| {
        let policy = if allows { allow(selectors) } else { deny(selectors) };
        match more {
            0 => with(policy, "if", condition.clone()),
            1 => with(policy, "for", dates.clone()),
            2 => with(policy, "applications", json!(["Drive"])),
            3 => with(policy, "for", as_at.clone()),
            _ => policy,
        }
    })
}

fn part() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    prop_oneof![5 => "[abA]{1,3}".prop_map(|value| Some(Cow::Owned(value))), 1 => Just(None)]
}

fn ask() -> impl Strategy<Value = Ask<'static>> {
    let activity = prop::sample::select(vec!["Read", "Upsert", "Add", "Update", "Execute", "Any"]);
    let entity = prop::sample::select(vec!["Portfolio", "portfolio", "Feature", "Policy"]);
    let scope = prop::sample::select(vec!["default", "other", "third"]);
    let dates = prop::sample::select(vec![Dates::Unknown, Dates::LeftToRows, Interval::at(instant(NOW)).into(), Interval::everything().into()]);
    let metadata = prop::sample::select(vec![MetadataOf::Unknown, MetadataOf::LeftToAnswer]);
    let names = prop::sample::subsequence(vec!["scope", "CODE", "domain"], 0..=3);
    ((activity, entity, scope), dates, metadata, (names, prop::collection::vec(part(), 3))).prop_map(
        |((activity, entity, scope), effective, metadata, (names, values))| Ask {
            activity,
            entity,
            scope,
            effective,
            as_at: effective,
            metadata,
            id: names.into_iter().zip(values).collect(),
            ..Ask::default()
        },
    )
}

/// The question without what no policy looks at.
fn less_known<'a>(subject: &Subject<'_>, mut question: Question<'a>) -> Question<'a> {
    let uses = subject.uses(question.activity, question.entity);
    if !uses.effective {
        question.effective = Dates::Unknown;
    }
    if !uses.as_at {
        question.as_at = Dates::Unknown;
    }
    if !uses.metadata {
        question.metadata = MetadataOf::Unknown;
    }
    question
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn decisions_are_those_of_a_straight_scan(
        roles in prop::collection::vec(prop::collection::vec(policy(), 0..24), 1..3),
        asks in prop::collection::vec(ask(), 12),
    ) {
        let policies = Snapshot::of_roles(&roles.iter().map(Vec::as_slice).collect::<Vec<_>>()).load();
        for ask in asks {
            let subject = ask.subject(&policies);
            let decision = subject.decide(&ask.question());
            let named = decision.by.and_then(|by| by.named(&policies));
            let by = named.and_then(|by| Some((by.policy?.id.to_string(), by.selector?)));
            prop_assert_eq!((decision.granted, by), scan(&policies, &subject, &ask.question()));
            prop_assert!(!decision.granted || subject.could_grant("LUSID", ask.activity, ask.entity));
            prop_assert_eq!(subject.decide(&less_known(&subject, ask.question())), decision);
        }
    }
}
