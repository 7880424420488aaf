//! Decides the single items before anything is written.

use super::error::FilterError;
use super::judge::{ItemVerdict, Judge, RuleCounts};
use super::spots::{Kind, Spot};

/// What is known of the single items; ranges are offsets in the held bytes.
#[derive(Debug)]
pub(super) struct Scout {
    items: Vec<SingleItem>,
    unready: usize,
}

#[derive(Debug)]
struct SingleItem {
    rule: usize,
    facts: Vec<Option<(usize, usize)>>,
    /// Whether there is an item to ask about.
    there: bool,
    ready: bool,
}

impl Scout {
    /// `singles` has, per rule, the number of facts if the rule names a single item.
    pub(super) fn new(singles: &[Option<usize>]) -> Self {
        let item = |(rule, facts): (usize, &Option<usize>)| facts.map(|facts| SingleItem { rule, facts: vec![None; facts], there: false, ready: false });
        let items: Vec<_> = singles.iter().enumerate().filter_map(item).collect();
        Self { unready: items.len(), items }
    }

    /// Whether all is known that the verdicts need.
    pub(super) fn is_ready(&self) -> bool {
        self.unready == 0
    }

    pub(super) fn starts(&mut self, spot: &Spot, kind: Kind) {
        for &(rule, facts) in &spot.singles {
            if kind != Kind::Null
                && let Some(item) = self.item(rule)
            {
                item.there = true;
            }
            if kind == Kind::Null || facts == 0 {
                self.ready(rule);
            }
        }
        if kind != Kind::Object {
            self.absent(spot, 0);
        }
    }

    pub(super) fn ends(&mut self, spot: &Spot, range: (usize, usize)) {
        for &(rule, index) in &spot.facts {
            let Some(item) = self.item(rule) else {
                continue;
            };
            if let Some(fact) = item.facts.get_mut(index) {
                *fact = Some(range);
            }
            if item.facts.iter().all(Option::is_some) {
                self.ready(rule);
            }
        }
        for &(rule, _) in &spot.singles {
            self.ready(rule);
        }
    }

    /// Rules whose place cannot follow any more, the names seen being these.
    pub(super) fn absent(&mut self, spot: &Spot, seen: u128) {
        for wait in spot.awaits.iter().filter(|wait| seen & wait.bit == 0) {
            self.ready(wait.rule);
        }
    }

    /// Asks about every single item. False: something must be fetched first.
    pub(super) fn ask(&self, bytes: &[u8], judge: &mut dyn Judge, counts: &mut [RuleCounts]) -> Result<bool, FilterError> {
        let mut decided = true;
        for item in self.items.iter().filter(|item| item.there) {
            let raw = |fact: &Option<(usize, usize)>| fact.and_then(|(start, end)| bytes.get(start..end));
            let facts: Vec<_> = item.facts.iter().map(raw).collect();
            match judge.item(item.rule, None, &facts) {
                ItemVerdict::Keep => {}
                ItemVerdict::Wait => decided = false,
                ItemVerdict::Drop => {
                    if let Some(count) = counts.get_mut(item.rule) {
                        count.items_removed += 1;
                    }
                    return Err(FilterError::Denied { rule: item.rule });
                }
            }
        }
        if decided {
            self.count_kept(counts);
        }
        Ok(decided)
    }

    fn count_kept(&self, counts: &mut [RuleCounts]) {
        for item in self.items.iter().filter(|item| item.there) {
            if let Some(count) = counts.get_mut(item.rule) {
                count.items_kept += 1;
            }
        }
    }

    fn item(&mut self, rule: usize) -> Option<&mut SingleItem> {
        self.items.iter_mut().find(|item| item.rule == rule)
    }

    fn ready(&mut self, rule: usize) {
        if let Some(item) = self.item(rule)
            && !item.ready
        {
            item.ready = true;
            self.unready -= 1;
        }
    }
}
