//! Targets, body rules and response rules of one operation.

use super::read_bindings;
use crate::api_map::binding::lay_over;
use crate::api_map::entity::Entity;
use crate::api_map::operation::{Answering, Operation};
use crate::api_map::reading::{Object, Problems};
use crate::api_map::rules::{BodyRule, Facts, ItemRule, PropertyRule, ResponseRule, Target, TargetKind};
use crate::api_map::{ApiMap, Binding};
use crate::json_filter::{FilterPlan, Pattern, PropertyNames, Rule, RuleKind};
use serde_json::Value;
use std::sync::Arc;

const TARGET_KEYS: &[&str] = &["entity", "id", "activity", "property"];
const RULE_KEYS: &[&str] = &["items", "entity", "id", "activity", "optional", "pass", "properties", "of"];

/// What the rules of one operation are read against.
pub(super) struct Scope<'a> {
    pub(super) map: &'a ApiMap,
    pub(super) first_entity: usize,
    pub(super) captures: &'a [Box<str>],
    pub(super) activity: &'a str,
}

pub(super) fn read_targets(scope: &Scope<'_>, object: Object<'_>, problems: &mut Problems<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (index, value) in problems.list(object, "targets").iter().enumerate() {
        let path = format!("{}[{index}]", object.at("targets"));
        let Some(target) = problems.object(value, &path, TARGET_KEYS) else { continue };
        let activity = problems.text(target, "activity").unwrap_or(scope.activity).into();
        if let Some(kind) = read_target_kind(scope, target, problems) {
            targets.push(Target { activity, kind });
        }
    }
    targets
}

fn read_target_kind(scope: &Scope<'_>, target: Object<'_>, problems: &mut Problems<'_>) -> Option<TargetKind> {
    if let Some(text) = problems.text(target, "property") {
        let parameter = text.strip_prefix("query.").filter(|name| !name.is_empty());
        if parameter.is_none() || target.has("entity") {
            problems.add(&target.at("property"), "must be a parameter such as `query.propertyKeys`, without an entity beside it");
        }
        return Some(TargetKind::Property { parameter: parameter?.to_ascii_lowercase().into() });
    }
    let (index, entity) = scope.entity(target, "entity", problems)?;
    // A target is no item: what the entity reads from its items is not there yet.
    let base: Vec<Binding> = scope.bindings_of(entity).into_iter().filter(|binding| !binding.is_of_item()).collect();
    let own = read_bindings(&problems.text_map(target, "id"), scope.captures, problems);
    for binding in own.iter().filter(|binding| binding.is_of_item()) {
        problems.add(&target.at("id"), format!("the part `{}` of a target cannot come from an item", binding.part));
    }
    Some(TargetKind::Entity { entity: index, id: lay_over(&base, &own) })
}

pub(super) fn read_body(scope: &Scope<'_>, object: Object<'_>, problems: &mut Problems<'_>) -> Vec<BodyRule> {
    let mut rules = Vec::new();
    for (index, value) in problems.list(object, "body").iter().enumerate() {
        let path = format!("{}[{index}]", object.at("body"));
        let Some(rule) = problems.object(value, &path, RULE_KEYS) else { continue };
        let activity: Box<str> = problems.text(rule, "activity").unwrap_or(scope.activity).into();
        let optional = problems.flag(rule, "optional");
        if problems.flag(rule, "pass") {
            continue;
        }
        let Some(place) = read_place(rule, problems) else { continue };
        let item = if rule.has("items") { read_item(scope, rule, problems) } else { read_properties_of(scope, rule, problems).and(None) };
        rules.push(BodyRule { place, optional, activity, item });
    }
    rules
}

pub(super) fn read_response(scope: &Scope<'_>, object: Object<'_>, problems: &mut Problems<'_>) -> Vec<ResponseRule> {
    let list = problems.list(object, "response");
    if list.is_empty() && object.has("response") {
        problems.add(&object.at("response"), "has no rule; say `unfiltered: true` if the answer is to pass");
    }
    let mut rules = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let path = format!("{}[{index}]", object.at("response"));
        let Some(rule) = problems.object(value, &path, RULE_KEYS) else { continue };
        rules.extend(read_response_rule(scope, rule, problems));
    }
    rules
}

fn read_response_rule(scope: &Scope<'_>, rule: Object<'_>, problems: &mut Problems<'_>) -> Option<ResponseRule> {
    let place = read_place(rule, problems)?;
    if problems.flag(rule, "pass") {
        if rule.has("entity") || rule.has("of") {
            problems.add(&rule.at("pass"), "what passes has no entity; remove one");
        }
        return Some(ResponseRule::Pass);
    }
    if !rule.has("items") {
        return read_properties_of(scope, rule, problems).map(ResponseRule::Properties);
    }
    let mut item = read_item(scope, rule, problems)?;
    let facts = Facts::of(&mut item);
    let activity = problems.text(rule, "activity").unwrap_or("Read").into();
    Some(ResponseRule::Items { is_single: place.is_single(), activity, facts, item: Box::new(item) })
}

fn read_place(rule: Object<'_>, problems: &mut Problems<'_>) -> Option<Pattern> {
    let key = if rule.has("items") { "items" } else { "properties" };
    if rule.has("items") && rule.has("properties") {
        problems.add(rule.path, "names both `items` and `properties`; make two rules of it");
    }
    let text = problems.required_text(rule, key)?;
    problems.keep(&rule.at(key), Pattern::parse(text).map_err(|error| error.to_string()))
}

fn read_item(scope: &Scope<'_>, rule: Object<'_>, problems: &mut Problems<'_>) -> Option<ItemRule> {
    let (index, entity) = scope.entity(rule, "entity", problems)?;
    let base = if entity.is_determined && entity.id_texts.is_empty() { Vec::new() } else { scope.bindings_of(entity) };
    let own = read_bindings(&problems.text_map(rule, "id"), scope.captures, problems);
    Some(ItemRule {
        entity: index,
        id: lay_over(&base, &own),
        metadata: entity.metadata.clone(),
        dates: entity.dates.clone(),
        properties: entity.properties.clone(),
    })
}

fn read_properties_of(scope: &Scope<'_>, rule: Object<'_>, problems: &mut Problems<'_>) -> Option<PropertyRule> {
    if rule.has("id") {
        problems.add(&rule.at("id"), "properties without an item have no id; remove it");
    }
    scope.entity(rule, "of", problems).map(|(entity, _)| PropertyRule { entity })
}

impl<'a> Scope<'a> {
    fn entity(&self, rule: Object<'_>, key: &str, problems: &mut Problems<'_>) -> Option<(usize, &'a Entity)> {
        let name = problems.required_text(rule, key)?;
        let own = self.map.entities.iter().enumerate().skip(self.first_entity);
        let found = own.into_iter().find(|(_, entity)| *entity.name == *name);
        if found.is_none() {
            problems.add(&rule.at(key), format!("`{name}` is no entity of this map; declare it under `entities`"));
        }
        found
    }

    /// The entity's own bindings. One that names a template segment which this path does not have
    /// is left out: the rule, or nobody, supplies that part.
    fn bindings_of(&self, entity: &Entity) -> Vec<Binding> {
        let own = entity.id_texts.iter();
        // What else is wrong with one was reported at the entity.
        own.filter_map(|(part, text)| Binding::parse(part, text, self.captures).ok()).collect()
    }
}

/// Makes the filter of a filtered operation; its rules have the indexes of the response rules.
pub(super) fn compile_filter(operation: &mut Operation, object: Object<'_>, problems: &mut Problems<'_>) {
    if operation.answering != Answering::Filtered {
        return;
    }
    let places = problems.list(object, "response").iter().filter_map(place_of);
    let rules: Vec<Rule> = operation.response.iter().zip(places).map(|(rule, (place, optional))| Rule { place, optional, kind: kind_of(rule) }).collect();
    let names = PropertyNames { key: "key".into(), date: "effectiveFrom".into() };
    match FilterPlan::new(rules, operation.strip.clone(), names) {
        Ok(plan) => operation.filter = Some(Arc::new(plan)),
        Err(error) => problems.add(&object.at("response"), error.to_string()),
    }
}

fn place_of(rule: &Value) -> Option<(Pattern, bool)> {
    let text = rule.get("items").or_else(|| rule.get("properties"))?.as_str()?;
    let optional = rule.get("optional").and_then(Value::as_bool).unwrap_or_default();
    Some((Pattern::parse(text).ok()?, optional))
}

fn kind_of(rule: &ResponseRule) -> RuleKind {
    match rule {
        ResponseRule::Items { item, facts, .. } => RuleKind::Items { facts: facts.pointers.clone(), properties: item.properties.clone() },
        ResponseRule::Properties(_) => RuleKind::Properties,
        ResponseRule::Pass => RuleKind::Pass,
    }
}
