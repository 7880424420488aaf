//! Steps 7 and 8 of a call: the filter's judge, which asks the policies about every item and
//! property of an answer.

use super::call::UpstreamMetadata;
use super::deciding::Deciding;
use super::inputs::Inputs;
use super::questions::{Asked, Asker, EntityQuestion, IdParts, MetadataAt, own_date};
use crate::api_map::{Binding, Facts, ItemRule, MetadataSource, Operation, ResponseRule, Source};
use crate::json_filter::{ItemVerdict, Judge, Property, text};
use crate::policy::{Dates, Metadata, Uses};
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// What the judge of one answer remembers from item to property and from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Per rule of the operation; empty before the first chunk.
    rules: Vec<OfRule>,
    /// What the policies look at in questions about properties.
    uses: Uses,
    /// What was said of property keys under dates that are the request's, or that nobody looks at.
    properties: HashMap<Box<str>, bool, RandomState>,
    /// Metadata routes that must be fetched before the filter goes on.
    pub(super) needs: Vec<String>,
    /// The question about a single item that was refused.
    pub(super) denied: Option<Arc<Deciding>>,
}

/// What is remembered of a rule.
#[derive(Debug, Default)]
struct OfRule {
    /// What the policies look at in questions about its items.
    uses: Uses,
    /// The dates of the item last judged: its properties are judged by them.
    dates: Option<(Dates, Dates)>,
    /// What was said of the item last judged. Rows of one portfolio ask the same again and again.
    last: Last,
}

/// A question about an item that nothing but its id tells from others, with its verdict.
#[derive(Debug, Default)]
pub(super) struct Last {
    id: SmallVec<[Option<String>; 4]>,
    verdict: Option<bool>,
}

impl Last {
    /// The verdict, if this is the id.
    pub(super) fn verdict(&self, id: &IdParts<'_>) -> Option<bool> {
        let is_same = self.id.len() == id.len() && self.id.iter().zip(id).all(|(known, (_, value))| known.as_deref() == value.as_deref());
        self.verdict.filter(|_| is_same)
    }

    pub(super) fn remember(&mut self, id: &IdParts<'_>, verdict: bool) {
        self.id.resize(id.len(), None);
        for (known, (_, value)) in self.id.iter_mut().zip(id) {
            match (known.as_mut(), value) {
                (Some(known), Some(value)) => {
                    known.clear();
                    known.push_str(value);
                }
                (_, value) => *known = value.as_deref().map(str::to_owned),
            }
        }
        self.verdict = Some(verdict);
    }
}

/// Lists repeat their property keys; those of one answer are few.
const REMEMBERED_PROPERTIES: usize = 1024;
/// Longer keys are asked again, so that what is remembered stays small whatever the upstream sends.
const REMEMBERED_KEY_BYTES: usize = 256;

/// The judge of one answer, for the length of one chunk.
pub(super) struct AnswerJudge<'a> {
    asker: Asker<'a>,
    memory: &'a mut Memory,
}

impl Memory {
    /// Finds out, once for an answer, what need not be read because no policy looks at it. Who
    /// traces a call is to see everything.
    fn prepare(&mut self, asker: &Asker<'_>) {
        let is_traced = asker.inputs.trace.is_some();
        let uses = |activity: &str, entity: &str| if is_traced { Uses::ALL } else { asker.subject.uses(activity, entity) };
        let definitions = if asker.operation.property_definition { uses("Read", "PropertyDefinition") } else { Uses::default() };
        self.uses = uses("Read", "PropertyValue").or(definitions);
        let of_rule = |rule: &ResponseRule| match rule {
            ResponseRule::Items { activity, item, .. } => asker.entity(item.entity).map(|entity| uses(activity, &entity.asked_as)),
            ResponseRule::Properties(_) | ResponseRule::Pass => None,
        };
        self.rules = asker.operation.response.iter().map(|rule| OfRule { uses: of_rule(rule).unwrap_or_default(), ..OfRule::default() }).collect();
    }
}

impl<'a> AnswerJudge<'a> {
    pub(super) fn new(inputs: &'a Inputs, operation: &'a Operation, fetched: &'a UpstreamMetadata, memory: &'a mut Memory) -> Self {
        let asker = Asker::new(inputs, operation, fetched);
        if memory.rules.is_empty() {
            memory.prepare(&asker);
        }
        Self { asker, memory }
    }

    fn judge(&mut self, rule: usize, key: Option<&str>, found: &[Option<&[u8]>]) -> Asked {
        let Some(ResponseRule::Items { activity, item, facts, is_single, .. }) = self.asker.operation.response.get(rule) else { return Asked::Denied(None) };
        let Some(entity) = self.asker.entity(item.entity) else { return Asked::Denied(None) };
        let Some(uses) = self.memory.rules.get(rule).map(|of_rule| of_rule.uses) else { return Asked::Denied(None) };
        let (effective, as_at) = self.dates_of(facts, found, uses.or(self.memory.uses));
        if let Some(of_rule) = self.memory.rules.get_mut(rule) {
            of_rule.dates = Some((effective, as_at));
        }
        let own = own_metadata(item, facts, found, uses);
        let metadata = match &item.metadata {
            // Whatever it is, it changes nothing.
            _ if !uses.metadata => MetadataAt::Unknown,
            MetadataSource::Body(_) => MetadataAt::Body(own.as_ref()),
            source => MetadataAt::Source(source),
        };
        let id = self.id_of(item, key, found);
        let depends_on_id_alone = uses == Uses::default() && !*is_single;
        if depends_on_id_alone && let Some(verdict) = self.memory.rules.get(rule).and_then(|of_rule| of_rule.last.verdict(&id)) {
            return if verdict { Asked::Granted } else { Asked::Denied(None) };
        }
        let question = EntityQuestion { activity, entity, id, metadata, effective, as_at };
        let asked = self.asker.ask(&question);
        if depends_on_id_alone && let Some(of_rule) = self.memory.rules.get_mut(rule) {
            of_rule.last.remember(&question.id, asked == Asked::Granted);
        }
        // The whole answer is refused for the sake of a single item.
        if *is_single && let Asked::Denied(by) = asked {
            self.memory.denied = Some(Arc::new(Deciding::of_entity(&question, by)));
        }
        asked
    }

    /// The row's own dates, or the request's; what nobody looks at is left unread.
    fn dates_of(&self, facts: &Facts, found: &[Option<&[u8]>], uses: Uses) -> (Dates, Dates) {
        let inputs = self.asker.inputs;
        let date = |fact: Option<usize>, fallback| fact.map_or(fallback, |fact| own_date(fact_at(found, fact), fallback));
        (date(facts.effective.filter(|_| uses.effective), inputs.effective), date(facts.as_at.filter(|_| uses.as_at), inputs.as_at))
    }

    fn id_of<'f>(&self, item: &'f ItemRule, key: Option<&'f str>, found: &[Option<&'f [u8]>]) -> IdParts<'f>
    where
        'a: 'f,
    {
        item.id.iter().map(|binding| (binding.part.as_ref(), self.part_of(binding, key, found))).collect()
    }

    fn part_of<'f>(&self, binding: &'f Binding, key: Option<&'f str>, found: &[Option<&'f [u8]>]) -> Option<Cow<'f, str>>
    where
        'a: 'f,
    {
        let inputs: &'a Inputs = self.asker.inputs;
        let present = binding.sources.iter().find_map(|source| match source {
            // What is there and no text is no value, and nothing else stands in for it.
            Source::Item { fact, .. } => fact_at(found, *fact).filter(|raw| *raw != b"null").map(text),
            Source::Key => key.map(|key| Some(Cow::Borrowed(key))),
            of_request => inputs.source(of_request).map(|value| Some(Cow::Borrowed(value))),
        });
        present.flatten()
    }
}

impl Judge for AnswerJudge<'_> {
    fn item(&mut self, rule: usize, key: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
        match self.judge(rule, key, facts) {
            Asked::Granted => ItemVerdict::Keep,
            Asked::Denied(_) => ItemVerdict::Drop,
            Asked::Needs(route) => {
                if !self.memory.needs.contains(&route) {
                    self.memory.needs.push(route);
                }
                ItemVerdict::Wait
            }
        }
    }

    fn property(&mut self, rule: usize, property: Property<'_>) -> bool {
        let (inputs, uses) = (self.asker.inputs, self.memory.uses);
        let item_dates = self.memory.rules.get(rule).and_then(|of_rule| of_rule.dates);
        let (item_effective, as_at) = item_dates.unwrap_or((inputs.effective, inputs.as_at));
        let effective = own_date(property.date.filter(|_| uses.effective), item_effective);
        let of_element = property.key.filter(|raw| raw.first() == Some(&b'"')).and_then(text);
        let key = property.name.or(of_element.as_deref());
        let is_usual = (!uses.effective || effective == inputs.effective) && (!uses.as_at || as_at == inputs.as_at);
        let Some(key) = key.filter(|_| is_usual) else { return self.asker.may_read_property(key, effective, as_at) };
        if let Some(verdict) = self.memory.properties.get(key) {
            return *verdict;
        }
        let verdict = self.asker.may_read_property(Some(key), effective, as_at);
        if key.len() > REMEMBERED_KEY_BYTES {
            return verdict;
        }
        if self.memory.properties.len() == REMEMBERED_PROPERTIES {
            self.memory.properties.clear();
        }
        self.memory.properties.insert(key.into(), verdict);
        verdict
    }
}

fn fact_at<'f>(found: &[Option<&'f [u8]>], fact: usize) -> Option<&'f [u8]> {
    found.get(fact).copied().flatten()
}

fn own_metadata(item: &ItemRule, facts: &Facts, found: &[Option<&[u8]>], uses: Uses) -> Option<Metadata> {
    if !uses.metadata || !matches!(item.metadata, MetadataSource::Body(_)) {
        return None;
    }
    facts.metadata.and_then(|fact| fact_at(found, fact)).and_then(Metadata::parse)
}
