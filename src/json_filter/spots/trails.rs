//! Places laid out step by step, from the root to what they mean.

use super::super::pattern::{Pattern, Segment, index_of};
use super::super::plan::{PropertyNames, Rule, RuleKind};
use super::ItemEnd;

/// One place, laid from the root to what it means.
pub(super) struct Trail<'a> {
    pub(super) steps: Vec<TrailStep<'a>>,
    pub(super) end: End,
    pub(super) place: Option<Place>,
}

/// The part of a trail that is a rule's own place makes demands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) rule: usize,
    pub(super) optional: bool,
    pub(super) properties: bool,
    pub(super) fixed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailStep<'a> {
    Name(&'a str),
    /// A name, or an index into an array.
    Pointer(&'a str),
    Star,
    /// Every member of a map of properties.
    MapProperty,
    /// Every element of an array of properties.
    ListProperty,
}

#[derive(Clone, Copy)]
pub(super) enum End {
    Item(ItemEnd),
    Single(usize, usize),
    Fact(usize, usize),
    Property {
        rule: usize,
        own_key: bool,
    },
    PropertyKey,
    PropertyDate,
    Strip,
    /// Followed for the sake of its names alone.
    Nothing,
}

impl<'a> Trail<'a> {
    /// Whether an array that stands here is looked into element by element, although the trail goes on by a
    /// name: properties must not be hidden by brackets around them.
    pub(super) fn looks_into_arrays(&self, taken: usize) -> bool {
        let rest = self.steps.get(taken..).unwrap_or_default();
        matches!(rest.first(), Some(TrailStep::Name(_))) && rest.iter().any(|step| matches!(step, TrailStep::MapProperty | TrailStep::ListProperty))
    }

    pub(super) fn new(steps: Vec<TrailStep<'a>>, end: End) -> Self {
        Self { steps, end, place: None }
    }

    pub(super) fn place(number: usize, rule: &'a Rule, end: End) -> Self {
        let steps = steps(&rule.place);
        let fixed = steps.iter().take_while(|step| **step != TrailStep::Star).count();
        let properties = rule.kind == RuleKind::Properties;
        let place = Some(Place { rule: number, optional: rule.optional, properties, fixed });
        Self { steps, end, place }
    }
}

pub(super) fn steps(place: &Pattern) -> Vec<TrailStep<'_>> {
    let step = |segment| match segment {
        &Segment::Star => TrailStep::Star,
        Segment::Name(name) => TrailStep::Name(name),
    };
    place.segments().iter().map(step).collect()
}

/// The same where digits are an index into an array as well as a name.
pub(super) fn indexed_steps(place: &Pattern) -> Vec<TrailStep<'_>> {
    let step = |step| match step {
        TrailStep::Name(name) if index_of(name).is_some() => TrailStep::Pointer(name),
        step => step,
    };
    steps(place).into_iter().map(step).collect()
}

pub(super) fn lay_rule<'a>(number: usize, rule: &'a Rule, names: &'a PropertyNames, trails: &mut Vec<Trail<'a>>) {
    match &rule.kind {
        RuleKind::Pass => {}
        RuleKind::Properties => {
            trails.push(Trail::place(number, rule, End::Nothing));
            lay_properties(number, &steps(&rule.place), names, trails);
        }
        RuleKind::Items { facts, properties } => {
            let starred = rule.place.segments().last() == Some(&Segment::Star);
            let item = End::Item(ItemEnd { rule: number, facts: facts.len(), starred });
            // A single item was decided before; what is left of it is that its names stand once.
            let single = rule.place.is_single();
            trails.push(Trail::place(number, rule, if single { End::Nothing } else { item }));
            lay_facts(
                rule,
                |index| {
                    if single { End::Nothing } else { End::Fact(number, index) }
                },
                trails,
            );
            for pattern in properties {
                let mut to = steps(&rule.place);
                to.extend(indexed_steps(pattern));
                lay_properties(number, &to, names, trails);
            }
        }
    }
}

pub(super) fn lay_facts<'a>(rule: &'a Rule, end: impl Fn(usize) -> End, trails: &mut Vec<Trail<'a>>) {
    let RuleKind::Items { facts, .. } = &rule.kind else {
        return;
    };
    for (index, fact) in facts.iter().enumerate() {
        let mut to = steps(&rule.place);
        to.extend(fact.names().iter().map(|name| TrailStep::Pointer(name)));
        trails.push(Trail::new(to, end(index)));
    }
}

fn lay_properties<'a>(rule: usize, to: &[TrailStep<'a>], names: &'a PropertyNames, trails: &mut Vec<Trail<'a>>) {
    for (step, own_key) in [(TrailStep::MapProperty, false), (TrailStep::ListProperty, true)] {
        let to = [to, &[step]].concat();
        let inside = |name| [to.as_slice(), &[TrailStep::Name(name)]].concat();
        trails.push(Trail::new(inside(&names.date), End::PropertyDate));
        if own_key {
            trails.push(Trail::new(inside(&names.key), End::PropertyKey));
        }
        trails.push(Trail::new(to, End::Property { rule, own_key }));
    }
}
