//! What was found in a held value, and its judgement once the value is complete.

use smallvec::SmallVec;

use super::error::FilterError;
use super::judge::{ItemVerdict, Judge, Property, RuleCounts};
use super::scan;
use super::spots::{ItemEnd, Kind, Refused, Spot, SpotId, Spots};
use super::text::decode_lossy;

/// Index of a node; `NO_NODE` where there is none.
pub(super) type NodeId = u32;
pub(super) const NO_NODE: NodeId = NodeId::MAX;

/// The most that a value held may measure, whatever the limits say: offsets are kept in 32 bits, for
/// a value of many small nodes should not take many times its size.
pub(super) const MOST_HELD: usize = 1 << 30;

/// A range of the held bytes.
type Range = (u32, u32);
const ABSENT: Range = (u32::MAX, 0);

fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn small_range(range: (usize, usize)) -> Range {
    (small(range.0), small(range.1))
}

/// A node that the judging must visit; all positions are offsets in the held bytes.
#[derive(Debug, Clone, Copy)]
struct Node {
    spot: SpotId,
    parent: NodeId,
    /// Behind the node and all inside it.
    next: NodeId,
    /// The member name between its quotes; absent in arrays.
    name: Range,
    /// Behind the comma or bracket before it.
    lead: u32,
    end: u32,
    /// Behind the comma after it, or at the closing bracket.
    separator: u32,
    facts: u32,
    /// A rule whose fixed part an object does not have, else `u32::MAX`.
    missing: u32,
    kind: Kind,
    plain_before: bool,
    kept_any: bool,
}

/// What is known of a node when it starts; positions are offsets in the held bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) spot: SpotId,
    pub(super) kind: Kind,
    pub(super) parent: NodeId,
    /// The member name between its quotes.
    pub(super) name: Option<(usize, usize)>,
    /// Behind the comma or bracket before it.
    pub(super) lead: usize,
    /// Whether a sibling stands before it that stays without being asked about.
    pub(super) plain_before: bool,
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
    current: Vec<u32>,
    cuts: Vec<(usize, usize)>,
    /// Behind the opening bracket of the container whose first children go in the last cut.
    bracket: usize,
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
            bracket: 0,
            tally: vec![RuleCounts::default(); rules],
        }
    }

    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.facts.clear();
    }

    /// Ranges of the held bytes that go, in order.
    pub(super) fn cuts(&self) -> &[(usize, usize)] {
        &self.cuts
    }

    /// Adds a node, with room for the facts of its rules; the first two are a property's key and date.
    pub(super) fn push(&mut self, start: Start, spot: &Spot) -> NodeId {
        self.nodes.push(Node {
            spot: start.spot,
            parent: start.parent,
            next: NO_NODE,
            name: start.name.map_or(ABSENT, small_range),
            lead: small(start.lead),
            end: 0,
            separator: 0,
            facts: small(self.facts.len()),
            missing: u32::MAX,
            kind: start.kind,
            plain_before: start.plain_before,
            kept_any: false,
        });
        if !spot.properties.is_empty() {
            self.facts.extend([ABSENT; 2]);
        }
        for item in &spot.items {
            if let Some(current) = self.current.get_mut(item.rule) {
                *current = small(self.facts.len());
            }
            self.facts.extend(std::iter::repeat_n(ABSENT, item.facts));
        }
        small(self.nodes.len() - 1)
    }

    /// Notes where a node's neighbour, or the end of its container, begins.
    #[inline(always)]
    pub(super) fn separate(&mut self, id: NodeId, at: usize) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.separator = small(at);
        }
    }

    /// Notes that an object lacks the name by which the fixed part of a rule's place goes on.
    pub(super) fn lacks(&mut self, id: NodeId, rule: usize) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.missing = small(rule);
        }
    }

    /// Notes a node's end; all nodes added since are inside it.
    pub(super) fn close(&mut self, id: NodeId, end: usize) {
        let next = small(self.nodes.len());
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.end = small(end);
            node.next = next;
        }
    }

    /// Notes what a node at this spot tells about the item or the property around it.
    pub(super) fn note(&mut self, spot: &Spot, parent: NodeId, range: (usize, usize)) {
        let range = small_range(range);
        for &(rule, index) in &spot.facts {
            let place = self.current.get(rule).map(|first| *first as usize + index);
            self.set(place, range);
        }
        if spot.property_key || spot.property_date {
            let first = self.nodes.get(parent as usize).map(|node| node.facts as usize);
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
    pub(super) fn judge(&mut self, spots: &Spots, bytes: &[u8], judge: &mut dyn Judge, counts: &mut [RuleCounts]) -> Result<Outcome, FilterError> {
        self.cuts.clear();
        self.tally.fill(RuleCounts::default());
        let mut pass = Pass { bytes, judge, waits: false };
        let mut failed = None;
        let mut at: NodeId = 0;
        while let Some(&node) = self.nodes.get(at as usize) {
            let Some(spot) = spots.at(node.spot) else {
                break;
            };
            if self.keeps(&node, spot, &mut pass) {
                self.stays(at, node.parent);
                failed = failed.or_else(|| refusal(&node, spot));
                at += 1;
            } else if pass.waits {
                // It is not final: a rule before the one that dropped it has yet to be counted.
                at = node.next;
            } else if at == 0 {
                self.commit(counts);
                return Ok(Outcome::Removed);
            } else {
                self.cut(&node, bytes);
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
        let name = pass.raw(node.name).map(decode_lossy);
        let mut first = node.facts as usize + if spot.properties.is_empty() { 0 } else { 2 };
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
        let facts: SmallVec<[Option<&[u8]>; 8]> = ranges.iter().map(|range| pass.raw(*range)).collect();
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
        let fact = |at: usize| self.facts.get(at).and_then(|range| pass.raw(*range));
        let name = name.filter(|_| !spot.own_key);
        let property = Property { name, key: fact(node.facts as usize), date: fact(node.facts as usize + 1) };
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
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.kept_any = false;
        }
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.kept_any = true;
        }
    }

    /// With something kept before it a node goes with what parts it from there, else with what parts it
    /// from the one behind, which then stands where the first stood. With nothing left no blank is left.
    fn cut(&mut self, node: &Node, bytes: &[u8]) {
        let (lead, separator) = (node.lead as usize, node.separator as usize);
        if node.plain_before || self.nodes.get(node.parent as usize).is_some_and(|parent| parent.kept_any) {
            return self.cuts.push((scan::blank_before(bytes, lead - 1), node.end as usize));
        }
        let begin = scan::blank(bytes, lead);
        // Between children of different containers stands a bracket, so these are neighbours.
        let follows = self.cuts.last().is_some_and(|last| last.1 == begin);
        if !follows {
            self.bracket = lead;
            self.cuts.push((begin, begin));
        }
        let is_last = separator.checked_sub(1).and_then(|at| bytes.get(at)) != Some(&b',');
        if let Some(last) = self.cuts.last_mut() {
            last.1 = if is_last { separator } else { scan::blank(bytes, separator) };
            if is_last {
                last.0 = self.bracket;
            }
        }
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
    fn raw(&self, range: Range) -> Option<&'a [u8]> {
        self.bytes.get(range.0 as usize..range.1 as usize)
    }
}

fn refusal(node: &Node, spot: &Spot) -> Option<FilterError> {
    match spot.refuses(node.kind) {
        Some((rule, Refused::Shape)) => Some(FilterError::WrongShape { rule }),
        Some((rule, Refused::Missing)) => Some(FilterError::MissingPlace { rule }),
        None if node.missing == u32::MAX => None,
        None => Some(FilterError::MissingPlace { rule: node.missing as usize }),
    }
}
