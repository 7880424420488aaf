//! A member or an element: its name, where it leads, and its value.

use super::super::error::FilterError;
use super::super::hold::Cursor;
use super::super::scan::{self, Scan};
use super::super::skim::Skimmed;
use super::super::spots::{Kind, NOWHERE, NameEdge, Refused, Spot, SpotId, Spots};
use super::super::tape::{NO_NODE, Start};
use super::super::text::decode;
use super::{State, Walker};

impl Walker {
    /// Reads a member from its opening quote on, as far as it goes in one go.
    #[inline]
    pub(super) fn member(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<(), FilterError> {
        if self.unit.is_none() {
            self.child_starts(c)?;
        }
        self.child.name.0 = c.offset(c.i + 1);
        let Some(end) = scan::quick_text(c.bytes, c.i) else {
            let scanned = scan::text(c.bytes, c.i + 1);
            return self.name(c, spots, scanned);
        };
        let raw = c.bytes.get(c.i + 1..end - 1).unwrap_or_default();
        c.i = end;
        self.child.name.1 = c.offset(end - 1);
        let to = self.look_up(spots, |spot| spot.edge(raw))?;
        self.child_is(c, spots, to)?;
        self.state = State::Colon;
        if let Some(b':') = c.next_mark() {
            c.i += 1;
            self.state = State::Value;
            if let Some(byte) = c.next_mark() {
                return self.value(c, spots, byte);
            }
        }
        Ok(())
    }

    pub(super) fn name(&mut self, c: &mut Cursor<'_>, spots: &Spots, scanned: Scan) -> Result<(), FilterError> {
        match scanned {
            Scan::Ended(end) => {
                c.i = end;
                self.child.name.1 = c.offset(end - 1);
                let raw = c.held(self.child.name);
                let to = self.look_up(spots, |spot| decode(raw).and_then(|name| spot.edge(name.as_bytes())))?;
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

    /// Where the member just named leads, `edge` being the way to find its name.
    #[inline]
    fn look_up<'s>(&mut self, spots: &'s Spots, edge: impl FnOnce(&'s Spot) -> Option<&'s NameEdge>) -> Result<SpotId, FilterError> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(NOWHERE);
        };
        let Some(spot) = spots.at(frame.spot) else {
            return Ok(NOWHERE);
        };
        let Some(edge) = edge(spot) else {
            return Ok(spot.other_member());
        };
        if frame.seen & edge.bit != 0 {
            return Err(FilterError::DuplicateName { name: edge.name.as_ref().into() });
        }
        frame.seen |= edge.bit;
        Ok(edge.to)
    }

    /// Starts the next element of an array.
    #[inline]
    pub(super) fn element(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
        if self.unit.is_none() {
            self.child_starts(c)?;
        }
        if let Some(frame) = self.frames.last() {
            let to = spots.at(frame.spot).map_or(NOWHERE, |spot| spot.element(frame.index));
            self.child_is(c, spots, to)?;
        }
        self.value(c, spots, byte)
    }

    /// A child starts, outside of held values, with its name or its value. As long as nothing of its
    /// container was kept it stands where the first child stood, so that nothing tells of those before it.
    #[inline]
    fn child_starts(&mut self, c: &mut Cursor<'_>) -> Result<(), FilterError> {
        match self.frames.last() {
            Some(frame) if !frame.kept_any && self.scout.is_none() => self.stands_first(c, frame.index == 0),
            _ => Ok(()),
        }
    }

    fn stands_first(&mut self, c: &mut Cursor<'_>, is_first: bool) -> Result<(), FilterError> {
        if self.oversized(c) {
            return Err(FilterError::ItemTooLarge);
        }
        if is_first {
            c.set_lead_apart();
        } else {
            c.drop_held(c.i);
            c.hold_from(c.i);
        }
        Ok(())
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
            self.first_is_placed(c);
            c.release();
        }
        Ok(())
    }

    /// A child is kept: the first of its container takes the place of the first there was.
    #[inline]
    pub(super) fn first_is_placed(&mut self, c: &mut Cursor<'_>) {
        if let Some(frame) = self.frames.last_mut()
            && !frame.kept_any
        {
            frame.kept_any = true;
            c.place_lead();
        }
    }

    /// Starts the value whose first byte is `byte`.
    #[inline]
    pub(super) fn value(&mut self, c: &mut Cursor<'_>, spots: &Spots, byte: u8) -> Result<(), FilterError> {
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
            // Nothing behind it may be looked at before the verdict, or what refuses the answer would
            // depend on how it was cut.
            if scout.is_ready() {
                return Ok(());
            }
        }
        if matches!(kind, Kind::Object | Kind::Array) && spot.enters {
            return self.open(c, kind);
        }
        self.unfollowed(c, spots, byte)
    }

    /// Puts the value on the tape if the judging must see it.
    fn visit(&mut self, spot: &Spot, kind: Kind) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if !spot.taped {
            frame.plain = true;
            return;
        }
        let start = Start {
            spot: self.child.spot,
            kind,
            parent: frame.node,
            name: if frame.array { None } else { Some(self.child.name) },
            lead: self.child.lead,
            plain_before: frame.plain,
        };
        self.child.node = self.tape.push(start, spot);
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
    pub(super) fn scalar(&mut self, c: &mut Cursor<'_>, spots: &Spots, scanned: Scan) -> Result<(), FilterError> {
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
    pub(super) fn skim(&mut self, c: &mut Cursor<'_>, spots: &Spots) -> Result<(), FilterError> {
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
}
