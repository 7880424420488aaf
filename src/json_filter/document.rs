//! A request body, whole in memory: a strict, borrowed tree that keeps duplicates, order and number texts.

use std::borrow::Cow;

use super::Limits;
use super::error::{DuplicateName, FilterError};
use super::pattern::{Pattern, Pointer, Segment, index_of};
use super::scan::{self, Scan};
use super::spots::Kind;
use super::text::{decode, decode_lossy, text};

/// How member names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch {
    /// As they are.
    Exact,
    /// Ignoring the case of ASCII letters; two names equal but for it are the same name.
    IgnoreAsciiCase,
}

impl NameMatch {
    fn equal(self, one: &str, other: &str) -> bool {
        match self {
            Self::Exact => one == other,
            Self::IgnoreAsciiCase => one.eq_ignore_ascii_case(other),
        }
    }
}

/// A parsed body. Neither parsing, nor reading, nor dropping it recurses.
#[derive(Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    /// Every value, parents before children, in the order of the bytes.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    start: usize,
    end: usize,
    name: Option<(usize, usize)>,
    /// The entry behind this one and all inside it.
    next: usize,
}

/// A value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    document: &'a Document<'a>,
    id: usize,
    entry: Entry,
}

/// An item of a body.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Its member name, if a star selected it in an object.
    pub key: Option<Cow<'a, str>>,
    /// The item.
    pub node: Node<'a>,
}

impl<'a> Document<'a> {
    /// Reads a whole body by RFC 8259. Of the limits only the depth counts: the body is in memory already.
    ///
    /// # Errors
    /// When it is not UTF-8, not JSON, incomplete, followed by anything, or nested too deeply.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Self, FilterError> {
        if let Err(error) = simdutf8::compat::from_utf8(bytes) {
            return Err(FilterError::InvalidUtf8 { offset: error.valid_up_to() as u64 });
        }
        let mut reader = Reader { bytes, i: 0, entries: Vec::new(), open: Vec::new(), depth: limits.depth };
        reader.read()?;
        Ok(Self { bytes, entries: reader.entries })
    }

    /// The whole document.
    pub fn root(&'a self) -> Node<'a> {
        let nothing = Entry { kind: Kind::Null, start: 0, end: 0, name: None, next: 0 };
        self.node(0).unwrap_or(Node { document: self, id: 0, entry: nothing })
    }

    /// The items at a place, in the order of the bytes (interfaces §3).
    ///
    /// # Errors
    /// When the fixed part is missing and not `optional`, when a value that must be entered has the
    /// wrong shape, or when a name that is looked up stands twice.
    pub fn items(&'a self, place: &Pattern, names: NameMatch, optional: bool) -> Result<Vec<Found<'a>>, FilterError> {
        let mut found = vec![Found { key: None, node: self.root() }];
        let mut fixed = !optional;
        for segment in place.segments() {
            fixed &= *segment != Segment::Star;
            let mut inside = Vec::new();
            for Found { node, .. } in found {
                node.step(segment, names, fixed, &mut inside)?;
            }
            found = inside;
        }
        if place.segments().last() != Some(&Segment::Star) {
            found.retain(|item| !item.node.is_null());
        }
        Ok(found)
    }

    fn node(&'a self, id: usize) -> Option<Node<'a>> {
        self.entries.get(id).map(|&entry| Node { document: self, id, entry })
    }
}

impl<'a> Node<'a> {
    /// Its text in the body, byte for byte.
    pub fn raw(&self) -> &'a [u8] {
        self.document.bytes.get(self.entry.start..self.entry.end).unwrap_or_default()
    }

    /// Where its text stands in the body.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.entry.start..self.entry.end
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.entry.kind == Kind::Null
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.entry.kind == Kind::Object
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.entry.kind == Kind::Array
    }

    /// A string decoded, a number or boolean as its JSON text; null, objects, arrays and strings with
    /// lone surrogates are no text.
    pub fn as_text(&self) -> Option<Cow<'a, str>> {
        text(self.raw())
    }

    /// The members of an object, duplicates too; a lone surrogate in a name becomes U+FFFD.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
        let inside = self.is_object().then(|| self.children());
        inside.into_iter().flatten().map(|node| (decode_lossy(node.raw_name()), node))
    }

    /// The elements of an array.
    pub fn elements(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.is_array().then(|| self.children()).into_iter().flatten()
    }

    /// The value a pointer leads to from here, if it is there.
    ///
    /// # Errors
    /// When a name on the way stands twice.
    pub fn pointer(&self, to: &Pointer, names: NameMatch) -> Result<Option<Node<'a>>, DuplicateName> {
        let mut node = *self;
        for name in to.names() {
            let inside = match node.entry.kind {
                Kind::Object => node.member(name, names)?,
                Kind::Array => index_of(name).and_then(|index| node.elements().nth(index)),
                Kind::Null | Kind::Scalar => None,
            };
            match inside {
                Some(inside) => node = inside,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The values a pattern leads to from here, as far as it leads: it demands nothing. Properties
    /// are found this way.
    ///
    /// # Errors
    /// When a name on the way stands twice.
    pub fn places(&self, pattern: &Pattern, names: NameMatch) -> Result<Vec<Node<'a>>, DuplicateName> {
        let mut found = vec![*self];
        for segment in pattern.segments() {
            let mut inside = Vec::new();
            for node in found {
                match segment {
                    Segment::Star => inside.extend(node.children()),
                    Segment::Name(name) => inside.extend(node.member(name, names)?),
                }
            }
            found = inside;
        }
        Ok(found)
    }

    /// The member of this name, if the node is an object that has it.
    ///
    /// # Errors
    /// When it stands twice.
    pub fn member(&self, name: &str, names: NameMatch) -> Result<Option<Node<'a>>, DuplicateName> {
        if !self.is_object() {
            return Ok(None);
        }
        let fits = |node: &Node<'a>| decode(node.raw_name()).is_some_and(|own| names.equal(&own, name));
        let mut fitting = self.children().filter(fits);
        let first = fitting.next();
        match fitting.next() {
            Some(_) => Err(DuplicateName { name: name.to_owned() }),
            None => Ok(first),
        }
    }

    fn step(
        self,
        segment: &Segment,
        names: NameMatch,
        fixed: bool,
        inside: &mut Vec<Found<'a>>,
    ) -> Result<(), FilterError> {
        match (segment, self.entry.kind) {
            (Segment::Star, Kind::Object) => {
                inside.extend(self.members().map(|(key, node)| Found { key: Some(key), node }));
            }
            (Segment::Star, Kind::Array) => {
                inside.extend(self.elements().map(|node| Found { key: None, node }));
            }
            (Segment::Name(name), Kind::Object) => match self.member(name, names)? {
                Some(node) => inside.push(Found { key: None, node }),
                None if fixed => return Err(FilterError::MissingPlace { rule: 0 }),
                None => {}
            },
            (_, Kind::Scalar) | (Segment::Name(_), Kind::Array) => return Err(FilterError::WrongShape { rule: 0 }),
            (Segment::Name(_), Kind::Null) if fixed => return Err(FilterError::MissingPlace { rule: 0 }),
            (_, Kind::Null) => {}
        }
        Ok(())
    }

    fn raw_name(&self) -> &'a [u8] {
        let (start, end) = self.entry.name.unwrap_or_default();
        self.document.bytes.get(start..end).unwrap_or_default()
    }

    fn children(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let document = self.document;
        let end = self.entry.next;
        let first = self.id + 1;
        std::iter::successors(Some(first), move |id| document.entries.get(*id).map(|entry| entry.next))
            .take_while(move |id| *id < end)
            .filter_map(|id| document.node(id))
    }
}

/// Reads a document token by token.
struct Reader<'a> {
    bytes: &'a [u8],
    i: usize,
    entries: Vec<Entry>,
    /// The entries whose brackets are open.
    open: Vec<usize>,
    depth: usize,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), FilterError> {
        self.value(None)?;
        while let Some(&id) = self.open.last() {
            let (object, first) = match self.entries.get(id) {
                Some(entry) => (entry.kind == Kind::Object, id + 1 == self.entries.len()),
                None => return Err(self.syntax()),
            };
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
                (false, _) => None,
                (true, b'"') => Some(self.name()?),
                (true, _) => return Err(self.syntax()),
            };
            self.value(name)?;
        }
        self.i = scan::blank(self.bytes, self.i);
        match self.bytes.get(self.i) {
            Some(_) => Err(FilterError::TrailingBytes { offset: self.i as u64 }),
            None => Ok(()),
        }
    }

    fn value(&mut self, name: Option<(usize, usize)>) -> Result<(), FilterError> {
        let byte = self.peek()?;
        let (kind, start, id) = (Kind::of(byte), self.i, self.entries.len());
        self.entries.push(Entry { kind, start, end: start, name, next: id + 1 });
        if matches!(kind, Kind::Object | Kind::Array) {
            if self.open.len() >= self.depth {
                return Err(FilterError::TooDeep { offset: start as u64 });
            }
            self.open.push(id);
            self.i += 1;
            return Ok(());
        }
        self.scanned(scan::scalar(self.bytes, start, byte))?;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.end = self.i;
        }
        Ok(())
    }

    fn name(&mut self) -> Result<(usize, usize), FilterError> {
        let start = self.i + 1;
        self.scanned(scan::text(self.bytes, start))?;
        let end = self.i - 1;
        self.expect(b':')?;
        Ok((start, end))
    }

    fn close(&mut self, id: usize) {
        self.i += 1;
        self.open.pop();
        let next = self.entries.len();
        if let Some(entry) = self.entries.get_mut(id) {
            entry.end = self.i;
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
