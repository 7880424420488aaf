//! The items and properties of a request body, each asked before anything is sent upstream.
//! Names are looked up without case, for upstreams do the same (interfaces §3).

use super::checks::denied;
use super::deciding::Deciding;
use super::questions::{Asked, Asker, EntityQuestion, IdParts, MetadataAt, PropertyQuestion, own_date};
use super::refusal::{Refusal, RefusalName};
use crate::api_map::{Binding, BodyRule, ItemRule, MetadataSource, Source};
use crate::json_filter::{Document, FilterError, Found, Limits, NameMatch, Node, Pattern, Pointer};
use crate::policy::{Dates, Metadata};
use std::borrow::Cow;
use std::sync::Arc;

const NAMES: NameMatch = NameMatch::IgnoreCase;

/// Asks about every item and property of the body, rule by rule.
///
/// # Errors
/// 400 for a body that is not what the rules expect, 403 for an item or property that is denied.
pub(super) fn check(asker: &Asker<'_>, body: Option<&[u8]>, needs: &mut Vec<String>) -> Result<(), Refusal> {
    let rules = &asker.operation.body;
    let Some(body) = body.filter(|body| !body.is_empty() && !rules.is_empty()) else { return Ok(()) };
    let limits = &asker.inputs.world.settings.limits;
    let limits = Limits { item_bytes: limits.request_body_bytes, depth: limits.response_depth };
    let document = Document::parse(body, limits).map_err(|error| malformed(&error))?;
    // The whole body is read before any of it is judged: its shape is the caller's to mend.
    let found = rules.iter().map(|rule| read(asker, &document, rule)).collect::<Result<Vec<_>, _>>().map_err(|error| malformed(&error))?;
    for (rule, items) in rules.iter().zip(&found) {
        for item in items {
            ask_item(asker, rule, item, needs)?;
        }
    }
    Ok(())
}

/// An item of the body with everything that its questions need, looked up.
struct BodyItem<'a> {
    id: IdParts<'a>,
    metadata: Option<Metadata>,
    effective: Option<&'a [u8]>,
    as_at: Option<&'a [u8]>,
    has_effective: bool,
    has_as_at: bool,
    properties: Vec<BodyProperty<'a>>,
}

/// A property of the body: its member name, its own `key`, its own date.
struct BodyProperty<'a> {
    name: Option<Cow<'a, str>>,
    key: Option<Cow<'a, str>>,
    date: Option<&'a [u8]>,
}

fn read<'a>(asker: &Asker<'a>, document: &'a Document<'a>, rule: &'a BodyRule) -> Result<Vec<BodyItem<'a>>, FilterError> {
    let Some(item) = &rule.item else {
        let mut properties = Vec::new();
        for found in places(document.root(), &rule.place)? {
            read_properties(&found, &mut properties)?;
        }
        return Ok(vec![BodyItem { properties, ..BodyItem::empty() }]);
    };
    document.items(&rule.place, NAMES, rule.optional)?.iter().map(|found| read_item(asker, found, item)).collect()
}

impl<'a> BodyItem<'a> {
    fn empty() -> Self {
        Self {
            id: IdParts::new(),
            metadata: None,
            effective: None,
            as_at: None,
            has_effective: false,
            has_as_at: false,
            properties: Vec::new(),
        }
    }
}

fn read_item<'a>(asker: &Asker<'a>, found: &Found<'a>, rule: &'a ItemRule) -> Result<BodyItem<'a>, FilterError> {
    let node = found.node;
    let mut item = BodyItem::empty();
    for binding in &rule.id {
        item.id.push((&binding.part, id_part(asker, found, binding)?));
    }
    if let MetadataSource::Body(pointer) = &rule.metadata {
        item.metadata = at(node, pointer)?.and_then(|node| Metadata::parse(node.raw()));
    }
    item.has_effective = rule.dates.effective.is_some();
    item.has_as_at = rule.dates.as_at.is_some();
    item.effective = raw_at(node, rule.dates.effective.as_ref())?;
    item.as_at = raw_at(node, rule.dates.as_at.as_ref())?;
    for place in &rule.properties {
        for found in places(node, place)? {
            read_properties(&found, &mut item.properties)?;
        }
    }
    Ok(item)
}

/// The first source of the part that is present.
fn id_part<'a>(asker: &Asker<'a>, found: &Found<'a>, binding: &'a Binding) -> Result<Option<Cow<'a, str>>, FilterError> {
    for source in &binding.sources {
        let text = match source {
            Source::Item { pointer, .. } => at(found.node, pointer)?.and_then(|node| node.as_text()),
            Source::Key => found.key.clone(),
            of_request => asker.inputs.source(of_request).map(Cow::Borrowed),
        };
        if text.is_some() {
            return Ok(text);
        }
    }
    Ok(None)
}

fn at<'a>(node: Node<'a>, pointer: &Pointer) -> Result<Option<Node<'a>>, FilterError> {
    Ok(node.pointer(pointer, NAMES)?)
}

fn raw_at<'a>(node: Node<'a>, pointer: Option<&Pointer>) -> Result<Option<&'a [u8]>, FilterError> {
    let Some(pointer) = pointer else { return Ok(None) };
    Ok(at(node, pointer)?.map(|node| node.raw()))
}

/// The nodes at a property place; a place that is not there, or leads through scalars, finds none.
fn places<'a>(node: Node<'a>, place: &Pattern) -> Result<Vec<Node<'a>>, FilterError> {
    Ok(node.places(place, NAMES)?)
}

fn read_properties<'a>(node: &Node<'a>, properties: &mut Vec<BodyProperty<'a>>) -> Result<(), FilterError> {
    let members = node.members().map(|(name, value)| (Some(name), value));
    for (name, value) in members.chain(node.elements().map(|value| (None, value))) {
        let key = value.member("key", NAMES)?.filter(is_string).and_then(|node| node.as_text());
        let date = value.member("effectiveFrom", NAMES)?.map(|node| node.raw());
        properties.push(BodyProperty { name, key, date });
    }
    Ok(())
}

fn is_string(node: &Node<'_>) -> bool {
    node.raw().first() == Some(&b'"')
}

fn ask_item(asker: &Asker<'_>, rule: &BodyRule, item: &BodyItem<'_>, needs: &mut Vec<String>) -> Result<(), Refusal> {
    let inputs = asker.inputs;
    let effective = if item.has_effective { own_date(item.effective, inputs.effective) } else { inputs.effective };
    let as_at = if item.has_as_at { own_date(item.as_at, inputs.as_at) } else { inputs.as_at };
    if let Some(item_rule) = &rule.item {
        ask_entity(asker, rule, item_rule, item, (effective, as_at), needs)?;
    }
    for property in &item.properties {
        let own = own_date(property.date, effective);
        let require =
            |key: Option<&str>| asker.require_property(&PropertyQuestion { activity: &rule.activity, entity: "PropertyValue", key, effective: own, as_at });
        let names = [property.name.as_deref(), property.key.as_deref()];
        // A key inside that differs from the member name is asked as well (semantics §9).
        let answered = match names {
            [Some(name), Some(key)] if name != key => require(Some(name)).and_then(|()| require(Some(key))),
            [name, key] => require(name.or(key)),
        };
        answered.map_err(|question| denied(format!("{} on a property of the body", rule.activity)).because(question))?;
    }
    Ok(())
}

fn ask_entity(
    asker: &Asker<'_>,
    rule: &BodyRule,
    item_rule: &ItemRule,
    item: &BodyItem<'_>,
    dates: (Dates, Dates),
    needs: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Some(entity) = asker.entity(item_rule.entity) else { return Err(denied("an entity that the map does not have".to_owned())) };
    let metadata = match &item_rule.metadata {
        MetadataSource::Body(_) => MetadataAt::Body(item.metadata.as_ref()),
        source => MetadataAt::Source(source),
    };
    let id = item.id.iter().map(|(part, value)| (*part, value.as_deref().map(Cow::Borrowed))).collect();
    let question = EntityQuestion { activity: &rule.activity, entity, id, metadata, effective: dates.0, as_at: dates.1 };
    match asker.ask(&question) {
        Asked::Granted => Ok(()),
        Asked::Denied(by) => {
            let refusal = denied(format!("{} on an item {} of the body", rule.activity, entity.asked_as));
            Err(refusal.because(Arc::new(Deciding::of_entity(&question, by))))
        }
        Asked::Needs(route) => {
            needs.push(route);
            Ok(())
        }
    }
}

fn malformed(error: &FilterError) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is not what this operation takes.", format!("request body: {error}"))
}
