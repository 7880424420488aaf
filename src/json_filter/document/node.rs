//! A value of a document, and the ways from it to those inside.

use std::borrow::Cow;

use super::super::error::{DuplicateName, FilterError};
use super::super::pattern::{Pattern, Pointer, Segment, index_of};
use super::super::spots::Kind;
use super::super::text::{decode_lossy, text};
use super::NameMatch;
use super::inside::{Children, Leaves, end_of_text};

/// A value of a document: where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    bytes: &'a [u8],
    /// Where its member name begins, behind the quote; 0 in arrays.
    name: u32,
    start: u32,
    end: u32,
}

/// What is done with each value at a place; an error ends the reading.
type Visit<'v, 'a> = dyn FnMut(Node<'a>) -> Result<(), FilterError> + 'v;

impl<'a> Node<'a> {
    pub(super) fn new(bytes: &'a [u8], name: usize, start: usize, end: usize) -> Self {
        Self { bytes, name: small(name), start: small(start), end: small(end) }
    }

    /// Its text in the body, byte for byte.
    pub fn raw(&self) -> &'a [u8] {
        self.bytes.get(self.span()).unwrap_or_default()
    }

    /// Where its text stands in the body.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
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

    pub(super) fn kind(&self) -> Kind {
        self.raw().first().map_or(Kind::Null, |first| Kind::of(*first))
    }

    /// A string decoded, a number or boolean as its JSON text; null, objects, arrays and strings with
    /// lone surrogates are no text.
    pub fn as_text(&self) -> Option<Cow<'a, str>> {
        text(self.raw())
    }

    /// The members of an object, duplicates too; a lone surrogate in a name becomes U+FFFD.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
        let inside = if self.is_object() { self.children() } else { Children::none() };
        inside.map(|node| (decode_lossy(node.raw_name()), node))
    }

    /// The elements of an array.
    pub fn elements(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        if self.is_array() { self.children() } else { Children::none() }
    }

    /// The value a pointer leads to from here, if it is there.
    ///
    /// # Errors
    /// When a name on the way stands twice.
    pub fn pointer(&self, to: &Pointer, names: NameMatch) -> Result<Option<Node<'a>>, DuplicateName> {
        let mut node = *self;
        for name in to.names() {
            match node.inside(name, names)? {
                Some(inside) => node = inside,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The same where nothing may be hidden by brackets around it.
    ///
    /// # Errors
    /// When a name on the way stands twice, or an array that is not empty stands where the pointer goes on by
    /// a name.
    pub fn plain_pointer(&self, to: &Pointer, names: NameMatch) -> Result<Option<Node<'a>>, FilterError> {
        let mut node = *self;
        for name in to.names() {
            if index_of(name).is_none() && node.elements().next().is_some() {
                return Err(FilterError::WrongShape { rule: 0 });
            }
            match node.inside(name, names)? {
                Some(inside) => node = inside,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Visits the values a pattern leads to from here, as far as it leads: nothing of it need be there. An array
    /// that stands where it goes on by a name is looked into element by element; digits are an index, too.
    /// Properties are found this way.
    ///
    /// # Errors
    /// When a name on the way stands twice, or when the visit says so.
    pub fn each_place(&self, pattern: &Pattern, names: NameMatch, visit: &mut Visit<'_, 'a>) -> Result<(), FilterError> {
        self.lead(pattern.segments(), names, visit)
    }

    /// Goes on by the rest of a place, and so is as deep as the place is long.
    fn lead(self, segments: &[Segment], names: NameMatch, visit: &mut Visit<'_, 'a>) -> Result<(), FilterError> {
        let mut go_on = |node: Option<Self>, rest: &[Segment]| node.map_or(Ok(()), |node| node.lead(rest, names, visit));
        match segments.split_first() {
            None => visit(self),
            Some((Segment::Star, rest)) => self.children().try_for_each(|child| go_on(Some(child), rest)),
            Some((Segment::Name(name), rest)) if self.is_array() && index_of(name).is_none() => {
                Leaves::new(self.bytes, self.start as usize).try_for_each(|leaf| go_on(leaf.member(name, names)?, rest))
            }
            Some((Segment::Name(name), rest)) => go_on(self.inside(name, names)?, rest),
        }
    }

    /// The member of this name, or the element at the index that it writes.
    fn inside(&self, name: &str, names: NameMatch) -> Result<Option<Self>, DuplicateName> {
        match self.is_array() {
            true => Ok(index_of(name).and_then(|index| self.elements().nth(index))),
            false => self.member(name, names),
        }
    }

    /// The member of this name, if the node is an object that has it.
    ///
    /// # Errors
    /// When it stands twice.
    pub fn member(&self, name: &str, names: NameMatch) -> Result<Option<Node<'a>>, DuplicateName> {
        if !self.is_object() {
            return Ok(None);
        }
        let mut fitting = self.children().filter(|node| names.fits(node.raw_name(), name));
        let first = fitting.next();
        match fitting.next() {
            Some(_) => Err(DuplicateName { name: name.to_owned() }),
            None => Ok(first),
        }
    }

    fn raw_name(&self) -> &'a [u8] {
        let start = self.name as usize;
        if start == 0 {
            return &[];
        }
        self.bytes.get(start..end_of_text(self.bytes, start) - 1).unwrap_or_default()
    }

    fn children(&self) -> Children<'a> {
        match self.kind() {
            Kind::Object => Children::new(self.bytes, self.start as usize, true),
            Kind::Array => Children::new(self.bytes, self.start as usize, false),
            Kind::Null | Kind::Scalar => Children::none(),
        }
    }
}

/// An offset in a body, which is known to be shorter than 4 GiB.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
