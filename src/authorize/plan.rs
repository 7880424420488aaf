//! What is done with the answer: whether the caller is unrestricted for this operation, and if not,
//! what identifies the rights that the answer was made under (semantics §9, interfaces §6).

use super::call::UpstreamMetadata;
use super::checks;
use super::inputs::{self, Inputs};
use super::questions::{Asked, Asker, EntityQuestion, MetadataAt};
use crate::api_map::{Answering, Facts, ItemRule, MetadataSource, ResponseRule};
use crate::policy::{Dates, HeaderSource, HeaderValue, Interval, Rights};
use sha2::{Digest, Sha256};

/// The plan for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The answer passes as it is.
    Pass,
    /// The answer is filtered.
    Filter,
}

/// Makes the plan for a call that is admitted.
pub(super) fn plan(asker: &Asker<'_>) -> Plan {
    if asker.operation.answering != Answering::Filtered || is_unrestricted(asker) {
        return Plan::Pass;
    }
    Plan::Filter
}

/// Whether every rule, properties included, is granted without looking at an item.
fn is_unrestricted(asker: &Asker<'_>) -> bool {
    let inputs = asker.inputs;
    asker.operation.response.iter().all(|rule| match rule {
        ResponseRule::Pass => true,
        ResponseRule::Properties(_) => reads_all_properties(asker, inputs.as_at),
        ResponseRule::Items { activity, item, facts, .. } => {
            let as_at = if facts.as_at.is_some() { Dates::Unknown } else { inputs.as_at };
            sees_all_items(asker, activity, item, facts) && (item.properties.is_empty() || reads_all_properties(asker, as_at))
        }
    })
}

/// Whether only the body of an answer to a read could tell that its single item may be seen. Where the
/// request tells all of an item, or names it as a target, it was asked about already.
pub(super) fn is_single_item_in_doubt(asker: &Asker<'_>) -> bool {
    asker.operation.reads()
        && asker.operation.response.iter().any(|rule| match rule {
            ResponseRule::Items { is_single: true, activity, item, facts } => {
                !facts.pointers.is_empty() && !sees_all_items(asker, activity, item, facts) && !checks::is_granted_target(asker, activity, item)
            }
            _ => false,
        })
}

/// Parts, dates and metadata that come from the item are unknown; what the policies grant then, they
/// grant for every item.
fn sees_all_items(asker: &Asker<'_>, activity: &str, item: &ItemRule, facts: &Facts) -> bool {
    let Some(entity) = asker.entity(item.entity) else { return false };
    let inputs = asker.inputs;
    let metadata = match &item.metadata {
        source @ MetadataSource::Snapshot if !item.id.iter().any(crate::api_map::Binding::is_of_item) => MetadataAt::Source(source),
        _ => MetadataAt::Unknown,
    };
    let question = EntityQuestion {
        activity,
        entity,
        id: asker.request_id(&item.id),
        metadata,
        effective: if facts.effective.is_some() { Dates::Unknown } else { inputs.effective },
        as_at: if facts.as_at.is_some() { Dates::Unknown } else { inputs.as_at },
    };
    asker.ask(&question) == Asked::Granted
}

fn reads_all_properties(asker: &Asker<'_>, as_at: Dates) -> bool {
    asker.may_read_property(None, Dates::Unknown, as_at)
}

/// A digest of what the policies have to say about the items of this answer. It is absent when that
/// depends on now or on metadata, so that no validator may stand for the answer. It looks at every
/// policy of the caller, so it is made only where there is a validator.
pub(super) fn rights(inputs: &Inputs) -> Option<u128> {
    let (rights, has_metadata) = look(inputs)?;
    let is_now = |dates: Dates| matches!(dates, Dates::Between(interval) if interval == Interval::at(inputs.now));
    let depends = rights.depends_on_now
        || rights.depends_on_metadata && has_metadata
        || rights.uses_effective && is_now(inputs.effective)
        || rights.uses_as_at && is_now(inputs.as_at);
    (!depends).then_some(rights.digest ^ u128::from(inputs.world.maps.fingerprint()))
}

/// A digest of the headers that ids of the answer's items, or its policies, are taken from.
pub(super) fn circumstances(inputs: &Inputs) -> Option<[u8; 32]> {
    let mut names = inputs::named_headers(&inputs.world.snapshot.policies, inputs.operation()?).peekable();
    if names.peek().is_none() {
        return Some([0; 32]);
    }
    let mut hasher = Sha256::new();
    for name in names {
        let value = match inputs.headers.value(name) {
            HeaderValue::Absent => continue,
            HeaderValue::Unknown => return None,
            HeaderValue::Text(text) => text,
        };
        for text in [name, value] {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
    }
    Some(hasher.finalize().into())
}

/// The same digest, whatever it depends on: for the comparison of two worlds at one time.
pub(super) fn digest(inputs: &Inputs) -> Option<u128> {
    look(inputs).map(|(rights, _)| rights.digest)
}

/// What the policies have to say about this answer, and whether its entities have metadata.
fn look(inputs: &Inputs) -> Option<(Rights, bool)> {
    let fetched = UpstreamMetadata::default();
    let asker = &Asker::new(inputs, inputs.operation()?, &fetched);
    let mut actions: Vec<(&str, &str)> = vec![("Read", "PropertyValue")];
    if asker.operation.property_definition {
        actions.push(("Read", "PropertyDefinition"));
    }
    let mut has_metadata = false;
    for rule in &asker.operation.response {
        if let ResponseRule::Items { activity, item, .. } = rule {
            actions.extend(asker.entity(item.entity).map(|entity| (activity.as_ref(), entity.asked_as.as_ref())));
            has_metadata |= !matches!(item.metadata, MetadataSource::None | MetadataSource::Body(_));
        }
    }
    let rights = asker.subject.rights(&asker.operation.application, &actions);
    Some((rights, has_metadata))
}
