//! One operation of the API map.

use super::binding::Source;
use super::rules::{BodyRule, ResponseRule, Target, TargetKind};
use crate::json_filter::{FilterPlan, Pattern};
use std::sync::Arc;

/// An operation: a method and a path template, its feature, and what is asked about it.
#[derive(Debug)]
pub struct Operation {
    /// The name of the document and the key path it was read from, for messages.
    pub place: String,
    /// The application, which is also the scope of the feature and of every question.
    pub application: Box<str>,
    /// The code of the feature.
    pub feature: Box<str>,
    /// The method's exact bytes.
    pub method: Box<str>,
    /// The path template.
    pub template: Box<str>,
    /// The names of the template segments, in order.
    pub captures: Vec<Box<str>>,
    /// The call's activity.
    pub activity: Box<str>,
    /// What is done with the answer.
    pub answering: Answering,
    /// What is asked at the request.
    pub targets: Vec<Target>,
    /// What is asked of the request body.
    pub body: Vec<BodyRule>,
    /// What is asked of the answer.
    pub response: Vec<ResponseRule>,
    /// Members that would betray what was dropped.
    pub strip: Vec<Pattern>,
    /// The filter of the answer, compiled.
    pub filter: Option<Arc<FilterPlan>>,
    /// Which parameters give the dates.
    pub dates: DateSources,
    /// The guarded parameters, names in lower case.
    pub query_guard: Vec<Box<str>>,
    /// Whether a property's definition must be readable too.
    pub property_definition: bool,
    /// Whether `%2F` is admitted inside captured segments.
    pub encoded_slash: bool,
    /// Whether a WebSocket upgrade is admitted.
    pub upgrade: bool,
}

/// What an operation does with its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// Every answer is filtered by the response rules.
    Filtered,
    /// Said aloud: no data check on the answer.
    Unfiltered,
    /// Said aloud: no subject, no feature, no data check at all.
    Anonymous,
    /// Said aloud: never served.
    Refused,
    /// Nothing is said, which only HEAD and DELETE may: their answers pass.
    Undeclared,
}

/// The parameters that give the two intervals of a request (semantics §5).
#[derive(Clone, Debug)]
pub struct DateSources {
    /// The effective date or pair.
    pub effective: DateSource,
    /// The asAt date or pair.
    pub as_at: DateSource,
}

/// One parameter, or a pair of them.
#[derive(Clone, Debug)]
pub enum DateSource {
    /// One value: that instant; absent: now.
    Single(Source),
    /// From and to, each unbounded when absent.
    Pair(Source, Source),
    /// The upstream takes no such date: now.
    Now,
}

impl Operation {
    /// The feature as it is written down: `application/code`.
    #[must_use]
    pub fn feature_id(&self) -> String {
        format!("{}/{}", self.application, self.feature)
    }

    /// Whether the call reads, so that a denied single item may still refuse it (semantics §9 step 7).
    #[must_use]
    pub fn reads(&self) -> bool {
        self.activity.eq_ignore_ascii_case("Read")
    }

    /// Every source of an id part or a date.
    pub(crate) fn bound_sources(&self) -> impl Iterator<Item = &Source> {
        self.id_sources().chain(self.dates.effective.sources()).chain(self.dates.as_at.sources())
    }

    /// The parameters, in lower case, that give an id part, a date or property keys.
    pub(crate) fn bound_parameters(&self) -> impl Iterator<Item = &str> {
        self.bound_sources().filter_map(Source::parameter).chain(self.property_parameters())
    }

    /// The same without those that give only dates.
    pub(crate) fn naming_parameters(&self) -> impl Iterator<Item = &str> {
        self.id_sources().filter_map(Source::parameter).chain(self.property_parameters())
    }

    fn property_parameters(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter_map(|target| match &target.kind {
            TargetKind::Property { parameter } => Some(&**parameter),
            TargetKind::Entity { .. } => None,
        })
    }

    fn id_sources(&self) -> impl Iterator<Item = &Source> {
        let targets = self.targets.iter().filter_map(|target| match &target.kind {
            TargetKind::Entity { id, .. } => Some(id),
            TargetKind::Property { .. } => None,
        });
        let body = self.body.iter().filter_map(|BodyRule { item, .. }| item.as_ref().map(|item| &item.id));
        let response = self.response.iter().filter_map(|rule| match rule {
            ResponseRule::Items { item, .. } => Some(&item.id),
            _ => None,
        });
        targets.chain(body).chain(response).flatten().flat_map(|binding| &binding.sources)
    }

    /// Whether the response has a rule for a single item (semantics §9 "Per se").
    #[must_use]
    pub fn answers_single_item(&self) -> bool {
        self.response.iter().any(|rule| matches!(rule, ResponseRule::Items { is_single: true, .. }))
    }
}

impl DateSource {
    /// Every source of this dimension.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        let (first, second) = match self {
            Self::Now => (None, None),
            Self::Single(source) => (Some(source), None),
            Self::Pair(from, to) => (Some(from), Some(to)),
        };
        first.into_iter().chain(second)
    }
}
