//! From ids, dates and metadata to the questions that the policies answer (semantics §9).

use super::call::UpstreamMetadata;
use super::deciding::Deciding;
use super::inputs::Inputs;
use crate::api_map::{Entity, MetadataSource, Operation, RoutePart};
use crate::policy::{Cause, Dates, Decision, Metadata, MetadataOf, Question, Subject, parse_instant};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// The parts of an id; a value of `None` is unknown.
pub(super) type IdParts<'a> = SmallVec<[(&'a str, Option<Cow<'a, str>>); 4]>;

/// What came of asking: metadata of the upstream may be missing for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Granted,
    /// By what; none where no policy grants it.
    Denied(Option<Cause>),
    /// `GET` this target first.
    Needs(String),
}

/// Where the metadata of a question comes from.
#[derive(Clone, Copy)]
pub(super) enum MetadataAt<'a> {
    /// The entity's source, by the id of the question.
    Source(&'a MetadataSource),
    /// What the item's own body carries; `None` = unknown.
    Body(Option<&'a Metadata>),
    /// Judged by the answer.
    LeftToAnswer,
    /// Not known before the item is.
    Unknown,
}

/// One question about an entity, before its metadata is found.
pub(super) struct EntityQuestion<'a> {
    pub(super) activity: &'a str,
    pub(super) entity: &'a Entity,
    pub(super) id: IdParts<'a>,
    pub(super) metadata: MetadataAt<'a>,
    pub(super) effective: Dates,
    pub(super) as_at: Dates,
}

/// One question about a property; a key with fewer than two slashes has unknown parts.
#[derive(Clone, Copy)]
pub(super) struct PropertyQuestion<'a> {
    pub(super) activity: &'a str,
    /// `PropertyValue` or `PropertyDefinition`.
    pub(super) entity: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) effective: Dates,
    pub(super) as_at: Dates,
}

impl EntityQuestion<'_> {
    /// Whether every part that the entity's ids have is bound and known: half an id may name
    /// something that is there already.
    fn is_whole(&self) -> bool {
        let is_known = |name: &str| self.id.iter().any(|(part, value)| part.eq_ignore_ascii_case(name) && value.is_some());
        self.entity.parts.iter().all(|part| is_known(part))
    }
}

/// Asks questions for one call.
pub(super) struct Asker<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) operation: &'a Operation,
    pub(super) subject: Subject<'a>,
    pub(super) fetched: &'a UpstreamMetadata,
}

/// Everything but the unreserved characters of RFC 3986 is encoded in a metadata route.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl<'a> Asker<'a> {
    /// An asker for the operation of `inputs`.
    pub(super) fn new(inputs: &'a Inputs, operation: &'a Operation, fetched: &'a UpstreamMetadata) -> Self {
        let subject = inputs.subject(Some((&operation.application, &operation.feature)));
        Self { inputs, operation, subject, fetched }
    }

    /// What the policies say.
    pub(super) fn decides(&self, question: &Question<'_>) -> Decision {
        if let Some(trace) = &self.inputs.trace {
            trace.note(self, question);
        }
        self.subject.decide(question)
    }

    /// By what the policies grant it.
    ///
    /// # Errors
    /// The question, to be written down with the refusal.
    pub(super) fn require(&self, question: &Question<'_>) -> Result<Option<Cause>, Arc<Deciding>> {
        let decision = self.decides(question);
        if decision.granted { Ok(decision.by) } else { Err(Arc::new(Deciding::new(question, decision.by))) }
    }

    /// Asks about an entity.
    pub(super) fn ask(&self, question: &EntityQuestion<'_>) -> Asked {
        let none = Metadata::default();
        let metadata = match question.metadata {
            MetadataAt::LeftToAnswer => MetadataOf::LeftToAnswer,
            MetadataAt::Body(Some(metadata)) => MetadataOf::Known(metadata),
            MetadataAt::Body(None) | MetadataAt::Unknown => MetadataOf::Unknown,
            MetadataAt::Source(MetadataSource::None | MetadataSource::Body(_)) => MetadataOf::Unknown,
            MetadataAt::Source(MetadataSource::Snapshot) => self.of_snapshot(question, &none),
            MetadataAt::Source(MetadataSource::Upstream(route)) => return self.ask_with_upstream(question, route),
        };
        asked(self.decide(question, metadata))
    }

    fn decide(&self, question: &EntityQuestion<'_>, metadata: MetadataOf<'_>) -> Decision {
        let question = Question {
            application: &self.operation.application,
            action_scope: "default",
            activity: question.activity,
            entity: &question.entity.asked_as,
            id: &question.id,
            metadata,
            effective: question.effective,
            as_at: question.as_at,
            policy: None,
        };
        self.decides(&question)
    }

    /// An id without an entry is unknown; for `Add` with a complete id it is known to have none.
    fn of_snapshot<'m>(&'m self, question: &EntityQuestion<'_>, none: &'m Metadata) -> MetadataOf<'m> {
        let known: SmallVec<[(&str, &str); 4]> = question.id.iter().filter_map(|(part, value)| Some((*part, value.as_deref()?))).collect();
        let is_complete = known.len() == question.id.len() && !known.is_empty();
        if !is_complete {
            return MetadataOf::Unknown;
        }
        match self.inputs.world.snapshot.policies.access_metadata(&question.entity.asked_as, &known) {
            Some(metadata) => MetadataOf::Known(metadata),
            None if question.activity.eq_ignore_ascii_case("Add") && question.is_whole() => MetadataOf::Known(none),
            None => MetadataOf::Unknown,
        }
    }

    /// Fetches only what changes the verdict: a grant with unknown metadata stays one, and what is
    /// refused with the kindest metadata stays refused.
    fn ask_with_upstream(&self, question: &EntityQuestion<'_>, route: &[RoutePart]) -> Asked {
        let without = self.decide(question, MetadataOf::Unknown);
        if without.granted {
            return Asked::Granted;
        }
        let Some(target) = metadata_target(route, &question.id).filter(|_| self.decide(question, MetadataOf::LeftToAnswer).granted) else {
            return Asked::Denied(without.by);
        };
        match self.fetched.answer(&target) {
            None => Asked::Needs(target),
            Some(None) => Asked::Denied(without.by),
            Some(Some(metadata)) => asked(self.decide(question, MetadataOf::Known(metadata))),
        }
    }

    /// Whether a property may be touched so.
    pub(super) fn may_touch_property(&self, property: &PropertyQuestion<'_>) -> bool {
        self.of_property(property, |question| self.decides(question).granted)
    }

    /// The same, for what refuses the call.
    ///
    /// # Errors
    /// The question, to be written down with the refusal.
    pub(super) fn require_property(&self, property: &PropertyQuestion<'_>) -> Result<(), Arc<Deciding>> {
        self.of_property(property, |question| self.require(question).map(|_| ()))
    }

    fn of_property<T>(&self, property: &PropertyQuestion<'_>, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let (domain, scope, code) =
            property.key.and_then(split_key).map_or((None, None, None), |(domain, scope, code)| (Some(domain), Some(scope), Some(code)));
        let id = [("domain", domain), ("scope", scope), ("code", code)].map(|(part, value)| (part, value.map(Cow::Borrowed)));
        ask(&Question {
            application: &self.operation.application,
            action_scope: "default",
            activity: property.activity,
            entity: property.entity,
            id: &id,
            metadata: MetadataOf::Unknown,
            effective: property.effective,
            as_at: property.as_at,
            policy: None,
        })
    }

    /// Whether a property of an answer may be read, and its definition where the map says so (§9 step 8).
    pub(super) fn may_read_property(&self, key: Option<&str>, effective: Dates, as_at: Dates) -> bool {
        let value = PropertyQuestion { activity: "Read", entity: "PropertyValue", key, effective, as_at };
        self.may_touch_property(&value)
            && (!self.operation.property_definition || self.may_touch_property(&PropertyQuestion { entity: "PropertyDefinition", ..value }))
    }
}

fn asked(decision: Decision) -> Asked {
    if decision.granted { Asked::Granted } else { Asked::Denied(decision.by) }
}

/// A property key, split at its first two slashes.
fn split_key(key: &str) -> Option<(&str, &str, &str)> {
    let mut parts = key.splitn(3, '/');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// A longer part, in bytes, is asked of no upstream: hardly a server takes such a target.
const LONGEST_PART: usize = 8192;

/// The route with its id parts percent-encoded; `None` when a part is unknown, empty or endless, or would
/// change the path.
fn metadata_target(route: &[RoutePart], id: &IdParts<'_>) -> Option<String> {
    let mut target = String::new();
    for part in route {
        match part {
            RoutePart::Text(text) => target.push_str(text),
            RoutePart::IdPart(name) => {
                let (_, value) = id.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
                // An upstream that decodes the target before it splits it must find the same place.
                let leads_away = |value: &&str| value.split(['/', '\\']).any(|piece| matches!(piece, "" | "." | ".."));
                let value = value.as_deref().filter(|value| value.len() <= LONGEST_PART && !leads_away(value))?;
                target.extend(utf8_percent_encode(value, ESCAPED));
            }
        }
    }
    Some(target)
}

/// The date of a row or property: absent or null falls back, what is no date is unknown (semantics §5).
pub(super) fn own_date(raw: Option<&[u8]>, fallback: Dates) -> Dates {
    let Some(raw) = raw.filter(|raw| *raw != b"null") else { return fallback };
    let is_text = raw.first() == Some(&b'"');
    let text = crate::json_filter::text(raw).filter(|_| is_text);
    let instant = text.and_then(|text| parse_instant(&text));
    instant.map_or(Dates::Unknown, |instant| Dates::Between(crate::policy::Interval::at(instant)))
}
