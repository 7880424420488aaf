//! The places of a plan as one automaton: a spot is all that can be meant by where we stand.

use std::collections::HashMap;

use super::error::PatternError;
use super::pattern::{Pattern, Segment, index_of};
use super::plan::{PropertyNames, Rule, RuleKind};

/// A plan needing more states is refused: they grow with the product of overlapping stars.
const MOST_SPOTS: usize = 10_000;
/// Names followed in one object; their sightings are kept in as many bits.
const MOST_NAMES: usize = 128;

pub(super) type SpotId = u32;
/// The spot where nothing is meant.
pub(super) const NOWHERE: SpotId = SpotId::MAX;
/// The spot of the whole document.
pub(super) const ROOT: SpotId = 0;

#[derive(Debug)]
pub(super) struct Spots {
    all: Vec<Spot>,
}

/// What is meant by a node, and where its members and elements lead.
#[derive(Debug, Default)]
pub(super) struct Spot {
    names: Vec<NameEdge>,
    indexes: Vec<(usize, SpotId)>,
    other_member: SpotId,
    other_element: SpotId,
    /// Rules that have an item here, in order.
    pub(super) items: Vec<ItemEnd>,
    /// Rules that have a property here.
    pub(super) properties: Vec<usize>,
    /// Whether a property here is an element of an array, and so states its own key.
    pub(super) own_key: bool,
    /// Rules that have their single item here (only when scouting): rule and number of facts.
    pub(super) singles: Vec<(usize, usize)>,
    /// Facts of rules: rule and index.
    pub(super) facts: Vec<(usize, usize)>,
    /// The property around this node states its key, or its date, here.
    pub(super) property_key: bool,
    pub(super) property_date: bool,
    pub(super) strip: bool,
    /// Rules that must enter here.
    pub(super) demands: Vec<Demand>,
    /// Rules whose fixed part goes on by a name: the name's bit.
    pub(super) awaits: Vec<Await>,
    /// Whether a container here is looked into.
    pub(super) enters: bool,
    /// Whether the node is held until its verdict is known.
    pub(super) unit: bool,
    /// Whether inside a held value the judging has to visit the node.
    pub(super) taped: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ItemEnd {
    pub(super) rule: usize,
    pub(super) facts: usize,
    /// Selected by a star: its member name is the item's key.
    pub(super) starred: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    rule: usize,
    step: Step,
    optional: bool,
    fixed: bool,
    properties: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Name,
    Star,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Await {
    pub(super) rule: usize,
    pub(super) bit: u128,
    pub(super) optional: bool,
}

/// What kind of value a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Scalar,
    Object,
    Array,
}

impl Kind {
    #[inline(always)]
    pub(super) fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'n' => Self::Null,
            _ => Self::Scalar,
        }
    }
}

/// Why a rule cannot enter a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    Shape,
}

impl Demand {
    /// Whether the rule can go on from a node of this kind.
    fn meets(&self, kind: Kind) -> Result<(), Refused> {
        match (kind, self.step) {
            (Kind::Object, _) | (Kind::Array, Step::Star) => Ok(()),
            (Kind::Array, Step::Name) => Err(Refused::Shape),
            _ if self.properties => Ok(()),
            (Kind::Scalar, _) => Err(Refused::Shape),
            (Kind::Null, Step::Name) if self.fixed && !self.optional => Err(Refused::Missing),
            (Kind::Null, _) => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(super) struct NameEdge {
    pub(super) name: Box<str>,
    pub(super) to: SpotId,
    /// The bit of its sighting; 0 if no rule follows it and it may stand twice.
    pub(super) bit: u128,
}

impl Spot {
    /// The edge of a member name that has no escapes.
    #[inline(always)]
    pub(super) fn edge(&self, name: &[u8]) -> Option<&NameEdge> {
        self.names.iter().find(|edge| edge.name.as_bytes() == name)
    }

    #[inline(always)]
    pub(super) fn other_member(&self) -> SpotId {
        self.other_member
    }

    #[inline(always)]
    pub(super) fn element(&self, index: usize) -> SpotId {
        let indexed = self.indexes.iter().find(|(at, _)| *at == index);
        indexed.map_or(self.other_element, |(_, to)| *to)
    }

    /// The first rule that cannot enter a node of this kind.
    pub(super) fn refuses(&self, kind: Kind) -> Option<(usize, Refused)> {
        self.demands.iter().find_map(|demand| demand.meets(kind).err().map(|why| (demand.rule, why)))
    }

    /// The first rule that misses its fixed part in an object with these names.
    pub(super) fn missing(&self, seen: u128) -> Option<usize> {
        self.awaits.iter().find(|a| !a.optional && seen & a.bit == 0).map(|a| a.rule)
    }
}

impl Spots {
    pub(super) fn compile(rules: &[Rule], strip: &[Pattern], names: &PropertyNames) -> Result<Self, PatternError> {
        let mut trails = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            lay_rule(number, rule, names, &mut trails);
        }
        for place in strip {
            trails.push(Trail::new(steps(place), End::Strip));
        }
        build(&trails)
    }

    pub(super) fn compile_singles(rules: &[Rule]) -> Result<Self, PatternError> {
        let mut trails = Vec::new();
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.place.is_single()) {
            if let RuleKind::Items { facts, .. } = &rule.kind {
                trails.push(Trail::place(number, rule, End::Single(number, facts.len())));
                lay_facts(number, rule, &mut trails);
            }
        }
        build(&trails)
    }

    #[inline(always)]
    pub(super) fn at(&self, id: SpotId) -> Option<&Spot> {
        self.all.get(id as usize)
    }
}

/// One place, laid from the root to what it means.
struct Trail<'a> {
    steps: Vec<TrailStep<'a>>,
    end: End,
    place: Option<Place>,
}

/// The part of a trail that is a rule's own place makes demands.
#[derive(Clone, Copy)]
struct Place {
    rule: usize,
    optional: bool,
    properties: bool,
    fixed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TrailStep<'a> {
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
enum End {
    Item(ItemEnd),
    Single(usize, usize),
    Fact(usize, usize),
    Property { rule: usize, own_key: bool },
    PropertyKey,
    PropertyDate,
    Strip,
    /// Followed for the sake of its names alone.
    Nothing,
}

impl<'a> Trail<'a> {
    fn new(steps: Vec<TrailStep<'a>>, end: End) -> Self {
        Self { steps, end, place: None }
    }

    fn place(number: usize, rule: &'a Rule, end: End) -> Self {
        let steps = steps(&rule.place);
        let fixed = steps.iter().take_while(|step| **step != TrailStep::Star).count();
        let properties = rule.kind == RuleKind::Properties;
        let place = Some(Place { rule: number, optional: rule.optional, properties, fixed });
        Self { steps, end, place }
    }
}

fn steps(place: &Pattern) -> Vec<TrailStep<'_>> {
    let step = |segment| match segment {
        &Segment::Star => TrailStep::Star,
        Segment::Name(name) => TrailStep::Name(name),
    };
    place.segments().iter().map(step).collect()
}

fn lay_rule<'a>(number: usize, rule: &'a Rule, names: &'a PropertyNames, trails: &mut Vec<Trail<'a>>) {
    match &rule.kind {
        RuleKind::Pass => {}
        RuleKind::Properties => {
            trails.push(Trail::place(number, rule, End::Nothing));
            lay_properties(number, &steps(&rule.place), names, trails);
        }
        RuleKind::Items { facts, properties } => {
            let starred = rule.place.segments().last() == Some(&Segment::Star);
            let item = End::Item(ItemEnd { rule: number, facts: facts.len(), starred });
            let end = if rule.place.is_single() { End::Nothing } else { item };
            trails.push(Trail::place(number, rule, end));
            lay_facts(number, rule, trails);
            for pattern in properties {
                let mut to = steps(&rule.place);
                to.extend(steps(pattern));
                lay_properties(number, &to, names, trails);
            }
        }
    }
}

fn lay_facts<'a>(number: usize, rule: &'a Rule, trails: &mut Vec<Trail<'a>>) {
    let RuleKind::Items { facts, .. } = &rule.kind else { return };
    for (index, fact) in facts.iter().enumerate() {
        let mut to = steps(&rule.place);
        to.extend(fact.names().iter().map(|name| TrailStep::Pointer(name)));
        trails.push(Trail::new(to, End::Fact(number, index)));
    }
}

fn lay_properties<'a>(
    rule: usize,
    to: &[TrailStep<'a>],
    names: &'a PropertyNames,
    trails: &mut Vec<Trail<'a>>,
) {
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

    fn spot(&mut self, meant: &Meant) -> Result<Spot, PatternError> {
        let mut spot = Spot { names: self.names(meant)?, indexes: self.indexes(meant)?, ..Spot::default() };
        spot.other_member = self.take(meant, |step| matches!(step, TrailStep::Star | TrailStep::MapProperty))?;
        spot.other_element = self.take(meant, |step| matches!(step, TrailStep::Star | TrailStep::ListProperty))?;
        for &(trail, taken) in meant {
            let Some(trail) = self.trails.get(trail) else { continue };
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
            let (TrailStep::Name(name) | TrailStep::Pointer(name)) = step else { continue };
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
            edges.push((index, self.take(meant, fits)?));
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
    let (Some(place), Some(&step)) = (trail.place, trail.steps.get(taken)) else { return };
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
