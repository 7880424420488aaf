//! The places of a plan as one automaton: a spot is all that can be meant by where we stand.

mod compile;
mod trails;

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
    #[inline(always)]
    pub(super) fn at(&self, id: SpotId) -> Option<&Spot> {
        self.all.get(id as usize)
    }
}
