//! Reads over a value that nobody looks into: the whole grammar, no memory but the open brackets.

use super::scan::{self, Scalar, Scan};

/// A resumable reader of exactly one array or object.
#[derive(Debug)]
pub(super) struct Skim {
    /// The open brackets, outermost first: true for an object.
    open: Vec<bool>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Value,
    FirstElement,
    FirstMember,
    Member,
    Colon,
    After,
    /// As `After`, where something odd was seen.
    Separator,
    InName(Scalar),
    InValue(Scalar),
}

/// How far the reader came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skimmed {
    /// The value ends before this index.
    Ended(usize),
    /// The input ends first.
    Cut,
    /// The byte at this index cannot stand there.
    Bad(usize),
    /// The bracket at this index is one too many.
    TooDeep(usize),
}

impl Skim {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), state: State::Value }
    }

    /// Gets ready for the next value.
    #[inline(always)]
    pub(super) fn restart(&mut self) {
        self.open.clear();
        self.state = State::Value;
    }

    /// Reads on at `i`; at most `room` brackets may be open at once.
    pub(super) fn run(&mut self, bytes: &[u8], mut i: usize, room: usize) -> Skimmed {
        let mut state = self.state;
        loop {
            if let State::After = state {
                match self.members(bytes, i) {
                    Ok(end) => return Skimmed::Ended(end),
                    Err((next, at)) => (state, i) = (next, at),
                }
            }
            match self.token(bytes, i, state, room) {
                Ok((next, end)) => (state, i) = (next, end),
                Err(skimmed) => return skimmed,
            }
        }
    }

    /// Reads one token, wherever it may have been cut.
    #[inline(always)]
    fn token(&mut self, bytes: &[u8], i: usize, state: State, room: usize) -> Result<(State, usize), Skimmed> {
        match state {
            State::InName(cut) => return self.scanned(scan::resume(bytes, i, cut), true),
            State::InValue(cut) => return self.scanned(scan::resume(bytes, i, cut), false),
            _ => {}
        }
        let i = scan::blank(bytes, i);
        let Some(&byte) = bytes.get(i) else {
            self.state = if let State::Separator = state { State::After } else { state };
            return Err(Skimmed::Cut);
        };
        match (state, byte) {
            (State::Value | State::FirstElement, b'{' | b'[') if self.open.len() >= room => Err(Skimmed::TooDeep(i)),
            (State::Value | State::FirstElement, b'{' | b'[') => Ok(self.opened(bytes, i + 1, byte == b'{')),
            (State::FirstMember, b'}') | (State::FirstElement, b']') => {
                self.open.pop();
                Ok((State::After, i + 1))
            }
            (State::Colon, b':') => Ok((State::Value, i + 1)),
            (State::Member | State::FirstMember, b'"') => self.scanned(scan::text(bytes, i + 1), true),
            (State::Value | State::FirstElement, _) => self.scanned(scan::scalar(bytes, i, byte), false),
            _ => Err(Skimmed::Bad(i)),
        }
    }

    /// Reads over members and elements as long as they are plain; else says what to expect where.
    #[inline(always)]
    fn members(&mut self, bytes: &[u8], mut i: usize) -> Result<usize, (State, usize)> {
        while let Some(&object) = self.open.last() {
            let mark = scan::blank(bytes, i);
            match bytes.get(mark) {
                Some(b',') => {
                    i = mark + 1;
                    if object {
                        i = scan::quick_name(bytes, i).ok_or((State::Member, i))?;
                    }
                    i = scan::quick_scalar(bytes, i).ok_or((State::Value, i))?;
                }
                Some(b'}') if object => {
                    self.open.pop();
                    i = mark + 1;
                }
                Some(b']') if !object => {
                    self.open.pop();
                    i = mark + 1;
                }
                // Nothing else may follow; the slow way finds out whether nothing does.
                _ => return Err((State::Separator, mark)),
            }
        }
        Ok(i)
    }

    /// Enters a container, behind its bracket.
    #[inline(always)]
    fn opened(&mut self, bytes: &[u8], i: usize, object: bool) -> (State, usize) {
        self.open.push(object);
        if !object {
            return (State::FirstElement, i);
        }
        let Some(value) = scan::quick_name(bytes, i) else {
            return (State::FirstMember, i);
        };
        match scan::quick_scalar(bytes, value) {
            Some(end) => (State::After, end),
            None => (State::Value, value),
        }
    }

    #[inline(always)]
    fn scanned(&mut self, scanned: Scan, name: bool) -> Result<(State, usize), Skimmed> {
        match scanned {
            Scan::Ended(end) => Ok((if name { State::Colon } else { State::After }, end)),
            Scan::Cut(scalar) => {
                self.state = if name { State::InName(scalar) } else { State::InValue(scalar) };
                Err(Skimmed::Cut)
            }
            Scan::Bad(at) => Err(Skimmed::Bad(at)),
        }
    }
}
