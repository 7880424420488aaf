//! Where containers open and close, and values end: there fates are settled.

use super::super::error::FilterError;
use super::super::hold::Cursor;
use super::super::spots::{Kind, Spot, Spots};
use super::super::tape::{NO_NODE, Outcome};
use super::{Child, Company, Frame, State, Walker};

impl Walker {
    pub(super) fn open(&mut self, c: &mut Cursor<'_>, kind: Kind) -> Result<(), FilterError> {
        if self.frames.len() >= self.limits.depth {
            return Err(FilterError::TooDeep { offset: self.base + c.i as u64 });
        }
        self.frames.push(Frame {
            spot: self.child.spot,
            node: self.child.node,
            start: self.child.start,
            array: kind == Kind::Array,
            index: 0,
            seen: 0,
            kept_any: false,
            plain: false,
            last: NO_NODE,
        });
        c.i += 1;
        self.gap_begins(c);
        self.child.lead = c.offset(c.i);
        self.state = State::First;
        Ok(())
    }

    /// What parts children begins here; outside of held values it waits for the fate of the next one.
    #[inline]
    fn gap_begins(&mut self, c: &mut Cursor<'_>) {
        if self.unit.is_none() && self.scout.is_none() {
            c.hold_from(c.i);
        }
    }

    pub(super) fn close(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<(), FilterError> {
        let Some(frame) = self.frames.pop() else {
            return Err(self.syntax(c));
        };
        if let Some(spot) = spots.at(frame.spot) {
            self.check_complete(spot, &frame)?;
        }
        if self.unit.is_some() {
            self.tape.separate(frame.last, c.offset(c.i));
        } else if self.scout.is_none() {
            if self.oversized(c) {
                return Err(FilterError::ItemTooLarge);
            }
            if frame.kept_any || matches!(self.state, State::First) {
                c.release();
            } else {
                c.drop_all();
            }
        }
        c.i += 1;
        self.child = Child { spot: frame.spot, node: frame.node, start: frame.start, ..self.child };
        self.value_ends(c, spots);
        Ok(())
    }

    /// An object must have the names by which the fixed part of a place goes on.
    fn check_complete(&mut self, spot: &Spot, frame: &Frame) -> Result<(), FilterError> {
        if let Some(rule) = spot.missing(frame.seen)
            && !frame.array
        {
            if self.unit.is_none() {
                return Err(FilterError::MissingPlace { rule });
            }
            self.tape.lacks(frame.node, rule);
        }
        if let Some(scout) = &mut self.scout {
            scout.absent(spot, frame.seen);
        }
        Ok(())
    }

    /// The value now being read has just ended.
    #[inline]
    pub(super) fn value_ends(&mut self, c: &mut Cursor<'_>, spots: &Spots) {
        self.state = State::After;
        if let Some(spot) = spots.at(self.child.spot) {
            self.followed_ends(c, spot);
        }
        if self.discard {
            self.discard = false;
            c.skip();
        }
        if self.unit.is_some_and(|(depth, _)| depth == self.frames.len()) {
            self.state = State::Judge;
        } else if self.frames.is_empty() {
            self.state = State::Trailing;
            if self.scout.is_none() {
                c.keep_tail(self.bare_root);
            }
        } else {
            self.gap_begins(c);
        }
    }

    fn followed_ends(&mut self, c: &Cursor<'_>, spot: &Spot) {
        let range = (self.child.start, c.offset(c.i));
        if let Some(scout) = &mut self.scout {
            scout.ends(spot, range);
        }
        if self.unit.is_some() {
            let parent = self.frames.last().map_or(NO_NODE, |frame| frame.node);
            self.tape.note(spot, parent, range);
            self.tape.close(self.child.node, range.1);
        }
    }

    #[inline]
    pub(super) fn after(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        let Some(frame) = self.frames.last_mut() else {
            return Err(self.syntax(c));
        };
        match (byte, frame.array) {
            (b',', array) => {
                if self.unit.is_some() {
                    self.tape.separate(frame.last, c.offset(c.i + 1));
                    frame.last = NO_NODE;
                }
                frame.index += 1;
                c.i += 1;
                self.child.lead = c.offset(c.i);
                self.state = if array { State::Value } else { State::Member };
                match c.next_mark() {
                    Some(b'"') if !array => self.member(c, spots),
                    _ => Ok(()),
                }
            }
            (b'}', false) | (b']', true) => self.close(c, spots),
            _ => Err(self.syntax(c)),
        }
    }

    /// Judges the held value that has just ended. False: the judge waits.
    pub(super) fn judge(&mut self, c: &mut Cursor<'_>, company: &mut Company<'_>) -> Result<bool, FilterError> {
        if self.oversized(c) {
            return Err(FilterError::ItemTooLarge);
        }
        let held = c.complete();
        match self.tape.judge(company.spots, held, company.judge, company.counts)? {
            Outcome::Waiting => return Ok(false),
            Outcome::Removed => c.drop_held(c.i),
            Outcome::Kept => {
                self.first_is_placed(c);
                c.release_but(self.tape.cuts());
            }
        }
        self.unit = None;
        self.gap_begins(c);
        self.state = State::After;
        Ok(true)
    }
}
