//! A request body, whole in memory: strict, borrowed, with its duplicates, its order and its number texts.
//!
//! It is read once to see that it is JSON; a value is found again by reading over what stands before it. So a
//! body takes no memory but its own bytes, however many values it has, and no reading of it is ever a tree.

mod inside;
mod node;

use std::borrow::Cow;

use super::Limits;
use super::error::FilterError;
use super::pattern::{Pattern, Segment};
use super::scan::{self, Scan};
use super::skim::{Skim, Skimmed};
use super::spots::Kind;
use super::text::decode;
pub use node::Node;

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
    /// Whether a name as it stands between its quotes is the one that is looked for.
    fn fits(self, raw: &[u8], name: &str) -> bool {
        if raw.is_ascii() && name.is_ascii() && !raw.contains(&b'\\') {
            return match self {
                Self::Exact => raw == name.as_bytes(),
                Self::IgnoreCase => raw.eq_ignore_ascii_case(name.as_bytes()),
            };
        }
        decode(raw).is_some_and(|own| self.equal(&own, name))
    }

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

/// A body that is JSON. Neither parsing nor reading it recurses into it.
#[derive(Debug)]
pub struct Document<'a> {
    root: Node<'a>,
}

/// An item of a body.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Its member name, if a star selected it in an object.
    pub key: Option<Cow<'a, str>>,
    /// The item.
    pub node: Node<'a>,
}

/// What is done with each item of a body; an error ends the reading.
type VisitItem<'v, 'a> = dyn FnMut(Found<'a>) -> Result<(), FilterError> + 'v;

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
        let start = scan::blank(bytes, 0);
        let end = end_of_value(bytes, start, limits.depth)?;
        let rest = scan::blank(bytes, end);
        match bytes.get(rest) {
            Some(_) => Err(FilterError::TrailingBytes { offset: rest as u64 }),
            None => Ok(Self { root: Node::new(bytes, 0, start, end) }),
        }
    }

    /// The whole document.
    pub fn root(&self) -> Node<'a> {
        self.root
    }

    /// Visits the items at a place, in the order of the bytes (interfaces §3). None of them is kept.
    ///
    /// # Errors
    /// When the fixed part is missing and not `optional`, when a value that must be entered has the
    /// wrong shape, when a name that is looked up stands twice, or when the visit says so.
    pub fn each_item(&self, place: &Pattern, names: NameMatch, optional: bool, visit: &mut VisitItem<'_, 'a>) -> Result<(), FilterError> {
        let is_starred = place.segments().last() == Some(&Segment::Star);
        let mut visit = |found: Found<'a>| if is_starred || !found.node.is_null() { visit(found) } else { Ok(()) };
        enter(Found { key: None, node: self.root }, place.segments(), names, !optional, &mut visit)
    }
}

/// Goes on from a node by the rest of a place, and so is as deep as the place is long.
fn enter<'a>(at: Found<'a>, segments: &[Segment], names: NameMatch, fixed: bool, visit: &mut VisitItem<'_, 'a>) -> Result<(), FilterError> {
    let Some((segment, rest)) = segments.split_first() else { return visit(at) };
    let node = at.node;
    let fixed = fixed && *segment != Segment::Star;
    match (segment, node.kind()) {
        (Segment::Star, Kind::Object) => {
            node.members().try_for_each(|(key, node)| enter(Found { key: Some(key).filter(|_| rest.is_empty()), node }, rest, names, fixed, visit))
        }
        (Segment::Star, Kind::Array) => node.elements().try_for_each(|node| enter(Found { key: None, node }, rest, names, fixed, visit)),
        (Segment::Name(name), Kind::Object) => match node.member(name, names)? {
            Some(node) => enter(Found { key: None, node }, rest, names, fixed, visit),
            None if fixed => Err(FilterError::MissingPlace { rule: 0 }),
            None => Ok(()),
        },
        (_, Kind::Scalar) | (Segment::Name(_), Kind::Array) => Err(FilterError::WrongShape { rule: 0 }),
        (Segment::Name(_), Kind::Null) if fixed => Err(FilterError::MissingPlace { rule: 0 }),
        (_, Kind::Null) => Ok(()),
    }
}

/// Behind the value at `start`, of which nothing is known yet.
fn end_of_value(bytes: &[u8], start: usize, depth: usize) -> Result<usize, FilterError> {
    match bytes.get(start) {
        None => Err(FilterError::Truncated),
        Some(b'{' | b'[') => match Skim::new().run(bytes, start, depth) {
            Skimmed::Ended(end) => Ok(end),
            Skimmed::Cut => Err(FilterError::Truncated),
            Skimmed::Bad(at) => Err(FilterError::Syntax { offset: at as u64 }),
            Skimmed::TooDeep(at) => Err(FilterError::TooDeep { offset: at as u64 }),
        },
        Some(&first) => match scan::scalar(bytes, start, first) {
            Scan::Ended(end) => Ok(end),
            Scan::Cut(scalar) if scalar.may_end() => Ok(bytes.len()),
            Scan::Cut(_) => Err(FilterError::Truncated),
            Scan::Bad(at) => Err(FilterError::Syntax { offset: at as u64 }),
        },
    }
}
