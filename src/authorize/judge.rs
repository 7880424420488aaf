//! Steps 7 and 8 of a call: the filter's judge, which asks the policies about every item and
//! property of an answer.

use super::call::UpstreamMetadata;
use super::inputs::Inputs;
use super::questions::{Asked, Asker, EntityQuestion, IdParts, MetadataAt, own_date};
use crate::api_map::{Binding, Facts, ItemRule, MetadataSource, Operation, ResponseRule, Source};
use crate::json_filter::{ItemVerdict, Judge, Property, text};
use crate::policy::{Dates, Metadata};
use std::borrow::Cow;

/// What the judge of one answer remembers from item to property and from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The dates of the item last judged, per rule: its properties are judged by them.
    dates: Vec<Option<(Dates, Dates)>>,
    /// The last property keys and what was said of them, under dates that are the request's.
    properties: Vec<(Box<str>, bool)>,
    /// Metadata routes that must be fetched before the filter goes on.
    pub(super) needs: Vec<String>,
}

/// Lists repeat their property keys; a handful of them covers an item.
const REMEMBERED_PROPERTIES: usize = 32;

/// The judge of one answer, for the length of one chunk.
pub(super) struct AnswerJudge<'a> {
    asker: Asker<'a>,
    memory: &'a mut Memory,
}

impl<'a> AnswerJudge<'a> {
    pub(super) fn new(inputs: &'a Inputs, operation: &'a Operation, fetched: &'a UpstreamMetadata, memory: &'a mut Memory) -> Self {
        memory.dates.resize(operation.response.len(), None);
        Self { asker: Asker::new(inputs, operation, fetched), memory }
    }

    fn judge(&mut self, rule: usize, key: Option<&str>, found: &[Option<&[u8]>]) -> Asked {
        let Some(ResponseRule::Items { activity, item, facts, .. }) = self.asker.operation.response.get(rule) else { return Asked::Denied };
        let Some(entity) = self.asker.entity(item.entity) else { return Asked::Denied };
        let (effective, as_at) = self.dates_of(facts, found);
        if let Some(slot) = self.memory.dates.get_mut(rule) {
            *slot = Some((effective, as_at));
        }
        let own = own_metadata(item, facts, found);
        let metadata = match &item.metadata {
            MetadataSource::Body(_) => MetadataAt::Body(own.as_ref()),
            source => MetadataAt::Source(source),
        };
        let id = self.id_of(item, key, found);
        self.asker.ask(&EntityQuestion { activity, entity, id, metadata, effective, as_at })
    }

    /// The row's own dates, or the request's.
    fn dates_of(&self, facts: &Facts, found: &[Option<&[u8]>]) -> (Dates, Dates) {
        let inputs = self.asker.inputs;
        let date = |fact: Option<usize>, fallback| fact.map_or(fallback, |fact| own_date(fact_at(found, fact), fallback));
        (date(facts.effective, inputs.effective), date(facts.as_at, inputs.as_at))
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
        binding.sources.iter().find_map(|source| match source {
            Source::Item { fact, .. } => fact_at(found, *fact).and_then(text),
            Source::Key => key.map(Cow::Borrowed),
            of_request => inputs.source(of_request).map(Cow::Borrowed),
        })
    }
}

impl Judge for AnswerJudge<'_> {
    fn item(&mut self, rule: usize, key: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
        match self.judge(rule, key, facts) {
            Asked::Granted => ItemVerdict::Keep,
            Asked::Denied => ItemVerdict::Drop,
            Asked::Needs(route) => {
                if !self.memory.needs.contains(&route) {
                    self.memory.needs.push(route);
                }
                ItemVerdict::Wait
            }
        }
    }

    fn property(&mut self, rule: usize, property: Property<'_>) -> bool {
        let inputs = self.asker.inputs;
        let item_dates = self.memory.dates.get(rule).copied().flatten();
        let (item_effective, as_at) = item_dates.unwrap_or((inputs.effective, inputs.as_at));
        let effective = own_date(property.date, item_effective);
        let of_element = property.key.filter(|raw| raw.first() == Some(&b'"')).and_then(text);
        let key = property.name.or(of_element.as_deref());
        let is_usual = effective == inputs.effective && as_at == inputs.as_at;
        let Some(key) = key.filter(|_| is_usual) else { return self.asker.may_read_property(key, effective, as_at) };
        if let Some((_, verdict)) = self.memory.properties.iter().find(|(known, _)| **known == *key) {
            return *verdict;
        }
        let verdict = self.asker.may_read_property(Some(key), effective, as_at);
        if self.memory.properties.len() == REMEMBERED_PROPERTIES {
            self.memory.properties.clear();
        }
        self.memory.properties.push((key.into(), verdict));
        verdict
    }
}

fn fact_at<'f>(found: &[Option<&'f [u8]>], fact: usize) -> Option<&'f [u8]> {
    found.get(fact).copied().flatten()
}

fn own_metadata(item: &ItemRule, facts: &Facts, found: &[Option<&[u8]>]) -> Option<Metadata> {
    if !matches!(item.metadata, MetadataSource::Body(_)) {
        return None;
    }
    facts.metadata.and_then(|fact| fact_at(found, fact)).and_then(Metadata::parse)
}
