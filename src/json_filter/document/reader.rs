//! Reads a document token by token, without recursion.

use super::super::error::FilterError;
use super::super::scan::{self, Scan};
use super::Entry;

/// Reads a document token by token.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    i: usize,
    entries: Vec<Entry>,
    /// The entries whose brackets are open, and whether they are objects.
    open: Vec<(usize, bool)>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// At most `depth` brackets may be open at once.
    pub(super) fn new(bytes: &'a [u8], depth: usize) -> Self {
        Self { bytes, i: 0, entries: Vec::new(), open: Vec::new(), depth }
    }

    /// The entries of all values, parents before children.
    pub(super) fn read(mut self) -> Result<Vec<Entry>, FilterError> {
        self.value(0)?;
        while let Some(&(id, object)) = self.open.last() {
            let first = id + 1 == self.entries.len();
            let mut byte = self.peek()?;
            if byte == if object { b'}' } else { b']' } {
                self.close(id);
                continue;
            }
            if !first {
                self.expect(b',')?;
                byte = self.peek()?;
            }
            let name = match (object, byte) {
                (false, _) => 0,
                (true, b'"') => self.name()?,
                (true, _) => return Err(self.syntax()),
            };
            self.value(name)?;
        }
        self.i = scan::blank(self.bytes, self.i);
        match self.bytes.get(self.i) {
            Some(_) => Err(FilterError::TrailingBytes { offset: self.i as u64 }),
            None => Ok(self.entries),
        }
    }

    fn value(&mut self, name: u32) -> Result<(), FilterError> {
        let byte = self.peek()?;
        let (start, id) = (self.i, self.entries.len());
        self.entries.push(Entry { start: small(start), end: 0, name, next: small(id + 1) });
        if matches!(byte, b'{' | b'[') {
            if self.open.len() >= self.depth {
                return Err(FilterError::TooDeep { offset: start as u64 });
            }
            self.open.push((id, byte == b'{'));
            self.i += 1;
            return Ok(());
        }
        self.scanned(scan::scalar(self.bytes, start, byte))?;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.end = small(self.i);
        }
        Ok(())
    }

    fn name(&mut self) -> Result<u32, FilterError> {
        let start = self.i + 1;
        self.scanned(scan::text(self.bytes, start))?;
        self.expect(b':')?;
        Ok(small(start))
    }

    fn close(&mut self, id: usize) {
        self.i += 1;
        self.open.pop();
        let next = small(self.entries.len());
        if let Some(entry) = self.entries.get_mut(id) {
            entry.end = small(self.i);
            entry.next = next;
        }
    }

    fn scanned(&mut self, scanned: Scan) -> Result<(), FilterError> {
        match scanned {
            Scan::Ended(end) => self.i = end,
            Scan::Cut(scalar) if scalar.may_end() => self.i = self.bytes.len(),
            Scan::Cut(_) => return Err(FilterError::Truncated),
            Scan::Bad(at) => return Err(FilterError::Syntax { offset: at as u64 }),
        }
        Ok(())
    }

    fn expect(&mut self, wanted: u8) -> Result<(), FilterError> {
        if self.peek()? != wanted {
            return Err(self.syntax());
        }
        self.i += 1;
        Ok(())
    }

    fn peek(&mut self) -> Result<u8, FilterError> {
        self.i = scan::blank(self.bytes, self.i);
        self.bytes.get(self.i).copied().ok_or(FilterError::Truncated)
    }

    fn syntax(&self) -> FilterError {
        FilterError::Syntax { offset: self.i as u64 }
    }
}

/// An offset in a body, which is known to be shorter than 4 GiB.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
