//! What was found in a held value, and its judgement once the value is complete.

use smallvec::SmallVec;

use super::error::FilterError;
use super::judge::{ItemVerdict, Judge, Property, RuleCounts};
use super::spots::{ItemEnd, Kind, Refused, Spot, SpotId, Spots};
use super::text::decode_lossy;

/// Index of a node; `NO_NODE` where there is none.
pub(super) type NodeId = usize;
pub(super) const NO_NODE: NodeId = usize::MAX;

/// A range of the held bytes.
type Range = (usize, usize);
const ABSENT: Range = (usize::MAX, 0);

/// A node that the judging must visit; all positions are offsets in the held bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) spot: SpotId,
    pub(super) kind: Kind,
    pub(super) parent: NodeId,
    /// The member name between its quotes.
    pub(super) name: Option<Range>,
    /// Behind the comma or bracket before it.
    pub(super) lead: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Behind the comma after it, or at the closing bracket.
    pub(super) separator: usize,
    /// Whether a sibling stands before it that stays without being asked about.
    pub(super) plain_before: bool,
    /// A rule whose fixed part an object does not have.
    pub(super) missing: Option<usize>,
    next: NodeId,
    facts: usize,
    kept_any: bool,
}

impl Node {
    pub(super) fn new(spot: SpotId, kind: Kind, parent: NodeId) -> Self {
        Self {
            spot,
            kind,
            parent,
            name: None,
            lead: 0,
            start: 0,
            end: 0,
            separator: 0,
            plain_before: false,
            missing: None,
            next: 0,
            facts: 0,
            kept_any: false,
        }
    }
}

/// What is to be done with the held bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They stay, but for the cuts.
    Kept,
    Removed,
    Waiting,
}

/// The nodes of one held value in the order of the bytes, with their facts.
#[derive(Debug)]
pub(super) struct Tape {
    nodes: Vec<Node>,
    facts: Vec<Range>,
    /// Per rule, where the facts of the item around the current position begin.
    current: Vec<usize>,
    cuts: Vec<Range>,
    /// Counts of the pass under way; they count only if nothing had to wait.
    tally: Vec<RuleCounts>,
}

impl Tape {
    pub(super) fn new(rules: usize) -> Self {
        Self {
            nodes: Vec::new(),
            facts: Vec::new(),
            current: vec![0; rules],
            cuts: Vec::new(),
            tally: vec![RuleCounts::default(); rules],
        }
    }

    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.facts.clear();
    }

    /// Ranges of the held bytes that go, in order.
    pub(super) fn cuts(&self) -> &[Range] {
        &self.cuts
    }

    /// Adds a node, with room for the facts of its rules; the first two are a property's key and date.
    pub(super) fn push(&mut self, mut node: Node, spot: &Spot) -> NodeId {
        node.facts = self.facts.len();
        if !spot.properties.is_empty() {
            self.facts.extend([ABSENT; 2]);
        }
        for item in &spot.items {
            if let Some(current) = self.current.get_mut(item.rule) {
                *current = self.facts.len();
            }
            self.facts.extend(std::iter::repeat_n(ABSENT, item.facts));
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub(super) fn node(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    /// Notes a node's end; all nodes added since are inside it.
    pub(super) fn close(&mut self, id: NodeId, end: usize) {
        let next = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(id) {
            node.end = end;
            node.next = next;
        }
    }

    /// Notes what a node at this spot tells about the item or the property around it.
    pub(super) fn note(&mut self, spot: &Spot, parent: NodeId, range: Range) {
        for &(rule, index) in &spot.facts {
            let place = self.current.get(rule).map(|first| first + index);
            self.set(place, range);
        }
        if spot.property_key || spot.property_date {
            let first = self.nodes.get(parent).map(|node| node.facts);
            if spot.property_key {
                self.set(first, range);
            }
            if spot.property_date {
                self.set(first.map(|first| first + 1), range);
            }
        }
    }

    fn set(&mut self, place: Option<usize>, range: Range) {
        if let Some(fact) = place.and_then(|place| self.facts.get_mut(place)) {
            *fact = range;
        }
    }

    /// Asks about every node that is still there, outside in. After a wait the nested items are
    /// asked all the same, so that all that must be fetched is known at once.
    pub(super) fn judge(
        &mut self,
        spots: &Spots,
        bytes: &[u8],
        judge: &mut dyn Judge,
        counts: &mut [RuleCounts],
    ) -> Result<Outcome, FilterError> {
        self.cuts.clear();
        self.tally.fill(RuleCounts::default());
        let mut pass = Pass { bytes, judge, waits: false };
        let mut failed = None;
        let mut at = 0;
        while let Some(&node) = self.nodes.get(at) {
            let Some(spot) = spots.at(node.spot) else { break };
            if self.keeps(&node, spot, &mut pass) {
                self.stays(at, node.parent);
                failed = failed.or_else(|| refusal(&node, spot));
                at += 1;
            } else if at == 0 {
                self.commit(counts);
                return Ok(Outcome::Removed);
            } else {
                self.cut(&node);
                at = node.next;
            }
        }
        match failed {
            _ if pass.waits => Ok(Outcome::Waiting),
            Some(failed) => Err(failed),
            None => {
                self.commit(counts);
                Ok(Outcome::Kept)
            }
        }
    }

    fn keeps(&mut self, node: &Node, spot: &Spot, pass: &mut Pass<'_>) -> bool {
        if spot.strip {
            return false;
        }
        if spot.items.is_empty() && spot.properties.is_empty() {
            return true;
        }
        let name = node.name.map(|range| decode_lossy(slice(pass.bytes, range)));
        let mut first = node.facts + if spot.properties.is_empty() { 0 } else { 2 };
        for item in &spot.items {
            let null = node.kind == Kind::Null && !item.starred;
            if !null && !self.keeps_item(item, name.as_deref(), first, pass) {
                return false;
            }
            first += item.facts;
        }
        pass.waits || self.keeps_property(node, spot, name.as_deref(), pass)
    }

    fn keeps_item(&mut self, item: &ItemEnd, name: Option<&str>, first: usize, pass: &mut Pass<'_>) -> bool {
        let ranges = self.facts.get(first..first + item.facts).unwrap_or_default();
        let facts: SmallVec<[Option<&[u8]>; 8]> = ranges.iter().map(|range| pass.fact(*range)).collect();
        let verdict = pass.judge.item(item.rule, name.filter(|_| item.starred), &facts);
        let mut unasked = RuleCounts::default();
        let tally = self.tally.get_mut(item.rule).unwrap_or(&mut unasked);
        match verdict {
            ItemVerdict::Keep => tally.items_kept += 1,
            ItemVerdict::Drop => tally.items_removed += 1,
            ItemVerdict::Wait => pass.waits = true,
        }
        verdict != ItemVerdict::Drop
    }

    fn keeps_property(&mut self, node: &Node, spot: &Spot, name: Option<&str>, pass: &mut Pass<'_>) -> bool {
        if spot.properties.is_empty() {
            return true;
        }
        let fact = |at: usize| self.facts.get(at).and_then(|range| pass.fact(*range));
        let name = name.filter(|_| !spot.own_key);
        let property = Property { name, key: fact(node.facts), date: fact(node.facts + 1) };
        for &rule in &spot.properties {
            let kept = pass.judge.property(rule, property);
            if let Some(tally) = self.tally.get_mut(rule) {
                tally.properties_kept += u64::from(kept);
                tally.properties_removed += u64::from(!kept);
            }
            if !kept {
                return false;
            }
        }
        true
    }

    fn stays(&mut self, id: NodeId, parent: NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.kept_any = false;
        }
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.kept_any = true;
        }
    }

    /// With something kept before it a node goes with the comma before it, else with the one behind.
    fn cut(&mut self, node: &Node) {
        let kept_before = node.plain_before || self.nodes.get(node.parent).is_some_and(|parent| parent.kept_any);
        self.cuts.push(if kept_before { (node.lead - 1, node.end) } else { (node.lead, node.separator) });
    }

    fn commit(&mut self, counts: &mut [RuleCounts]) {
        for (count, tally) in counts.iter_mut().zip(&self.tally) {
            count.add(*tally);
        }
    }
}

/// One asking about everything in a held value.
struct Pass<'a> {
    bytes: &'a [u8],
    judge: &'a mut dyn Judge,
    waits: bool,
}

impl<'a> Pass<'a> {
    fn fact(&self, range: Range) -> Option<&'a [u8]> {
        self.bytes.get(range.0..range.1)
    }
}

fn slice(bytes: &[u8], range: Range) -> &[u8] {
    bytes.get(range.0..range.1).unwrap_or_default()
}

fn refusal(node: &Node, spot: &Spot) -> Option<FilterError> {
    match (spot.refuses(node.kind), node.missing) {
        (Some((rule, Refused::Shape)), _) => Some(FilterError::WrongShape { rule }),
        (Some((rule, Refused::Missing)), _) | (None, Some(rule)) => Some(FilterError::MissingPlace { rule }),
        (None, None) => None,
    }
}
