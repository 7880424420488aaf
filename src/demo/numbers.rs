//! Numbers that look random and are the same in every demo, so that what is told of the data stays true.

/// A row of numbers (SplitMix64), begun by a text.
pub(super) struct Numbers {
    state: u64,
}

impl Numbers {
    /// The row that belongs to this text.
    pub(super) fn of(text: &str) -> Self {
        // FNV-1a: only has to tell the texts apart.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self { state: text.bytes().fold(0xcbf2_9ce4_8422_2325, mix) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but without, `end`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or_default()
    }

    /// One of these; `None` when there are none.
    pub(super) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let place = self.below(u32::try_from(choices.len()).unwrap_or(u32::MAX));
        choices.get(usize::try_from(place).unwrap_or_default())
    }

    /// Eight letters and digits, as in `LUID_00003D4X`.
    pub(super) fn code(&mut self) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        (0..8).filter_map(|_| self.one_of(LETTERS).map(|letter| char::from(*letter))).collect()
    }
}

/// Hundredths as a JSON number: 18742 → 187.42.
pub(super) fn hundredths(value: i64) -> f64 {
    // Far below 2⁵³ in this data, so nothing is lost.
    #[expect(clippy::cast_precision_loss, reason = "the demo's amounts are far below 2^53")]
    let value = value as f64;
    value / 100.0
}
