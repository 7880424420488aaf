//! The index over a set of policies: action, grant and a literal part of the id → the few selectors that can match.
//!
//! It never decides: it only leaves out what cannot match, so a scan of everything gives the same answer.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use super::asked::Asked;
use super::documents::{Condition, Grant, Identifier, PolicyDocument, Selector};
use super::lookup::{hash_folded, mix};
use super::question::PartOf;
use super::selector::activities;
use super::symbols::{ActionKey, Symbols};
use super::uses::Uses;
use super::wildcard::{literal_start, matches_anything};

/// A selector of a policy, both by their places; ordered as the authoritative one is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) policy: u32,
    pub(super) selector: u32,
}

/// Below this many selectors a scan is as quick as a look-up.
const WORTH_FILING: usize = 4;
/// More ways to look up than this cost more than they save.
const MOST_WAYS: usize = 12;

/// The index over one set of policies.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    groups: HashMap<ActionKey, Group, FixedState>,
    filed: HashMap<u64, Span, FixedState>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u32,
    to: u32,
}

#[derive(Debug, Default)]
struct Group {
    allow: Side,
    deny: Side,
    uses: Uses,
}

/// The selectors of one action and grant.
#[derive(Debug, Default)]
struct Side {
    /// All of them, in order.
    all: Span,
    /// Those that no way leads to.
    rest: Span,
    ways: Box<[Way]>,
}

/// A part of the id by which selectors are filed: its whole value, or its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Way {
    /// Hash of the part's name, without case.
    part: u64,
    prefix: Option<u32>,
}

impl Way {
    /// Hash under which a selector is filed; folded, so that a Deny finds every spelling.
    fn hash(self, value: &[u8]) -> u64 {
        mix(mix(self.part, self.prefix.map_or(0, |length| u64::from(length) + 1)), hash_folded(value))
    }
}

impl Shelf {
    pub(super) fn build(members: &[u32], policies: &[PolicyDocument], symbols: &Symbols) -> Self {
        let mut sides: BTreeMap<(ActionKey, bool), Vec<Entry>> = BTreeMap::new();
        for place in members {
            let Some(policy) = policies.get(*place as usize) else {
                continue;
            };
            for (index, selector) in (0..).zip(&policy.selectors) {
                for key in action_keys(selector, policy.grant, symbols) {
                    let side = sides.entry((key, policy.grant == Grant::Deny)).or_default();
                    side.push(Entry { policy: *place, selector: index });
                }
            }
        }
        let mut shelf = Self::default();
        for ((key, is_deny), mut entries) in sides {
            entries.sort_unstable();
            entries.dedup();
            let side = shelf.add_side(key, is_deny, &entries, policies);
            let group = shelf.groups.entry(key).or_default();
            group.uses = entries
                .iter()
                .filter_map(|entry| policies.get(entry.policy as usize).zip(Some(entry.selector)))
                .map(|(policy, selector)| Uses::of(policy, policy.selectors.get(selector as usize)))
                .fold(group.uses, Uses::or);
            *(if is_deny { &mut group.deny } else { &mut group.allow }) = side;
        }
        shelf.entries.shrink_to_fit();
        shelf
    }

    fn add_side(&mut self, key: ActionKey, is_deny: bool, entries: &[Entry], policies: &[PolicyDocument]) -> Side {
        let (filed, rest) = file(entries, policies);
        let mut ways: Vec<Way> = filed.keys().map(|(way, _)| *way).collect();
        ways.dedup();
        for ((_, hash), entries) in filed {
            let span = self.add(&entries);
            self.filed.insert(mix(side_hash(key, is_deny), hash), span);
        }
        Side { all: self.add(entries), rest: self.add(&rest), ways: ways.into() }
    }

    fn add(&mut self, entries: &[Entry]) -> Span {
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let from = place(self.entries.len());
        self.entries.extend_from_slice(entries);
        Span { from, to: place(self.entries.len()) }
    }

    fn entries(&self, span: Span) -> &[Entry] {
        self.entries.get(span.from as usize..span.to as usize).unwrap_or_default()
    }

    /// All selectors of that action and grant, in order.
    pub(super) fn all(&self, key: ActionKey, grant: Grant) -> &[Entry] {
        self.groups.get(&key).map(|group| self.entries(group.side(grant).all)).unwrap_or_default()
    }

    /// What the selectors of that action look at.
    pub(super) fn uses(&self, key: ActionKey) -> Uses {
        self.groups.get(&key).map(|group| group.uses).unwrap_or_default()
    }

    /// What may match that action.
    pub(super) fn drawer(&self, key: ActionKey) -> Option<Drawer<'_>> {
        self.groups.get(&key).map(|group| Drawer { shelf: self, key, group })
    }

    pub(super) fn bytes(&self) -> usize {
        let of_group = |group: &Group| [&group.allow, &group.deny].map(|side| side.ways.len() * size_of::<Way>()).iter().sum::<usize>();
        self.entries.capacity() * size_of::<Entry>()
            + self.filed.capacity() * (size_of::<(u64, Span)>() + 1) * 8 / 7
            + self.groups.capacity() * (size_of::<(ActionKey, Group)>() + 1) * 8 / 7
            + self.groups.values().map(of_group).sum::<usize>()
    }
}

/// The selectors of one shelf that may match one action.
#[derive(Clone, Copy)]
pub(super) struct Drawer<'s> {
    shelf: &'s Shelf,
    key: ActionKey,
    group: &'s Group,
}

impl Drawer<'_> {
    /// The first of the selectors with that grant that fits, before `best` if there is one already.
    pub(super) fn first(&self, grant: Grant, asked: &Asked<'_>, best: Option<Entry>, fits: &impl Fn(Entry) -> bool) -> Option<Entry> {
        let (shelf, side) = (self.shelf, self.group.side(grant));
        if side.ways.is_empty() {
            return first_in(shelf.entries(side.all), best, fits);
        }
        let mut found = first_in(shelf.entries(side.rest), best, fits);
        for way in &side.ways {
            match asked.part(way.part) {
                PartOf::Known(value) => found = first_in(self.filed_under(grant, *way, value), found, fits),
                // an unknown part may be anything: a Deny must be looked at, an Allow is not met
                PartOf::Unknown if grant == Grant::Deny => {
                    return first_in(shelf.entries(side.all), best, fits);
                }
                PartOf::Unknown => {}
            }
        }
        found
    }

    fn filed_under(&self, grant: Grant, way: Way, value: &str) -> &[Entry] {
        let start = match way.prefix {
            Some(length) => value.as_bytes().get(..length as usize),
            None => Some(value.as_bytes()),
        };
        let place = start.map(|start| mix(side_hash(self.key, grant == Grant::Deny), way.hash(start)));
        let span = place.and_then(|place| self.shelf.filed.get(&place));
        span.map(|span| self.shelf.entries(*span)).unwrap_or_default()
    }
}

impl Group {
    const fn side(&self, grant: Grant) -> &Side {
        match grant {
            Grant::Allow => &self.allow,
            Grant::Deny => &self.deny,
        }
    }
}

fn first_in(entries: &[Entry], best: Option<Entry>, fits: &impl Fn(Entry) -> bool) -> Option<Entry> {
    let earlier = entries.iter().take_while(|entry| best.is_none_or(|best| **entry < best));
    earlier.copied().find(|entry| fits(*entry)).or(best)
}

const fn side_hash(key: ActionKey, is_deny: bool) -> u64 {
    key.number() << 1 | is_deny as u64
}

/// The questions that an action of the selector can match; `Any` stands for all activities.
fn action_keys<'a>(selector: &'a Selector, grant: Grant, symbols: &'a Symbols) -> impl Iterator<Item = ActionKey> + 'a {
    selector.actions.iter().flat_map(move |action| {
        let entity = symbols.find(&action.entity);
        activities(&action.activity, grant).filter_map(move |activity| Some(ActionKey { entity: entity?, activity: symbols.find(activity)? }))
    })
}

type Filed = BTreeMap<(Way, u64), Vec<Entry>>;

/// Each selector under the rarest of its literal parts, and those without one.
fn file(entries: &[Entry], policies: &[PolicyDocument]) -> (Filed, Vec<Entry>) {
    if entries.len() <= WORTH_FILING {
        return (Filed::new(), entries.to_vec());
    }
    let mut counts: HashMap<(Way, u64), usize, FixedState> = HashMap::default();
    let mut of_way: HashMap<Way, usize, FixedState> = HashMap::default();
    for (way, hash) in entries.iter().flat_map(|entry| filings(*entry, policies)) {
        *counts.entry((way, hash)).or_default() += 1;
        *of_way.entry(way).or_default() += 1;
    }
    let mut ways: Vec<_> = of_way.into_iter().collect();
    // the most used ways; then by themselves, so that every build gives the same index
    ways.sort_unstable_by_key(|(way, count)| (std::cmp::Reverse(*count), *way));
    ways.truncate(MOST_WAYS);
    let mut filed = Filed::new();
    let mut rest = Vec::new();
    for entry in entries {
        let allowed = filings(*entry, policies).filter(|(way, _)| ways.iter().any(|(kept, _)| kept == way));
        match allowed.min_by_key(|filing| (counts.get(filing).copied(), *filing)) {
            Some(filing) => filed.entry(filing).or_default().push(*entry),
            None => rest.push(*entry),
        }
    }
    (filed, rest)
}

/// The places at which a selector could be filed.
fn filings(entry: Entry, policies: &[PolicyDocument]) -> impl Iterator<Item = (Way, u64)> {
    let selector = policies.get(entry.policy as usize).and_then(|policy| policy.selectors.get(entry.selector as usize));
    let identifier: Option<&Identifier> = selector.and_then(|selector| match &selector.condition {
        Condition::Identifier(identifier) => Some(identifier),
        Condition::Policy(restriction) => Some(&restriction.identity),
        Condition::MatchAll | Condition::Metadata(_) => None,
    });
    identifier.into_iter().flat_map(|identifier| &identifier.0).filter_map(|part| {
        let pattern = part.pattern.as_deref().filter(|pattern| !matches_anything(pattern))?;
        let (start, has_star) = literal_start(pattern);
        let prefix = if has_star { Some(u32::try_from(start.len()).ok().filter(|length| *length > 0)?) } else { None };
        let way = Way { part: hash_folded(part.name.as_bytes()), prefix };
        Some((way, way.hash(start.as_bytes())))
    })
}
