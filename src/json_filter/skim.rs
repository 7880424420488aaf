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
            let scanned = match state {
                State::InName(cut) | State::InValue(cut) => scan::resume(bytes, i, cut),
                _ => {
                    if let State::After = state
                        && self.open.is_empty()
                    {
                        return Skimmed::Ended(i);
                    }
                    i = scan::blank(bytes, i);
                    let Some(&byte) = bytes.get(i) else {
                        self.state = state;
                        return Skimmed::Cut;
                    };
                    match (state, byte) {
                        (State::After, b',') => {
                            i += 1;
                            state = if self.open.last() == Some(&true) { State::Member } else { State::Value };
                            continue;
                        }
                        (State::After | State::FirstMember, b'}') if self.open.last() == Some(&true) => {
                            self.open.pop();
                            i += 1;
                            state = State::After;
                            continue;
                        }
                        (State::After | State::FirstElement, b']') if self.open.last() == Some(&false) => {
                            self.open.pop();
                            i += 1;
                            state = State::After;
                            continue;
                        }
                        (State::Colon, b':') => {
                            i += 1;
                            state = State::Value;
                            continue;
                        }
                        (State::Value | State::FirstElement, b'{' | b'[') => {
                            if self.open.len() >= room {
                                return Skimmed::TooDeep(i);
                            }
                            self.open.push(byte == b'{');
                            i += 1;
                            state = if byte == b'{' { State::FirstMember } else { State::FirstElement };
                            continue;
                        }
                        (State::Member | State::FirstMember, b'"') => {
                            state = State::Member;
                            scan::text(bytes, i + 1)
                        }
                        (State::Value | State::FirstElement, _) => {
                            state = State::Value;
                            scan::scalar(bytes, i, byte)
                        }
                        _ => return Skimmed::Bad(i),
                    }
                }
            };
            let name = matches!(state, State::Member | State::InName(_));
            match scanned {
                Scan::Ended(end) => {
                    i = end;
                    state = if name { State::Colon } else { State::After };
                }
                Scan::Cut(scalar) => {
                    self.state = if name { State::InName(scalar) } else { State::InValue(scalar) };
                    return Skimmed::Cut;
                }
                Scan::Bad(at) => return Skimmed::Bad(at),
            }
        }
    }
}
