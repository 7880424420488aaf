//! Where bytes go: on to the output, into the hold, or away.

/// Bytes whose fate is open, between two pieces of input.
#[derive(Debug, Default)]
pub(super) struct Hold {
    held: Vec<u8>,
    holding: bool,
    /// The blank before the first child of a container of which nothing was kept yet.
    lead: Vec<u8>,
    /// The end of the document: its last byte and what follows, written when all is well.
    tail: Vec<u8>,
}

/// A place in a piece of input. Of its bytes, those before `from` are settled; those from
/// `hold_at` on are held, if anything is; those between go to the output in one copy.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    /// The next byte to read.
    pub(super) i: usize,
    from: usize,
    hold_at: usize,
    /// Added to an index it gives the offset in the held bytes, wrapping.
    shift: usize,
    hold: &'a mut Hold,
    out: &'a mut Vec<u8>,
}

impl Hold {
    /// With `everything`, all bytes are held from the first on.
    pub(super) fn new(everything: bool) -> Self {
        Self { held: Vec::new(), holding: everything, lead: Vec::new(), tail: Vec::new() }
    }

    pub(super) fn into_held(self) -> Vec<u8> {
        self.held
    }

    /// Opens the next piece of input.
    pub(super) fn begin<'a>(&'a mut self, bytes: &'a [u8], out: &'a mut Vec<u8>) -> Cursor<'a> {
        Cursor { bytes, i: 0, from: 0, hold_at: 0, shift: self.held.len(), hold: self, out }
    }
}

impl<'a> Cursor<'a> {
    /// Passes over white space to the next byte, if there is one.
    #[inline(always)]
    pub(super) fn next_mark(&mut self) -> Option<u8> {
        self.i = super::scan::blank(self.bytes, self.i);
        self.bytes.get(self.i).copied()
    }

    /// The offset of an index in the held bytes.
    #[inline(always)]
    pub(super) fn offset(&self, index: usize) -> usize {
        index.wrapping_add(self.shift)
    }

    /// How many bytes are held.
    #[inline(always)]
    pub(super) fn held_len(&self) -> usize {
        if self.hold.holding { self.offset(self.i) } else { 0 }
    }

    /// Bytes of the end of the document that wait.
    pub(super) fn tail_len(&self, bare: bool) -> usize {
        self.hold.tail.len() + if bare { self.i - self.from } else { 0 }
    }

    /// From this index on bytes are held.
    #[inline(always)]
    pub(super) fn hold_from(&mut self, index: usize) {
        self.hold.holding = true;
        self.hold_at = index;
        self.shift = 0usize.wrapping_sub(index);
    }

    /// What is held waits apart, as the blank before whatever child is kept first, and what follows is held.
    pub(super) fn set_lead_apart(&mut self) {
        if self.hold.held.is_empty() {
            self.put(self.from, self.hold_at);
            self.hold.lead.extend_from_slice(self.bytes.get(self.hold_at..self.i).unwrap_or_default());
            self.from = self.i;
        } else {
            self.gather();
            self.hold.lead.append(&mut self.hold.held);
        }
        self.hold_from(self.i);
    }

    /// A first child is kept: the blank that waits goes before what is held.
    pub(super) fn place_lead(&mut self) {
        if self.hold.lead.is_empty() {
            return;
        }
        if self.hold.held.is_empty() {
            self.put(self.from, self.hold_at);
            self.from = self.hold_at;
        }
        self.out.append(&mut self.hold.lead);
    }

    /// Nothing of a container was kept: what is held goes, and the blank that waits.
    pub(super) fn drop_all(&mut self) {
        self.drop_held(self.i);
        self.hold.lead.clear();
    }

    /// A range of the held bytes, which must all have been read.
    #[inline(always)]
    pub(super) fn held(&mut self, range: (usize, usize)) -> &[u8] {
        if range.0 < self.hold.held.len() {
            self.gather();
            return self.hold.held.get(range.0..range.1).unwrap_or_default();
        }
        let index = |offset: usize| offset.wrapping_sub(self.shift);
        self.bytes.get(index(range.0)..index(range.1)).unwrap_or_default()
    }

    /// All held bytes up to the current one, in one piece.
    #[inline(always)]
    pub(super) fn complete(&mut self) -> &[u8] {
        if self.hold.held.is_empty() {
            return self.bytes.get(self.hold_at..self.i).unwrap_or_default();
        }
        self.gather();
        &self.hold.held
    }

    /// What is held stays.
    #[inline(always)]
    pub(super) fn release(&mut self) {
        self.hold.holding = false;
        if !self.hold.held.is_empty() {
            self.out.append(&mut self.hold.held);
        }
    }

    /// What is held stays but for these ranges; all of it must have been read.
    pub(super) fn release_but(&mut self, cuts: &[(usize, usize)]) {
        if self.hold.held.is_empty() {
            for &(start, end) in cuts {
                self.put(self.from, self.hold_at + start);
                self.from = self.hold_at + end;
            }
        } else {
            let held = std::mem::take(&mut self.hold.held);
            let mut from = 0;
            for &(start, end) in cuts {
                self.out.extend_from_slice(held.get(from..start).unwrap_or_default());
                from = end;
            }
            self.out.extend_from_slice(held.get(from..).unwrap_or_default());
            self.reuse(held);
        }
        self.hold.holding = false;
    }

    /// What is held goes, and all up to this index.
    pub(super) fn drop_held(&mut self, index: usize) {
        if self.hold.held.is_empty() {
            self.put(self.from, self.hold_at);
        } else {
            self.hold.held.clear();
        }
        self.hold.holding = false;
        self.from = index;
    }

    /// All up to the current byte goes; nothing may be held.
    pub(super) fn skip(&mut self) {
        self.from = self.i;
    }

    /// The document has ended: its last byte, or all of a bare value, waits.
    pub(super) fn keep_tail(&mut self, bare: bool) {
        if !bare {
            let last = self.i.saturating_sub(1);
            self.put(self.from, last);
            self.from = last;
        }
        self.extend_tail();
    }

    /// What was read waits behind the end of the document.
    pub(super) fn extend_tail(&mut self) {
        self.hold.tail.extend_from_slice(self.bytes.get(self.from..self.i).unwrap_or_default());
        self.from = self.i;
    }

    /// All is well: the end of the document follows.
    pub(super) fn write_tail(&mut self) {
        self.out.append(&mut self.hold.tail);
    }

    /// Leaves the piece of input at the current byte.
    pub(super) fn settle(&mut self, bare: bool) {
        if self.hold.holding {
            self.gather();
        } else if bare {
            self.extend_tail();
        } else {
            self.put(self.from, self.i);
            self.from = self.i;
        }
    }

    /// Moves what is held of this piece of input behind what was held before.
    fn gather(&mut self) {
        self.put(self.from, self.hold_at);
        self.hold.held.extend_from_slice(self.bytes.get(self.hold_at..self.i).unwrap_or_default());
        self.hold_at = self.i;
        self.from = self.i;
        self.shift = self.hold.held.len().wrapping_sub(self.i);
    }

    fn put(&mut self, from: usize, to: usize) {
        self.out.extend_from_slice(self.bytes.get(from..to).unwrap_or_default());
    }

    fn reuse(&mut self, mut held: Vec<u8>) {
        held.clear();
        self.hold.held = held;
    }
}
