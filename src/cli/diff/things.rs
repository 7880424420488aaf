//! Things whose access metadata is another one in the second snapshot: what becomes of them for those whose policies look at it.

use super::Lines;
use super::asked::Asked;
use crate::api_map::{ApiMap, MetadataSource};
use crate::policy::{AccessMetadata, Dates, Interval, Metadata, MetadataOf, Policies, Question, Subject, Uses};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One of them.
pub(super) struct Thing<'a> {
    entity: &'a str,
    /// In order of the parts' names.
    id: Vec<(&'a str, Option<Cow<'a, str>>)>,
    before: Option<&'a Metadata>,
    after: Option<&'a Metadata>,
}

/// What tells things apart: names have no case.
type Key<'a> = (String, BTreeMap<String, &'a str>);

/// The things whose metadata changes, comes or goes; with a map only those that it reads from the snapshot.
pub(super) fn changed<'a>(from: &'a Policies, to: &'a Policies, map: Option<&ApiMap>) -> Vec<Thing<'a>> {
    let mut found: BTreeMap<Key<'a>, Thing<'a>> = BTreeMap::new();
    for access in from.things_with_metadata() {
        found.entry(key(access)).or_insert_with(|| Thing { before: Some(&access.metadata), ..bare(access) });
    }
    for access in to.things_with_metadata() {
        found.entry(key(access)).or_insert_with(|| bare(access)).after.get_or_insert(&access.metadata);
    }
    let is_read = |thing: &Thing<'_>| map.is_none_or(|map| reads(map, thing.entity));
    found.into_values().filter(|thing| thing.before != thing.after && is_read(thing)).collect()
}

fn reads(map: &ApiMap, entity: &str) -> bool {
    map.entities().iter().any(|own| own.asked_as.eq_ignore_ascii_case(entity) && own.metadata == MetadataSource::Snapshot)
}

fn key(access: &AccessMetadata) -> Key<'_> {
    (access.entity.to_ascii_lowercase(), access.id.iter().map(|(name, value)| (name.to_ascii_lowercase(), &**value)).collect())
}

fn bare(access: &AccessMetadata) -> Thing<'_> {
    let mut id: Vec<_> = access.id.iter().map(|(name, value)| (&**name, Some(Cow::Borrowed(&**value)))).collect();
    id.sort();
    Thing { entity: &access.entity, id, before: None, after: None }
}

impl Thing<'_> {
    /// Tells what becomes of every action on it, now: of its other dates policies may say something else.
    pub(super) fn compare(&self, (before, after): (Option<&Subject<'_>>, Option<&Subject<'_>>), asked: &Asked<'_>, now: Timestamp, lines: &mut Lines) {
        for ((application, activity, entity), named) in asked.actions().filter(|((_, _, entity), _)| entity.eq_ignore_ascii_case(self.entity)) {
            let uses = |subject: Option<&Subject<'_>>| subject.map(|subject| subject.uses(activity, entity)).unwrap_or_default();
            let uses = Uses::or(uses(before), uses(after));
            if !uses.metadata {
                continue;
            }
            let granted =
                |subject: Option<&Subject<'_>>, metadata| subject.is_some_and(|subject| self.granted(subject, metadata, (application, activity), now));
            let named = || format!("{named} {}", self.named());
            match (granted(before, self.before), granted(after, self.after)) {
                (false, true) => lines.gains.insert(named()),
                (true, false) => lines.loses.insert(named()),
                _ if uses.effective || uses.as_at => lines.changes.insert(format!("access metadata behind {} changes (may gain or lose)", named())),
                _ => false,
            };
        }
    }

    fn granted(&self, subject: &Subject<'_>, metadata: Option<&Metadata>, (application, activity): (&str, &str), now: Timestamp) -> bool {
        let dates = Dates::Between(Interval::at(now));
        let none = Metadata::default();
        let known = match metadata {
            Some(metadata) => MetadataOf::Known(metadata),
            // What is only to be made has none (semantics §9).
            None if activity.eq_ignore_ascii_case("Add") => MetadataOf::Known(&none),
            None => MetadataOf::Unknown,
        };
        let question = Question {
            application,
            action_scope: "default",
            activity,
            entity: self.entity,
            id: &self.id,
            metadata: known,
            effective: dates,
            as_at: dates,
            policy: None,
        };
        subject.decide(&question).granted
    }

    fn named(&self) -> String {
        let parts: Vec<String> = self.id.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or_default())).collect();
        parts.join(" ")
    }
}
