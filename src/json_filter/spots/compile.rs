//! From trails to spots: the subset construction.

use std::collections::HashMap;

use super::super::error::PatternError;
use super::super::pattern::{Pattern, index_of};
use super::super::plan::{PropertyNames, Rule, RuleKind};
use super::trails::{End, Place, Trail, TrailStep, indexed_steps, lay_facts, lay_rule};
use super::{Await, Demand, NOWHERE, NameEdge, Spot, SpotId, Spots, Step};

/// A plan needing more states is refused: they grow with the product of overlapping stars.
const MOST_SPOTS: usize = 10_000;
/// Names followed in one object; their sightings are kept in as many bits.
const MOST_NAMES: usize = 128;

impl Spots {
    pub(in super::super) fn compile(rules: &[Rule], strip: &[Pattern], names: &PropertyNames) -> Result<Self, PatternError> {
        let mut trails = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            lay_rule(number, rule, names, &mut trails);
        }
        for place in strip {
            trails.push(Trail::new(indexed_steps(place), End::Strip));
        }
        build(&trails)
    }

    pub(in super::super) fn compile_singles(rules: &[Rule]) -> Result<Self, PatternError> {
        let mut trails = Vec::new();
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.place.is_single()) {
            if let RuleKind::Items { facts, .. } = &rule.kind {
                trails.push(Trail::place(number, rule, End::Single(number, facts.len())));
                lay_facts(rule, |index| End::Fact(number, index), &mut trails);
            }
        }
        build(&trails)
    }
}

/// Which trails are meant at a spot: index of the trail, and how many of its steps were taken.
type Meant = Vec<(usize, usize)>;

fn build(trails: &[Trail<'_>]) -> Result<Spots, PatternError> {
    let root: Meant = (0..trails.len()).map(|trail| (trail, 0)).collect();
    let mut builder = Builder { trails, known: HashMap::new(), queue: Vec::new() };
    builder.id(root)?;
    let mut all = Vec::new();
    while let Some(meant) = builder.queue.get(all.len()).cloned() {
        let spot = builder.spot(&meant)?;
        all.push(spot);
    }
    Ok(Spots { all })
}

struct Builder<'a> {
    trails: &'a [Trail<'a>],
    known: HashMap<Meant, SpotId>,
    queue: Vec<Meant>,
}

impl<'a> Builder<'a> {
    fn id(&mut self, meant: Meant) -> Result<SpotId, PatternError> {
        if meant.is_empty() {
            return Ok(NOWHERE);
        }
        if let Some(id) = self.known.get(&meant) {
            return Ok(*id);
        }
        if self.queue.len() >= MOST_SPOTS {
            return Err(PatternError::TooMany);
        }
        let id = SpotId::try_from(self.queue.len()).map_err(|_| PatternError::TooMany)?;
        self.known.insert(meant.clone(), id);
        self.queue.push(meant);
        Ok(id)
    }

    /// The steps that can be taken from here.
    fn open<'m>(&self, meant: &'m Meant) -> impl Iterator<Item = (&'a Trail<'a>, TrailStep<'a>, (usize, usize))> + 'm
    where
        'a: 'm,
    {
        let trails = self.trails;
        meant.iter().filter_map(move |&(trail, taken)| {
            let found = trails.get(trail)?;
            Some((found, *found.steps.get(taken)?, (trail, taken)))
        })
    }

    fn take(&mut self, meant: &Meant, fits: impl Fn(TrailStep<'a>) -> bool) -> Result<SpotId, PatternError> {
        let taken = self.open(meant).filter(|(_, step, _)| fits(*step)).map(|(_, _, (t, n))| (t, n + 1));
        let taken = taken.collect();
        self.id(taken)
    }

    /// The same for an element of an array.
    fn take_element(&mut self, meant: &Meant, fits: impl Fn(TrailStep<'a>) -> bool) -> Result<SpotId, PatternError> {
        let taken = self.open(meant).filter_map(|(trail, step, (t, n))| match fits(step) {
            true => Some((t, n + 1)),
            false => trail.looks_into_arrays(n).then_some((t, n)),
        });
        let taken = taken.collect();
        self.id(taken)
    }

    fn spot(&mut self, meant: &Meant) -> Result<Spot, PatternError> {
        let mut spot = Spot { names: self.names(meant)?, indexes: self.indexes(meant)?, ..Spot::default() };
        spot.other_member = self.take(meant, |step| matches!(step, TrailStep::Star | TrailStep::MapProperty))?;
        spot.other_element = self.take_element(meant, |step| matches!(step, TrailStep::Star | TrailStep::ListProperty))?;
        for &(trail, taken) in meant {
            let Some(trail) = self.trails.get(trail) else {
                continue;
            };
            if trail.steps.len() == taken {
                mark(&mut spot, trail.end);
            }
            require(&mut spot, trail, taken);
        }
        spot.items.sort_by_key(|item| item.rule);
        spot.properties.sort_unstable();
        spot.properties.dedup();
        self.weigh(&mut spot, meant);
        Ok(spot)
    }

    fn names(&mut self, meant: &Meant) -> Result<Vec<NameEdge>, PatternError> {
        let mut names: Vec<(&'a str, bool)> = Vec::new();
        for (trail, step, _) in self.open(meant) {
            let (TrailStep::Name(name) | TrailStep::Pointer(name)) = step else {
                continue;
            };
            let followed = !matches!(trail.end, End::Strip);
            match names.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 |= followed,
                None => names.push((name, followed)),
            }
        }
        if names.len() > MOST_NAMES {
            return Err(PatternError::TooMany);
        }
        let mut edges = Vec::new();
        for (number, (name, followed)) in names.into_iter().enumerate() {
            let fits = |step| match step {
                TrailStep::Name(own) | TrailStep::Pointer(own) => own == name,
                TrailStep::Star | TrailStep::MapProperty => true,
                TrailStep::ListProperty => false,
            };
            let bit = if followed { 1 << number } else { 0 };
            edges.push(NameEdge { name: name.into(), to: self.take(meant, fits)?, bit });
        }
        Ok(edges)
    }

    fn indexes(&mut self, meant: &Meant) -> Result<Vec<(usize, SpotId)>, PatternError> {
        let pointed = |step| match step {
            TrailStep::Pointer(name) => index_of(name),
            _ => None,
        };
        let mut all: Vec<usize> = self.open(meant).filter_map(|(_, step, _)| pointed(step)).collect();
        all.sort_unstable();
        all.dedup();
        let mut edges = Vec::new();
        for index in all {
            let fits = |step| match step {
                TrailStep::Star | TrailStep::ListProperty => true,
                step => pointed(step) == Some(index),
            };
            edges.push((index, self.take_element(meant, fits)?));
        }
        Ok(edges)
    }

    /// What follows from the rest: whether to look inside, to hold, to visit.
    fn weigh(&self, spot: &mut Spot, meant: &Meant) {
        let asked = |end| matches!(end, End::Item(_) | End::Property { .. } | End::Strip);
        let ends = |trail: &Trail<'_>| asked(trail.end) || trail.place.is_some();
        let plain = |trail: &(usize, usize)| self.trails.get(trail.0).is_some_and(|t| !matches!(t.end, End::Strip));
        spot.enters = self.open(meant).next().is_some();
        let judged = !spot.items.is_empty() || !spot.properties.is_empty();
        spot.unit = judged || (spot.strip && meant.iter().any(plain));
        spot.taped = judged || spot.strip || self.open(meant).any(|(trail, _, _)| ends(trail));
        if spot.strip && !spot.unit {
            spot.enters = false;
        }
    }
}

fn mark(spot: &mut Spot, end: End) {
    match end {
        End::Item(item) => spot.items.push(item),
        End::Single(rule, facts) => spot.singles.push((rule, facts)),
        End::Fact(rule, index) => spot.facts.push((rule, index)),
        End::Property { rule, own_key } => {
            spot.properties.push(rule);
            spot.own_key = own_key;
        }
        End::PropertyKey => spot.property_key = true,
        End::PropertyDate => spot.property_date = true,
        End::Strip => spot.strip = true,
        End::Nothing => {}
    }
}

fn require(spot: &mut Spot, trail: &Trail<'_>, taken: usize) {
    let (Some(place), Some(&step)) = (trail.place, trail.steps.get(taken)) else {
        return;
    };
    let Place { rule, optional, properties, fixed } = place;
    let fixed = taken < fixed;
    let named = match step {
        TrailStep::Name(name) => Some(name),
        _ => None,
    };
    let step = if named.is_some() { Step::Name } else { Step::Star };
    spot.demands.push(Demand { rule, step, optional, fixed, properties });
    if let (Some(name), true, false) = (named, fixed, properties) {
        let bit = spot.names.iter().find(|edge| *edge.name == *name).map_or(0, |edge| edge.bit);
        spot.awaits.push(Await { rule, bit, optional });
    }
}
