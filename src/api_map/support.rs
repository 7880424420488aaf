//! What an entity supports, against what the policies use (semantics §9 "What an entity supports").

use super::{ApiMap, Entity, Finding, MetadataSource};
use crate::policy::{Action, Condition, Policies, PolicyDocument, Selector};
use std::collections::BTreeSet;

/// Entities that every application has, without a place in any map.
const BUILT_IN: &[&str] = &["Feature", "PropertyValue", "PropertyDefinition", "Policy", "PolicyCollection", "Delegation"];

/// Everything that policies use and the entities of the map do not have; in decisions it is unknown.
#[must_use]
pub(super) fn findings(map: &ApiMap, policies: &Policies) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, policy) in policies.policies_as_written() {
        let place = format!("policies[{index}] ({}/{})", policy.id.scope, policy.id.code);
        let mut messages = BTreeSet::new();
        for selector in &policy.selectors {
            check_selector(map, selector, &mut messages);
        }
        messages.extend(opens_nothing(policy));
        findings.extend(messages.into_iter().map(|message| Finding { place: place.clone(), message }));
    }
    findings
}

fn check_selector(map: &ApiMap, selector: &Selector, messages: &mut BTreeSet<String>) {
    for action in selector.actions.iter().filter(|action| !is_built_in(action)) {
        let asked: Vec<&Entity> = map.entities.iter().filter(|entity| entity.asked_as.eq_ignore_ascii_case(&action.entity)).collect();
        if asked.is_empty() {
            messages.insert(unknown_entity(map, &action.entity));
        } else {
            check_condition(&asked, selector, action, messages);
        }
    }
}

fn unknown_entity(map: &ApiMap, name: &str) -> String {
    match map.entities.iter().find(|entity| entity.name.eq_ignore_ascii_case(name)) {
        Some(determined) => format!("names the entity `{name}`, whose items are asked as `{}`; name that one", determined.asked_as),
        None => format!("names the entity `{name}`, which no API map has; it never matches"),
    }
}

fn check_condition(asked: &[&Entity], selector: &Selector, action: &Action, messages: &mut BTreeSet<String>) {
    match &selector.condition {
        Condition::MatchAll => {}
        Condition::Metadata(_) if asked.iter().any(|entity| entity.metadata != MetadataSource::None) => {}
        Condition::Metadata(_) => {
            messages.insert(format!("selects `{}` by metadata, which it does not have; that is unknown", action.entity));
        }
        Condition::Policy(_) => {
            messages.insert(format!("selects `{}` as if it were a policy; that never matches", action.entity));
        }
        Condition::Identifier(identifier) => {
            for part in identifier.0.iter().filter(|part| part.pattern.as_deref().is_some_and(|pattern| pattern != "*")) {
                let has = |entity: &&Entity| entity.id_texts.iter().any(|(name, _)| name.eq_ignore_ascii_case(&part.name));
                if !asked.iter().any(has) {
                    messages.insert(format!("selects `{}` by the part `{}`, which it does not have; that is unknown", action.entity, part.name));
                }
            }
        }
    }
}

/// A grant of `List` alone: the data plane never asks it.
fn opens_nothing(policy: &PolicyDocument) -> Option<String> {
    let mut actions = policy.selectors.iter().flat_map(|selector| &selector.actions);
    let only_lists = actions.all(|action| action.activity.eq_ignore_ascii_case("List"));
    only_lists.then(|| "names no activity but `List`, which the data plane never asks; name `Read`".to_owned())
}

fn is_built_in(action: &Action) -> bool {
    BUILT_IN.iter().any(|name| name.eq_ignore_ascii_case(&action.entity))
}

#[cfg(test)]
mod tests {
    use crate::api_map::ApiMap;
    use crate::cases::read_yaml;

    fn messages(selector: &str) -> Vec<String> {
        let map = "application: A\nentities:\n  P: { id: { scope: /s }, metadata: none }\n  T: { determined_by: P }\noperations: []\n";
        let map = ApiMap::load(&[("map".to_owned(), read_yaml(map).unwrap())]).unwrap();
        let document = format!(
            r#"{{"schema":"doorward.snapshot/1","revision":1,"issuedAt":"2026-01-01T00:00:00Z","policies":[{{"id":{{"code":"p"}},"grant":"Allow","selectors":[{selector}],"when":{{}}}}]}}"#
        );
        let policies = crate::policy::load(document.as_bytes()).unwrap();
        map.policy_findings(&policies).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_an_entity_does_not_have_is_found() {
        let actions = |activity: &str, entity: &str| format!(r#""actions":[{{"scope":"default","activity":"{activity}","entity":"{entity}"}}]"#);
        let by_id = |part: &str, entity: &str| format!(r#"{{"idSelectorDefinition":{{"identifier":{{"{part}":"x"}},{}}}}}"#, actions("Read", entity));
        let by_metadata = format!(
            r#"{{"metadataSelectorDefinition":{{"expressions":[{{"metadataKey":"K","operator":"Equals","textValue":"v"}}],{}}}}}"#,
            actions("Read", "P")
        );
        let lists = format!(r#"{{"matchAllSelectorDefinition":{{{}}}}}"#, actions("List", "P"));
        for (selector, word) in [
            (by_id("code", "P"), "by the part `code`"),
            (by_id("scope", "T"), "are asked as `P`"),
            (by_id("scope", "Q"), "which no API map has"),
            (by_metadata, "by metadata"),
            (lists, "no activity but `List`"),
        ] {
            let found = messages(&selector);
            assert!(found.len() == 1 && found[0].contains(word), "{selector}: {found:?}");
        }
        assert!(messages(&by_id("scope", "P")).is_empty());
        assert!(messages(&by_id("code", "Feature")).is_empty());
    }
}
