//! Holds a stream to UTF-8, whatever the cuts: what goes on is whole characters.

/// The bytes of a character that a cut split.
#[derive(Debug, Default)]
pub(super) struct Split {
    bytes: [u8; 4],
    len: usize,
}

/// What the first bytes of a piece make of a split character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is whole, with so many bytes of the piece.
    Whole([u8; 4], usize),
    /// It is still split: the piece is used up.
    Split,
    /// It is none.
    Invalid,
}

impl Split {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Completes the character; it stays split until [`Split::clear`].
    pub(super) fn join(&mut self, piece: &[u8]) -> Joined {
        let mut joined = self.bytes;
        for (taken, byte) in piece.iter().enumerate() {
            let Some((last, whole)) = joined.get_mut(self.len + taken).map(|last| (last, self.len + taken + 1)) else {
                return Joined::Invalid;
            };
            *last = *byte;
            match std::str::from_utf8(joined.get(..whole).unwrap_or_default()) {
                Ok(_) => return Joined::Whole(joined, taken + 1),
                Err(error) if error.error_len().is_some() => return Joined::Invalid,
                Err(_) => {}
            }
        }
        self.bytes = joined;
        self.len += piece.len();
        Joined::Split
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }
}

/// How much of a piece is whole characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) len: usize,
    /// The byte behind them begins no character.
    pub(super) invalid: bool,
}

impl Whole {
    /// Checks a piece; up to three bytes at its end may be left for the next.
    pub(super) fn of(piece: &[u8], split: &mut Split) -> Self {
        let Err(error) = simdutf8::compat::from_utf8(piece) else {
            return Self { len: piece.len(), invalid: false };
        };
        let len = error.valid_up_to();
        let rest = piece.get(len..).unwrap_or_default();
        if error.error_len().is_none()
            && let Some(room) = split.bytes.get_mut(..rest.len())
        {
            room.copy_from_slice(rest);
            split.len = rest.len();
            return Self { len, invalid: false };
        }
        Self { len, invalid: true }
    }
}
