//! The streaming pass: reads strictly, follows the plan, holds what must be judged, writes what stays.

mod child;
mod container;

use super::Limits;
use super::error::FilterError;
use super::hold::{Cursor, Hold};
use super::judge::{Judge, RuleCounts};
use super::scan::{self, Scalar};
use super::scout::Scout;
use super::skim::Skim;
use super::spots::{ROOT, SpotId, Spots};
use super::tape::{MOST_HELD, NO_NODE, NodeId, Tape};

/// White space and names around a held value may take this much, whatever the limit of an item.
const LEAST_LEAD: usize = 64 * 1024;

/// What a walk needs from outside.
pub(super) struct Company<'a> {
    pub(super) spots: &'a Spots,
    pub(super) judge: &'a mut dyn Judge,
    pub(super) counts: &'a mut [RuleCounts],
}

/// How far a walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walked {
    /// All bytes are taken.
    All,
    /// The judge waits; the bytes before this index are taken.
    Waiting(usize),
    /// The scout has seen enough at this index.
    Decided(usize),
}

/// What is expected next, or was cut.
#[derive(Debug, Clone, Copy)]
enum State {
    Value,
    First,
    Member,
    Name(Scalar),
    Colon,
    Scalar(Scalar),
    Skim,
    After,
    Judge,
    Trailing,
}

/// An open container that the plan looks into.
#[derive(Debug, Clone, Copy)]
struct Frame {
    spot: SpotId,
    node: NodeId,
    start: usize,
    array: bool,
    index: usize,
    /// Bits of the followed names that were seen.
    seen: u128,
    /// Something in it was kept already (outside of held values).
    kept_any: bool,
    /// Something that nobody is asked about stands in it already (inside held values).
    plain: bool,
    /// The visited child before the next comma.
    last: NodeId,
}

/// The value now being read; positions are offsets in the held bytes.
#[derive(Debug, Clone, Copy)]
struct Child {
    spot: SpotId,
    node: NodeId,
    /// Behind the comma or bracket before it (inside held values).
    lead: usize,
    name: (usize, usize),
    start: usize,
}

/// The walker. It holds all that outlives a piece of input.
#[derive(Debug)]
pub(super) struct Walker {
    limits: Limits,
    state: State,
    frames: Vec<Frame>,
    child: Child,
    skim: Skim,
    tape: Tape,
    hold: Hold,
    scout: Option<Scout>,
    /// Inside a value that is judged as a whole: how many frames are around it, and where it starts.
    unit: Option<(usize, Option<usize>)>,
    /// The value now being read is stripped, unheld.
    discard: bool,
    /// The root is a number or a word: its bytes wait until the end.
    bare_root: bool,
    base: u64,
}

impl Walker {
    pub(super) fn new(limits: Limits, rules: usize, scout: Option<Scout>) -> Self {
        let limits = Limits { item_bytes: limits.item_bytes.min(MOST_HELD), ..limits };
        Self {
            limits,
            state: State::Value,
            frames: Vec::new(),
            child: Child { spot: ROOT, node: NO_NODE, lead: 0, name: (0, 0), start: 0 },
            skim: Skim::new(),
            tape: Tape::new(rules),
            hold: Hold::new(scout.is_some()),
            scout,
            unit: None,
            discard: false,
            bare_root: false,
            base: 0,
        }
    }

    /// The scout's findings and the bytes it held.
    pub(super) fn into_scouted(self) -> (Option<Scout>, Vec<u8>) {
        (self.scout, self.hold.into_held())
    }

    /// Walks over a piece of input that has no cut characters.
    pub(super) fn run(&mut self, bytes: &[u8], company: &mut Company<'_>, out: &mut Vec<u8>) -> Result<Walked, FilterError> {
        let mut hold = std::mem::take(&mut self.hold);
        let mut c = hold.begin(bytes, out);
        let walked = self.walk(&mut c, company);
        let outcome = match walked {
            Err(error) if !error.is_denied() && self.oversized(&c) => Err(FilterError::ItemTooLarge),
            Ok(_) if self.oversized(&c) => Err(FilterError::ItemTooLarge),
            other => other,
        };
        if outcome.is_ok() {
            self.settle(&mut c);
        }
        self.base += c.i as u64;
        self.hold = hold;
        outcome
    }

    /// Ends the input. `Waiting` can come once more; then call again.
    pub(super) fn finish(&mut self, company: &mut Company<'_>, out: &mut Vec<u8>) -> Result<Walked, FilterError> {
        let walked = self.run(&[], company, out)?;
        if walked != Walked::All {
            return Ok(walked);
        }
        let mut hold = std::mem::take(&mut self.hold);
        let mut c = hold.begin(&[], out);
        if let State::Scalar(scalar) = self.state
            && self.frames.is_empty()
            && scalar.may_end()
        {
            self.state = State::After;
            self.value_ends(&mut c, company.spots);
        }
        if self.scout.as_ref().is_some_and(Scout::is_ready) {
            self.hold = hold;
            return Ok(Walked::Decided(0));
        }
        if !matches!(self.state, State::Trailing) {
            return Err(FilterError::Truncated);
        }
        c.write_tail();
        Ok(Walked::All)
    }

    fn walk(&mut self, c: &mut Cursor<'_>, company: &mut Company<'_>) -> Result<Walked, FilterError> {
        let spots = company.spots;
        loop {
            if self.scout.as_ref().is_some_and(Scout::is_ready) {
                return Ok(Walked::Decided(c.i));
            }
            match self.state {
                State::Judge => {
                    if !self.judge(c, company)? {
                        return Ok(Walked::Waiting(c.i));
                    }
                }
                State::Trailing => return self.trailing(c),
                _ if c.i >= c.bytes.len() => return Ok(Walked::All),
                State::Name(cut) => self.name(c, spots, scan::resume(c.bytes, c.i, cut))?,
                State::Scalar(cut) => self.scalar(c, spots, scan::resume(c.bytes, c.i, cut))?,
                State::Skim => self.skim(c, spots)?,
                _ => match c.next_mark() {
                    Some(byte) => self.token(c, spots, byte)?,
                    None => return Ok(Walked::All),
                },
            }
        }
    }

    /// Takes what starts with this byte, between tokens.
    #[inline]
    fn token(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        let array = self.frames.last().is_some_and(|frame| frame.array);
        match (self.state, byte, array) {
            (State::After, _, _) => self.after(c, spots, byte),
            (State::First, b'}', false) | (State::First, b']', true) => self.close(c, spots),
            (State::Value | State::First, _, true) => self.element(c, spots, byte),
            (State::Value, _, false) => self.value(c, spots, byte),
            (State::Member | State::First, b'"', false) => self.member(c, spots),
            (State::Colon, b':', _) => {
                c.i += 1;
                self.state = State::Value;
                Ok(())
            }
            _ => Err(self.syntax(c)),
        }
    }

    fn trailing(&mut self, c: &mut Cursor<'_>) -> Result<Walked, FilterError> {
        let more = c.next_mark();
        c.extend_tail();
        match more {
            None => Ok(Walked::All),
            Some(_) => Err(FilterError::TrailingBytes { offset: self.base + c.i as u64 }),
        }
    }

    fn syntax(&self, c: &Cursor<'_>) -> FilterError {
        FilterError::Syntax { offset: self.base + c.i as u64 }
    }

    /// Whether more is held than the limits allow. It looks only at how many bytes were taken, so
    /// that the answer does not depend on how the input was cut.
    fn oversized(&self, c: &Cursor<'_>) -> bool {
        let lead = self.limits.item_bytes.max(LEAST_LEAD);
        let held = c.held_len();
        let value = match self.unit {
            _ if self.scout.is_some() => held > self.limits.item_bytes,
            Some((_, Some(start))) => held.saturating_sub(start) > self.limits.item_bytes,
            _ => held > lead,
        };
        value || c.tail_len(self.bare_root) > lead
    }

    /// Puts the end of a piece of input where it belongs.
    fn settle(&mut self, c: &mut Cursor<'_>) {
        if self.discard {
            c.skip();
        }
        c.settle(self.bare_root);
    }
}
