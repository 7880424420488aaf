//! The items and properties of a request body, each asked before anything is sent upstream.
//! Names are looked up without case, for upstreams do the same (interfaces §3).
//!
//! A body is read once, and each item is asked about and forgotten as it is read: what a call takes in
//! memory is its body, whatever it is full of. Nothing is asked any more behind the first refusal, but all of
//! the body is still read: one whose shape is wrong anywhere is 400 before it is 403 (semantics §9).

use super::checks::denied;
use super::deciding::Deciding;
use super::judge::Last;
use super::needs::Needs;
use super::questions::{Asked, Asker, EntityQuestion, IdParts, MetadataAt, PropertyQuestion, own_date};
use super::refusal::{Refusal, RefusalName};
use crate::api_map::{Binding, BodyRule, Entity, ItemRule, MetadataSource, Source};
use crate::json_filter::{Document, FilterError, Found, Limits, NameMatch, Node, Pointer};
use crate::policy::{Dates, Metadata};
use std::borrow::Cow;
use std::sync::Arc;

const NAMES: NameMatch = NameMatch::IgnoreCase;

/// Asks about every item and property of the body, rule by rule.
///
/// # Errors
/// 400 for a body that is not what the rules expect, 403 for an item or property that is denied.
pub(super) fn check(asker: &Asker<'_>, body: Option<&[u8]>, needs: &mut Needs) -> Result<(), Refusal> {
    let rules = &asker.operation.body;
    let Some(body) = body.filter(|body| !body.is_empty() && !rules.is_empty()) else { return Ok(()) };
    let limits = &asker.inputs.world.settings.limits;
    let limits = Limits { item_bytes: limits.request_body_bytes, depth: limits.response_depth };
    let document = Document::parse(body, limits).map_err(|error| malformed(&error))?;
    let needed = needs.len();
    let mut refused = None;
    for rule in rules {
        let mut reading = Reading { asker, rule, needs: &mut *needs, refused, last: Last::default(), last_property: LastProperty::default() };
        let read = reading.read(&document);
        refused = reading.refused;
        if let Err(error) = read {
            // What such a body needs is of no concern.
            needs.truncate(needed);
            return Err(malformed(&error));
        }
    }
    refused.map_or(Ok(()), Err)
}

/// The reading of a body by one rule.
struct Reading<'r, 'a> {
    asker: &'r Asker<'a>,
    rule: &'a BodyRule,
    needs: &'r mut Needs,
    /// The first refusal; nothing is asked behind it.
    refused: Option<Refusal>,
    /// The item last asked about, if nothing but its id tells it from others, and whether there is more to ask
    /// when it comes again: there is not if it was granted, or needs what is now among the needs.
    last: Last,
    last_property: LastProperty,
}

/// The property last granted: items of one body name the same ones.
#[derive(Default)]
struct LastProperty(Option<(Option<Box<str>>, Dates, Dates)>);

/// A property of the body: its member name, its own `key`, its own date.
struct BodyProperty<'a> {
    name: Option<Cow<'a, str>>,
    /// Unknown where it is there and no text.
    key: Option<Option<Cow<'a, str>>>,
    date: Option<&'a [u8]>,
}

/// The dates that a question is asked with: effective, as at.
type BothDates = (Dates, Dates);

impl<'a> Reading<'_, 'a> {
    fn read<'b>(&mut self, document: &Document<'b>) -> Result<(), FilterError>
    where
        'a: 'b,
    {
        let rule = self.rule;
        let Some(item) = &rule.item else {
            let dates = (self.asker.inputs.effective, self.asker.inputs.as_at);
            return document.root().each_place(&rule.place, NAMES, &mut |node| self.read_properties(&node, dates));
        };
        document.each_item(&rule.place, NAMES, rule.optional, &mut |found| self.read_item(item, &found))
    }

    fn read_item<'b>(&mut self, rule: &'b ItemRule, found: &Found<'b>) -> Result<(), FilterError>
    where
        'a: 'b,
    {
        let (node, inputs) = (found.node, self.asker.inputs);
        let parts = rule.id.iter().map(|binding| Ok((binding.part.as_ref(), id_part(self.asker, found, binding)?)));
        let id = parts.collect::<Result<IdParts<'b>, FilterError>>()?;
        let metadata = match &rule.metadata {
            MetadataSource::Body(pointer) => node.pointer(pointer, NAMES)?.map(written_metadata).transpose()?,
            _ => None,
        };
        let effective = own_date(raw_at(node, rule.dates.effective.as_ref())?, inputs.effective);
        let as_at = own_date(raw_at(node, rule.dates.as_at.as_ref())?, inputs.as_at);
        if self.refused.is_none() {
            self.refused = self.ask_item(rule, &id, metadata.as_deref(), (effective, as_at)).err();
        }
        rule.properties.iter().try_for_each(|place| node.each_place(place, NAMES, &mut |node| self.read_properties(&node, (effective, as_at))))
    }

    fn read_properties(&mut self, node: &Node<'_>, dates: BothDates) -> Result<(), FilterError> {
        let members = node.members().map(|(name, value)| (Some(name), value));
        for (name, value) in members.chain(node.elements().map(|value| (None, value))) {
            let key = value.member("key", NAMES)?.filter(|node| !node.is_null()).map(|node| node.as_text());
            let date = value.member("effectiveFrom", NAMES)?.map(|node| node.raw());
            if self.refused.is_none() {
                self.refused = self.ask_property(&BodyProperty { name, key, date }, dates).err();
            }
        }
        Ok(())
    }

    fn ask_item(&mut self, rule: &ItemRule, id: &IdParts<'_>, metadata: Option<&[u8]>, (effective, as_at): BothDates) -> Result<(), Refusal> {
        let asker = self.asker;
        let Some(entity) = asker.entity(rule.entity) else { return Err(denied("an entity that the map does not have".to_owned())) };
        let own = metadata.and_then(Metadata::parse);
        let metadata = match &rule.metadata {
            MetadataSource::Body(_) => MetadataAt::Body(own.as_ref()),
            source => MetadataAt::Source(source),
        };
        let is_usual = own.is_none() && (effective, as_at) == (asker.inputs.effective, asker.inputs.as_at) && asker.inputs.trace.is_none();
        if is_usual && self.last.verdict(id) == Some(true) {
            return Ok(());
        }
        let id = id.iter().map(|(part, value)| (*part, value.as_deref().map(Cow::Borrowed))).collect();
        let question = EntityQuestion { activity: &self.rule.activity, entity, id, metadata, effective, as_at };
        let asked = asker.ask(&question);
        if is_usual {
            self.last.remember(&question.id, !matches!(asked, Asked::Denied(_)));
        }
        self.answered(entity, &question, asked)
    }

    fn answered(&mut self, entity: &Entity, question: &EntityQuestion<'_>, asked: Asked) -> Result<(), Refusal> {
        match asked {
            Asked::Granted => Ok(()),
            Asked::Denied(by) => {
                let refusal = denied(format!("{} on an item {} of the body", self.rule.activity, entity.asked_as));
                Err(refusal.because(Arc::new(Deciding::of_entity(question, by))))
            }
            Asked::Needs(route) => self.needs.add(route),
        }
    }

    fn ask_property(&mut self, property: &BodyProperty<'_>, (effective, as_at): BothDates) -> Result<(), Refusal> {
        let dates = (own_date(property.date, effective), as_at);
        let key = property.key.as_ref().map(Option::as_deref);
        match (property.name.as_deref(), key) {
            // A key inside that differs from the member name is asked as well (semantics §9).
            (Some(name), Some(key)) if key != Some(name) => self.require(Some(name), dates).and_then(|()| self.require(key, dates)),
            (Some(name), _) => self.require(Some(name), dates),
            (None, key) => self.require(key.flatten(), dates),
        }
    }

    fn require(&mut self, key: Option<&str>, (effective, as_at): BothDates) -> Result<(), Refusal> {
        let asker = self.asker;
        let is_traced = asker.inputs.trace.is_some();
        if !is_traced && self.last_property.is(key, (effective, as_at)) {
            return Ok(());
        }
        let activity = &self.rule.activity;
        let granted = asker.require_property(&PropertyQuestion { activity, entity: "PropertyValue", key, effective, as_at });
        granted.map_err(|question| denied(format!("{activity} on a property of the body")).because(question))?;
        self.last_property = LastProperty(Some((key.map(Into::into), effective, as_at)));
        Ok(())
    }
}

impl LastProperty {
    fn is(&self, key: Option<&str>, dates: BothDates) -> bool {
        self.0.as_ref().is_some_and(|(last, effective, as_at)| last.as_deref() == key && (*effective, *as_at) == dates)
    }
}

/// The first source of the part that is present.
fn id_part<'a>(asker: &Asker<'a>, found: &Found<'a>, binding: &'a Binding) -> Result<Option<Cow<'a, str>>, FilterError> {
    for source in &binding.sources {
        let text = match source {
            // What is there and no text is no value, and nothing else stands in for it.
            Source::Item { pointer, .. } => match found.node.plain_pointer(pointer, NAMES) {
                // Nor for what brackets hide: there are upstreams that look inside.
                Err(FilterError::WrongShape { .. }) => return Ok(None),
                at => match at?.filter(|node| !node.is_null()) {
                    Some(node) => return Ok(node.as_text()),
                    None => None,
                },
            },
            Source::Key => found.key.clone(),
            of_request => asker.inputs.source(of_request).map(Cow::Borrowed),
        };
        if text.is_some() {
            return Ok(text);
        }
    }
    Ok(None)
}

fn raw_at<'a>(node: Node<'a>, pointer: Option<&Pointer>) -> Result<Option<&'a [u8]>, FilterError> {
    let Some(pointer) = pointer else { return Ok(None) };
    Ok(node.plain_pointer(pointer, NAMES)?.map(|node| node.raw()))
}

/// The metadata in a body, as policies have it. Of each value the upstream reads `value` however it is spelt;
/// where it is spelt otherwise all of it is written anew, in no more bytes than it has.
fn written_metadata(node: Node<'_>) -> Result<Cow<'_, [u8]>, FilterError> {
    let mut is_as_written = true;
    for (_, list) in node.members() {
        for element in list.elements() {
            is_as_written &= element.member("value", NAMES)?.is_none() || element.member("value", NameMatch::Exact)?.is_some();
        }
    }
    if is_as_written {
        return Ok(Cow::Borrowed(node.raw()));
    }
    let mut written = vec![b'{'];
    for (key, list) in node.members() {
        part(&mut written);
        written.extend_from_slice(serde_json::Value::from(key).to_string().as_bytes());
        written.push(b':');
        if !list.is_array() {
            // What is no list stays what it is, and so unknown: an empty one would be known.
            written.extend_from_slice(list.raw());
            continue;
        }
        written.push(b'[');
        for element in list.elements() {
            part(&mut written);
            write_value(&mut written, element)?;
        }
        written.push(b']');
    }
    written.push(b'}');
    Ok(Cow::Owned(written))
}

/// A comma, but for the first inside its brackets.
fn part(written: &mut Vec<u8>) {
    if !matches!(written.last(), Some(b'{' | b'[')) {
        written.push(b',');
    }
}

fn write_value(written: &mut Vec<u8>, element: Node<'_>) -> Result<(), FilterError> {
    match element.member("value", NAMES)? {
        None => written.extend_from_slice(element.raw()),
        Some(value) => {
            written.extend_from_slice(b"{\"value\":");
            written.extend_from_slice(value.raw());
            written.push(b'}');
        }
    }
    Ok(())
}

fn malformed(error: &FilterError) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is not what this operation takes.", format!("request body: {error}"))
}
