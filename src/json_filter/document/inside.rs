//! What is inside a container of a document, one value after another. The text was read before and found to
//! be JSON, so nothing of the grammar is asked again: strings and brackets tell where a value ends.

use super::super::scan::{self, Scan};
use super::node::Node;

/// The children of a container, in the order of the bytes; nothing has none.
pub(super) struct Children<'a> {
    bytes: &'a [u8],
    /// Behind the bracket, or behind the child before.
    at: usize,
    object: bool,
}

impl<'a> Children<'a> {
    /// Those of the container whose bracket stands at `start`.
    pub(super) const fn new(bytes: &'a [u8], start: usize, object: bool) -> Self {
        Self { bytes, at: start + 1, object }
    }

    pub(super) const fn none() -> Self {
        Self { bytes: &[], at: 0, object: false }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let mut at = scan::blank(self.bytes, self.at);
        if self.bytes.get(at)? == &b',' {
            at = scan::blank(self.bytes, at + 1);
        }
        if matches!(self.bytes.get(at)?, b'}' | b']') {
            self.at = at;
            return None;
        }
        let mut name = 0;
        if self.object {
            name = at + 1;
            let colon = scan::blank(self.bytes, end_of_text(self.bytes, name));
            at = scan::blank(self.bytes, colon + 1);
        }
        self.at = end_of(self.bytes, at);
        Some(Node::new(self.bytes, name, at, self.at))
    }
}

/// What is inside an array and the arrays in it, however deep, as long as it is no array itself. Brackets are
/// walked over, not into, so the depth costs nothing.
pub(super) struct Leaves<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Brackets of arrays that are open.
    open: usize,
}

impl<'a> Leaves<'a> {
    /// Those of the array whose bracket stands at `start`.
    pub(super) const fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start + 1, open: 1 }
    }
}

impl<'a> Iterator for Leaves<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        while self.open > 0 {
            let at = scan::blank(self.bytes, self.at);
            self.at = at + 1;
            match self.bytes.get(at)? {
                b',' => {}
                b'[' => self.open += 1,
                b']' => self.open -= 1,
                _ => {
                    self.at = end_of(self.bytes, at);
                    return Some(Node::new(self.bytes, 0, at, self.at));
                }
            }
        }
        None
    }
}

/// Behind the value that begins at `start`.
fn end_of(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'{' | b'[') => end_of_container(bytes, start),
        Some(&first) => match scan::scalar(bytes, start, first) {
            Scan::Ended(end) => end,
            Scan::Cut(_) | Scan::Bad(_) => bytes.len(),
        },
        None => bytes.len(),
    }
}

fn end_of_container(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut open) = (start, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = end_of_text(bytes, at),
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 1 => return at,
            b'}' | b']' => open -= 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Behind the closing quote of a string, from behind its opening one.
pub(super) fn end_of_text(bytes: &[u8], at: usize) -> usize {
    match scan::text(bytes, at) {
        Scan::Ended(end) => end,
        Scan::Cut(_) | Scan::Bad(_) => bytes.len(),
    }
}
