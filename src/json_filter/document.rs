//! A request body, whole in memory: a strict, borrowed tree that keeps duplicates, order and number texts.

mod reader;

use std::borrow::Cow;

use super::Limits;
use super::error::{DuplicateName, FilterError};
use super::pattern::{Pattern, Pointer, Segment, index_of};
use super::scan::{self, Scan};
use super::spots::Kind;
use super::text::{decode, decode_lossy, text};
use reader::Reader;

/// How member names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch {
    /// As they are.
    Exact,
    /// Ignoring the case of ASCII letters, also where the other case is outside ASCII (`ſ`, the Kelvin
    /// sign): some readers take those for the same name.
    IgnoreCase,
}

impl NameMatch {
    fn equal(self, one: &str, other: &str) -> bool {
        match self {
            Self::Exact => one == other,
            Self::IgnoreCase => one.eq_ignore_ascii_case(other) || (one.len() != other.len() && one.chars().map(fold_case).eq(other.chars().map(fold_case))),
        }
    }
}

/// The case of ASCII, and of the two characters outside it whose other case is in it: readers that fold by
/// Unicode take them for `s` and `k`.
#[must_use]
pub const fn fold_case(character: char) -> char {
    match character {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

/// A parsed body. Neither parsing, nor reading, nor dropping it recurses.
#[derive(Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    /// Every value, parents before children, in the order of the bytes.
    entries: Vec<Entry>,
}

/// Sixteen bytes, for a body can be little but commas; what its first byte or a scan tells is not kept.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    start: u32,
    end: u32,
    /// Where its member name begins, behind the quote; 0 in arrays.
    name: u32,
    /// The entry behind this one and all inside it.
    next: u32,
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
    /// When it is not UTF-8, not JSON, incomplete, followed by anything, nested too deeply, or 4 GiB long.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Self, FilterError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(FilterError::ItemTooLarge);
        }
        if let Err(error) = simdutf8::compat::from_utf8(bytes) {
            return Err(FilterError::InvalidUtf8 { offset: error.valid_up_to() as u64 });
        }
        let entries = Reader::new(bytes, limits.depth).read()?;
        Ok(Self { bytes, entries })
    }

    /// The whole document.
    pub fn root(&'a self) -> Node<'a> {
        self.node(0).unwrap_or(Node { document: self, id: 0, entry: Entry::default() })
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
        self.document.bytes.get(self.span()).unwrap_or_default()
    }

    /// Where its text stands in the body.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.entry.start as usize..self.entry.end as usize
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.kind() == Kind::Array
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
            let inside = match node.kind() {
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

    fn step(self, segment: &Segment, names: NameMatch, fixed: bool, inside: &mut Vec<Found<'a>>) -> Result<(), FilterError> {
        match (segment, self.kind()) {
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
            (_, Kind::Scalar) | (Segment::Name(_), Kind::Array) => {
                return Err(FilterError::WrongShape { rule: 0 });
            }
            (Segment::Name(_), Kind::Null) if fixed => {
                return Err(FilterError::MissingPlace { rule: 0 });
            }
            (_, Kind::Null) => {}
        }
        Ok(())
    }

    fn kind(&self) -> Kind {
        self.raw().first().map_or(Kind::Null, |first| Kind::of(*first))
    }

    fn raw_name(&self) -> &'a [u8] {
        let start = self.entry.name as usize;
        if start == 0 {
            return &[];
        }
        match scan::text(self.document.bytes, start) {
            Scan::Ended(end) => self.document.bytes.get(start..end - 1).unwrap_or_default(),
            Scan::Cut(_) | Scan::Bad(_) => &[],
        }
    }

    fn children(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let document = self.document;
        let end = self.entry.next as usize;
        let first = self.id + 1;
        std::iter::successors(Some(first), move |id| document.entries.get(*id).map(|entry| entry.next as usize))
            .take_while(move |id| *id < end)
            .filter_map(|id| document.node(id))
    }
}
