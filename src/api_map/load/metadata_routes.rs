//! Whether the metadata routes of entities can be written: each part that one names must be a part of the id,
//! by the entity itself or by a rule. A part that nothing binds would leave the metadata unknown for ever.

use crate::api_map::ApiMap;
use crate::api_map::Binding;
use crate::api_map::entity::{Entity, MetadataSource, RoutePart};
use crate::api_map::operation::Operation;
use crate::api_map::reading::Problems;
use crate::api_map::rules::{ResponseRule, TargetKind};

/// Reports the parts of metadata routes that no id of their entity has; of entities and operations from these places on.
pub(super) fn check(map: &ApiMap, (first_entity, first_operation): (usize, usize), problems: &mut Problems<'_>) {
    let operations = map.operations.get(first_operation..).unwrap_or_default();
    for (index, entity) in map.entities.iter().enumerate().skip(first_entity) {
        let MetadataSource::Upstream(route) = &entity.metadata else { continue };
        if inherits(map, first_entity, entity) {
            continue;
        }
        let bound: Vec<&str> = operations.iter().flat_map(|operation| bound_by(operation, index)).collect();
        let has = |name: &str| entity.parts.iter().map(AsRef::as_ref).chain(bound.iter().copied()).any(|part| part.eq_ignore_ascii_case(name));
        for part in route {
            if let RoutePart::IdPart(name) = part
                && !has(name)
            {
                let message = format!("the metadata route names the part `{name}`, which the id of `{}` does not have", entity.name);
                problems.add(&format!("entities.{}.metadata", entity.name), message);
            }
        }
    }
}

/// Whether the source is that of the determining entity, where it was looked at.
fn inherits(map: &ApiMap, first_entity: usize, entity: &Entity) -> bool {
    let mut own = map.entities.iter().skip(first_entity);
    entity.is_determined && own.any(|other| !other.is_determined && other.name == entity.asked_as && other.metadata == entity.metadata)
}

/// The parts of the ids that an operation's rules have for an entity.
fn bound_by(operation: &Operation, index: usize) -> Vec<&str> {
    let targets = operation.targets.iter().filter_map(|target| match &target.kind {
        TargetKind::Entity { entity, id } => Some((*entity, id)),
        TargetKind::Property { .. } => None,
    });
    let body = operation.body.iter().filter_map(|rule| rule.item.as_ref()).map(|item| (item.entity, &item.id));
    let response = operation.response.iter().filter_map(|rule| match rule {
        ResponseRule::Items { item, .. } => Some((item.entity, &item.id)),
        ResponseRule::Properties(_) | ResponseRule::Pass => None,
    });
    let ids = targets.chain(body).chain(response).filter(|(entity, _)| *entity == index);
    ids.flat_map(|(_, id): (usize, &Vec<Binding>)| id).map(|binding| &*binding.part).collect()
}
