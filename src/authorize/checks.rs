//! Step 5 of a call: the query guard, then per se, the targets and the items of the body, in this
//! order, before anything goes upstream (semantics §9).

use super::body;
use super::deciding::Deciding;
use super::guard;
use super::inputs::Inputs;
use super::needs::Needs;
use super::questions::{Asked, Asker, EntityQuestion, IdParts, MetadataAt, PropertyQuestion};
use super::refusal::{Refusal, RefusalName};
use crate::api_map::{Binding, Entity, ItemRule, MetadataSource, ResponseRule, Target, TargetKind};
use crate::policy::Dates;
use crate::snapshot::DeniedStatus;
use std::sync::Arc;

/// What the request checks came to.
pub(super) enum Checked {
    Passed,
    Refused(Refusal),
    /// Metadata to be fetched before it can be said.
    Needs(Vec<String>),
}

/// Runs every check of the request; `body` is the whole body where one is inspected.
pub(super) fn check(asker: &Asker<'_>, body: Option<&[u8]>) -> Checked {
    if let Err(refusal) = check_query(asker).and_then(|()| check_per_se(asker)) {
        return Checked::Refused(refusal);
    }
    let mut needs = Needs::default();
    for target in &asker.operation.targets {
        match ask_target(asker, target).and_then(|route| route.map_or(Ok(()), |route| needs.add(route))) {
            Ok(()) => {}
            Err(refusal) if needs.is_empty() => return Checked::Refused(refusal),
            Err(_) => break,
        }
    }
    match body::check(asker, body, &mut needs).and_then(|()| check_single_items(asker, &mut needs)) {
        Err(refusal) if needs.is_empty() || needs.is_over() => Checked::Refused(refusal),
        // What comes first may still refuse by another name: its metadata is fetched first.
        _ if !needs.is_empty() => Checked::Needs(needs.into_targets()),
        _ => Checked::Passed,
    }
}

/// Every mention of a property in a guarded parameter must be readable.
fn check_query(asker: &Asker<'_>) -> Result<(), Refusal> {
    let inputs = asker.inputs;
    for name in &asker.operation.query_guard {
        if inputs.query.is_behind_semicolon(name) {
            return Err(denied(format!("the parameter `{name}` stands behind a `;`")));
        }
        for expression in inputs.query.texts(name) {
            let Some(keys) = guard::property_keys(expression) else {
                return Err(denied(format!("the parameter `{name}` mentions properties in a way that is not understood")));
            };
            for key in keys {
                let question = property(inputs, "Read", Some(key));
                asker.require_property(&question).map_err(|question| {
                    denied(format!("the parameter `{name}` mentions the property `{key}`, which the caller may not read")).because(question)
                })?;
            }
        }
    }
    Ok(())
}

/// A right on the entity as such, for calls that read a single item.
fn check_per_se(asker: &Asker<'_>) -> Result<(), Refusal> {
    if !asker.operation.reads() || !asker.operation.answers_single_item() {
        return Ok(());
    }
    for rule in &asker.operation.response {
        let ResponseRule::Items { is_single: true, activity, item, .. } = rule else { continue };
        let Some(entity) = asker.entity(item.entity) else { continue };
        if !asker.subject.could_grant(&asker.operation.application, activity, &entity.asked_as) {
            let (effective, as_at) = (asker.inputs.effective, asker.inputs.as_at);
            let question = EntityQuestion { activity, entity, id: IdParts::new(), metadata: MetadataAt::Unknown, effective, as_at };
            return Err(denied(format!("no policy could grant {activity} on {}", entity.asked_as)).because(Arc::new(Deciding::of_entity(&question, None))));
        }
    }
    Ok(())
}

/// Asks about a target; what comes back is the metadata that must be fetched first.
///
/// # Errors
/// When the policies refuse it.
fn ask_target(asker: &Asker<'_>, target: &Target) -> Result<Option<String>, Refusal> {
    match &target.kind {
        TargetKind::Entity { entity, id } => {
            let Some(known) = asker.entity(*entity) else { return Err(denied_target(asker, target)) };
            let left = Left::of(asker, target, *entity, known);
            let metadata = if left.metadata { MetadataAt::LeftToAnswer } else { MetadataAt::Source(&known.metadata) };
            let question = EntityQuestion {
                activity: &target.activity,
                entity: known,
                id: asker.request_id(id),
                metadata,
                effective: if left.effective { Dates::LeftToRows } else { asker.inputs.effective },
                as_at: if left.as_at { Dates::LeftToRows } else { asker.inputs.as_at },
            };
            match asker.ask(&question) {
                Asked::Granted => Ok(None),
                Asked::Needs(route) => Ok(Some(route)),
                Asked::Denied(by) => Err(denied_target(asker, target).because(Arc::new(Deciding::of_entity(&question, by)))),
            }
        }
        TargetKind::Property { parameter } => {
            let inputs = asker.inputs;
            // A text that is no plain key may be an expression of many: it is asked as a key that nobody knows.
            let require = |key: Option<&str>| asker.require_property(&property(inputs, &target.activity, key));
            // Upstreams that take a list in one parameter would read more keys than one.
            let require_all = |value: &str| {
                if value.contains(',') || value.trim() != value {
                    require(Some(value))?;
                }
                value.split(',').map(str::trim).try_for_each(|key| require(Some(key).filter(|key| is_plain_key(key))))
            };
            inputs.query.all(parameter).try_for_each(require_all).map_err(|question| denied_target(asker, target).because(question))?;
            Ok(None)
        }
    }
}

/// Whether the item of a rule is a target of the request and may be seen whatever the answer says of it: what
/// targets leave to the answer is taken as unknown.
pub(super) fn is_granted_target(asker: &Asker<'_>, activity: &str, item: &ItemRule) -> bool {
    let asked_as = |index| asker.entity(index).map(|entity| &entity.asked_as);
    asker.operation.targets.iter().any(|target| {
        let TargetKind::Entity { entity, id } = &target.kind else { return false };
        let is_item = asked_as(*entity) == asked_as(item.entity) && target.activity.eq_ignore_ascii_case(activity);
        let Some(known) = asker.entity(*entity).filter(|_| is_item) else { return false };
        let left = Left::of(asker, target, *entity, known);
        let question = EntityQuestion {
            activity,
            entity: known,
            id: asker.request_id(id),
            metadata: if left.metadata { MetadataAt::Unknown } else { MetadataAt::Source(&known.metadata) },
            effective: if left.effective { Dates::Unknown } else { asker.inputs.effective },
            as_at: if left.as_at { Dates::Unknown } else { asker.inputs.as_at },
        };
        asker.ask(&question) == Asked::Granted
    })
}

/// What a target leaves to the answer (semantics §9 "Dates left to the rows").
struct Left {
    effective: bool,
    as_at: bool,
    metadata: bool,
}

impl Left {
    fn of(asker: &Asker<'_>, target: &Target, entity: usize, known: &Entity) -> Self {
        let rules = || asker.operation.response.iter().filter(|rule| !matches!(rule, ResponseRule::Pass));
        let every =
            |holds: &dyn Fn(&ItemRule) -> bool| rules().next().is_some() && rules().all(|rule| matches!(rule, ResponseRule::Items { item, .. } if holds(item)));
        let reads = asker.operation.reads();
        Self {
            effective: reads && every(&|item| item.dates.effective.is_some()),
            as_at: reads && every(&|item| item.dates.as_at.is_some()),
            metadata: reads
                && target.activity.eq_ignore_ascii_case("Read")
                && matches!(known.metadata, MetadataSource::Body(_))
                && every(&|item| item.entity == entity),
        }
    }
}

/// A single item of which the request tells everything is asked before the upstream is called.
fn check_single_items(asker: &Asker<'_>, needs: &mut Needs) -> Result<(), Refusal> {
    if !asker.operation.reads() {
        return Ok(());
    }
    for rule in &asker.operation.response {
        let ResponseRule::Items { is_single: true, activity, item, facts } = rule else { continue };
        let Some(entity) = asker.entity(item.entity).filter(|_| facts.pointers.is_empty()) else { continue };
        let question = EntityQuestion {
            activity,
            entity,
            id: asker.request_id(&item.id),
            metadata: MetadataAt::Source(&item.metadata),
            effective: asker.inputs.effective,
            as_at: asker.inputs.as_at,
        };
        match asker.ask(&question) {
            Asked::Granted => {}
            Asked::Needs(route) => needs.add(route)?,
            Asked::Denied(by) => {
                let refusal = denied_item(asker.inputs.world.settings.denied_status, format!("{activity} on the single {}", entity.asked_as));
                return Err(refusal.because(Arc::new(Deciding::of_entity(&question, by))));
            }
        }
    }
    Ok(())
}

/// A question about a property that the request names, or that is not known.
fn property<'a>(inputs: &Inputs, activity: &'a str, key: Option<&'a str>) -> PropertyQuestion<'a> {
    PropertyQuestion { activity, entity: "PropertyValue", key, effective: inputs.effective, as_at: inputs.as_at }
}

/// Whether a text names a property and says nothing else to whoever searches by it.
fn is_plain_key(key: &str) -> bool {
    key.chars().all(|character| character.is_alphanumeric() || "-_./~+@#$%&=".contains(character))
}

fn denied_target(asker: &Asker<'_>, target: &Target) -> Refusal {
    let reason = match &target.kind {
        TargetKind::Entity { entity, .. } => format!("{} on the target {}", target.activity, asker.entity(*entity).map_or("", |entity| &entity.asked_as)),
        TargetKind::Property { parameter } => format!("{} on a property of the parameter `{parameter}`", target.activity),
    };
    let is_read = target.activity.eq_ignore_ascii_case("Read") && matches!(target.kind, TargetKind::Entity { .. });
    let status = if is_read { asker.inputs.world.settings.denied_status } else { DeniedStatus::Forbidden };
    denied_item(status, reason)
}

/// 403 `AccessDenied`; the reason is for the log alone.
pub(super) fn denied(reason: String) -> Refusal {
    Refusal::new(RefusalName::AccessDenied, "Access to this resource is denied.", reason)
}

/// A denied single item or `Read` target: 403 or 404, as configured.
pub(super) fn denied_item(status: DeniedStatus, reason: String) -> Refusal {
    match status {
        DeniedStatus::Forbidden => denied(reason),
        DeniedStatus::NotFound => Refusal::new(RefusalName::NotFound, "The resource was not found.", reason),
    }
}

/// A `HEAD` of a single item that only its body could admit: it never comes, so whether the item is there,
/// is hidden, or is not there, this is what is said.
pub(super) fn unjudged_head(inputs: &Inputs) -> Refusal {
    denied_item(inputs.world.settings.denied_status, "HEAD of a single item that only its body could admit".to_owned())
}

impl<'a> Asker<'a> {
    /// The entity of a rule.
    pub(super) fn entity(&self, index: usize) -> Option<&'a Entity> {
        self.inputs.world.maps.entity(index)
    }

    /// An id as far as the request gives it.
    pub(super) fn request_id(&self, bindings: &'a [Binding]) -> IdParts<'a> {
        bindings.iter().map(|binding| (binding.part.as_ref(), self.inputs.resolve(binding))).collect()
    }
}
