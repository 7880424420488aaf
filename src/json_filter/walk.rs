//! The streaming pass: reads strictly, follows the plan, holds what must be judged, writes what stays.

use super::error::FilterError;
use super::hold::Cursor;
use super::judge::{Judge, RuleCounts};
use super::scan::{self, Scalar, Scan};
use super::scout::Scout;
use super::skim::{Skim, Skimmed};
use super::spots::{Kind, NOWHERE, ROOT, Refused, Spot, SpotId, Spots};
use super::tape::{NO_NODE, Node, NodeId, Outcome, Tape};
use super::text::decode;
use super::{Limits, hold::Hold};

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
    /// What follows up to the next comma or bracket goes with the element removed before it.
    swallow: bool,
    /// The root is a number or a word: its bytes wait until the end.
    bare_root: bool,
    base: u64,
}

impl Walker {
    pub(super) fn new(limits: Limits, rules: usize, scout: Option<Scout>) -> Self {
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
            swallow: false,
            bare_root: false,
            base: 0,
        }
    }

    /// The scout's findings and the bytes it held.
    pub(super) fn into_scouted(self) -> (Option<Scout>, Vec<u8>) {
        (self.scout, self.hold.into_held())
    }

    /// Walks over a piece of input that has no cut characters.
    pub(super) fn run(
        &mut self,
        bytes: &[u8],
        company: &mut Company<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Walked, FilterError> {
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
                State::Value => {
                    let Some(byte) = c.next_mark() else { return Ok(Walked::All) };
                    if let Some(frame) = self.frames.last()
                        && frame.array
                    {
                        let to = spots.at(frame.spot).map_or(NOWHERE, |spot| spot.element(frame.index));
                        self.child_is(c, spots, to)?;
                    }
                    self.value(c, spots, byte)?;
                }
                State::First => {
                    let Some(byte) = c.next_mark() else { return Ok(Walked::All) };
                    let array = self.frames.last().is_some_and(|frame| frame.array);
                    match (byte, array) {
                        (b'}', false) | (b']', true) => self.close(c, spots)?,
                        (_, true) => self.state = State::Value,
                        (_, false) => self.state = State::Member,
                    }
                }
                State::Member => {
                    let Some(byte) = c.next_mark() else { return Ok(Walked::All) };
                    if byte != b'"' {
                        return Err(self.syntax(c));
                    }
                    self.child.name.0 = c.offset(c.i + 1);
                    let scanned = scan::text(c.bytes, c.i + 1);
                    self.name(c, spots, scanned)?;
                }
                State::Name(cut) => {
                    let scanned = scan::resume(c.bytes, c.i, cut);
                    self.name(c, spots, scanned)?;
                }
                State::Colon => {
                    let Some(byte) = c.next_mark() else { return Ok(Walked::All) };
                    if byte != b':' {
                        return Err(self.syntax(c));
                    }
                    c.i += 1;
                    self.state = State::Value;
                    if let Some(byte) = c.next_mark() {
                        self.value(c, spots, byte)?;
                    }
                }
                State::Scalar(cut) => {
                    let scanned = scan::resume(c.bytes, c.i, cut);
                    self.scalar(c, spots, scanned)?;
                }
                State::Skim => self.skim(c, spots)?,
                State::After => {
                    let Some(byte) = c.next_mark() else { return Ok(Walked::All) };
                    self.after(c, spots, byte)?;
                }
                State::Judge => {
                    if !self.judge(c, company)? {
                        return Ok(Walked::Waiting(c.i));
                    }
                }
                State::Trailing => return self.trailing(c),
            }
            if c.i >= c.bytes.len() && !matches!(self.state, State::Judge) {
                let decided = self.scout.as_ref().is_some_and(Scout::is_ready);
                return Ok(if decided { Walked::Decided(c.i) } else { Walked::All });
            }
        }
    }

    fn name(&mut self, c: &mut Cursor<'_>, spots: &Spots, scanned: Scan) -> Result<(), FilterError> {
        match scanned {
            Scan::Ended(end) => {
                c.i = end;
                self.child.name.1 = c.offset(end - 1);
                let to = self.look_up(c, spots)?;
                self.child_is(c, spots, to)?;
                self.state = State::Colon;
                Ok(())
            }
            Scan::Cut(cut) => {
                c.i = c.bytes.len();
                self.state = State::Name(cut);
                Ok(())
            }
            Scan::Bad(at) => {
                c.i = at;
                Err(self.syntax(c))
            }
        }
    }

    /// Where the member just named leads.
    fn look_up(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<SpotId, FilterError> {
        let Some(frame) = self.frames.last_mut() else { return Ok(NOWHERE) };
        let Some(spot) = spots.at(frame.spot) else { return Ok(NOWHERE) };
        let raw = c.held(self.child.name);
        let edge = if memchr::memchr(b'\\', raw).is_none() {
            spot.edge(raw)
        } else {
            decode(raw).and_then(|name| spot.edge(name.as_bytes()))
        };
        let Some(edge) = edge else { return Ok(spot.other_member()) };
        if frame.seen & edge.bit != 0 {
            return Err(FilterError::DuplicateName { name: edge.name.as_ref().into() });
        }
        frame.seen |= edge.bit;
        Ok(edge.to)
    }

    /// Notes where the coming value stands in the plan: outside of held values this settles
    /// whether it passes, goes, or is held.
    #[inline]
    fn child_is(&mut self, c: &mut Cursor<'_>, spots: &Spots, to: SpotId) -> Result<(), FilterError> {
        self.child.spot = to;
        if self.unit.is_some() || self.scout.is_some() {
            return Ok(());
        }
        let spot = spots.at(to);
        if spot.is_some_and(|spot| spot.unit) {
            self.tape.clear();
            self.unit = Some((self.frames.len(), None));
        } else if self.oversized(c) {
            return Err(FilterError::ItemTooLarge);
        } else if spot.is_some_and(|spot| spot.strip) {
            c.drop_held(c.i);
            self.discard = true;
            self.child.spot = NOWHERE;
        } else {
            c.release();
            if let Some(frame) = self.frames.last_mut() {
                frame.kept_any = true;
            }
        }
        Ok(())
    }

    /// Starts the value whose first byte is `byte`.
    #[inline]
    fn value(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        let Some(spot) = spots.at(self.child.spot) else {
            if let Some(frame) = self.frames.last_mut() {
                frame.plain = true;
            }
            return self.unfollowed(c, spots, byte);
        };
        let kind = Kind::of(byte);
        self.child.start = c.offset(c.i);
        self.child.node = NO_NODE;
        if let Some((depth, start)) = self.unit {
            if start.is_none() {
                if self.oversized(c) {
                    return Err(FilterError::ItemTooLarge);
                }
                self.unit = Some((depth, Some(self.child.start)));
            }
            self.visit(spot, kind);
        } else if let Some((rule, why)) = spot.refuses(kind) {
            return Err(match why {
                Refused::Missing => FilterError::MissingPlace { rule },
                Refused::Shape => FilterError::WrongShape { rule },
            });
        }
        if let Some(scout) = &mut self.scout {
            scout.starts(spot, kind);
        }
        if matches!(kind, Kind::Object | Kind::Array) && spot.enters {
            return self.open(c, kind);
        }
        self.unfollowed(c, spots, byte)
    }

    /// Puts the value on the tape if the judging must see it.
    fn visit(&mut self, spot: &Spot, kind: Kind) {
        let Some(frame) = self.frames.last_mut() else { return };
        if !spot.taped {
            frame.plain = true;
            return;
        }
        let mut node = Node::new(self.child.spot, kind, frame.node);
        node.name = if frame.array { None } else { Some(self.child.name) };
        node.lead = self.child.lead;
        node.start = self.child.start;
        node.plain_before = frame.plain;
        self.child.node = self.tape.push(node, spot);
        frame.last = self.child.node;
    }

    /// Reads over a value into which the plan does not look.
    #[inline]
    fn unfollowed(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        if matches!(byte, b'{' | b'[') {
            self.skim.restart();
            return self.skim(c, spots);
        }
        if self.frames.is_empty() && byte != b'"' {
            self.bare_root = true;
        }
        let scanned = scan::scalar(c.bytes, c.i, byte);
        self.scalar(c, spots, scanned)
    }

    #[inline]
    fn scalar(&mut self, c: &mut Cursor<'_>, spots: &Spots, scanned: Scan) -> Result<(), FilterError> {
        match scanned {
            Scan::Ended(end) => {
                c.i = end;
                self.value_ends(c, spots);
                Ok(())
            }
            Scan::Cut(cut) => {
                c.i = c.bytes.len();
                self.state = State::Scalar(cut);
                Ok(())
            }
            Scan::Bad(at) => {
                c.i = at;
                Err(self.syntax(c))
            }
        }
    }

    #[inline]
    fn skim(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<(), FilterError> {
        let room = self.limits.depth.saturating_sub(self.frames.len());
        match self.skim.run(c.bytes, c.i, room) {
            Skimmed::Ended(end) => {
                c.i = end;
                self.value_ends(c, spots);
                Ok(())
            }
            Skimmed::Cut => {
                c.i = c.bytes.len();
                self.state = State::Skim;
                Ok(())
            }
            Skimmed::Bad(at) => {
                c.i = at;
                Err(self.syntax(c))
            }
            Skimmed::TooDeep(at) => {
                c.i = at;
                Err(FilterError::TooDeep { offset: self.base + at as u64 })
            }
        }
    }

    fn open(&mut self, c: &mut Cursor<'_>, kind: Kind) -> Result<(), FilterError> {
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
        self.lead_begins(c, c.i);
        self.state = State::First;
        Ok(())
    }

    /// What comes before the next child starts at `at`; outside of held values it waits for the child's fate.
    #[inline]
    fn lead_begins(&mut self, c: &mut Cursor<'_>, at: usize) {
        if self.unit.is_none() && self.scout.is_none() {
            c.hold_from(at);
        }
        self.child.lead = c.offset(c.i);
    }

    fn close(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<(), FilterError> {
        let Some(frame) = self.frames.pop() else { return Err(self.syntax(c)) };
        if let Some(spot) = spots.at(frame.spot) {
            self.check_complete(spot, &frame)?;
        }
        if self.unit.is_some() {
            if let Some(last) = self.tape.node(frame.last) {
                last.separator = c.offset(c.i);
            }
        } else if self.scout.is_none() {
            if self.oversized(c) {
                return Err(FilterError::ItemTooLarge);
            }
            c.release();
            if self.swallow {
                c.skip_to(c.i);
            }
        }
        self.swallow = false;
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
            match self.tape.node(frame.node) {
                Some(node) if self.unit.is_some() => node.missing = Some(rule),
                _ => return Err(FilterError::MissingPlace { rule }),
            }
        }
        if let Some(scout) = &mut self.scout {
            scout.absent(spot, frame.seen);
        }
        Ok(())
    }

    /// The value now being read has just ended.
    #[inline]
    fn value_ends(&mut self, c: &mut Cursor<'_>, spots: &Spots) {
        self.state = State::After;
        if let Some(spot) = spots.at(self.child.spot) {
            self.followed_ends(c, spot);
        }
        if self.discard {
            self.discard = false;
            c.skip_to(c.i);
            self.removed();
        }
        if self.unit.is_some_and(|(depth, _)| depth == self.frames.len()) {
            self.state = State::Judge;
        } else if self.frames.is_empty() {
            self.state = State::Trailing;
            if self.scout.is_none() {
                c.keep_tail(self.bare_root);
            }
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

    /// An element went: with nothing kept before it, it takes what follows up to the comma along.
    fn removed(&mut self) {
        self.swallow = self.frames.last().is_some_and(|frame| !frame.kept_any);
    }

    #[inline]
    fn after(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        let Some(frame) = self.frames.last_mut() else { return Err(self.syntax(c)) };
        match (byte, frame.array) {
            (b',', array) => {
                let kept_any = frame.kept_any;
                if self.unit.is_some() {
                    let separator = c.offset(c.i + 1);
                    if let Some(last) = self.tape.node(frame.last) {
                        last.separator = separator;
                    }
                    frame.last = NO_NODE;
                }
                frame.index += 1;
                c.i += 1;
                if self.swallow {
                    c.skip_to(c.i);
                    self.swallow = false;
                }
                self.lead_begins(c, if kept_any { c.i - 1 } else { c.i });
                self.state = if array { State::Value } else { State::Member };
                Ok(())
            }
            (b'}', false) | (b']', true) => self.close(c, spots),
            _ => Err(self.syntax(c)),
        }
    }

    /// Judges the held value that has just ended. False: the judge waits.
    fn judge(&mut self, c: &mut Cursor<'_>, company: &mut Company<'_>) -> Result<bool, FilterError> {
        if self.oversized(c) {
            return Err(FilterError::ItemTooLarge);
        }
        let held = c.complete();
        match self.tape.judge(company.spots, held, company.judge, company.counts)? {
            Outcome::Waiting => return Ok(false),
            Outcome::Removed => {
                c.drop_held(c.i);
                self.removed();
            }
            Outcome::Kept => {
                c.release_but(self.tape.cuts());
                if let Some(frame) = self.frames.last_mut() {
                    frame.kept_any = true;
                }
            }
        }
        self.unit = None;
        self.state = State::After;
        Ok(true)
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
        if self.discard || self.swallow {
            c.skip_to(c.i);
        }
        c.settle(self.bare_root);
    }
}
