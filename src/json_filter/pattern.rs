//! Places in a document: patterns with stars, and pointers without (RFC 6901).

use std::fmt;

use super::error::PatternError;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// The member of this name.
    Name(Box<str>),
    /// Every element of an array, every value of an object.
    Star,
}

/// A place such as `/values/*/portfolios/*`: RFC 6901, and a segment that is exactly `*` stands for
/// every element of an array or every value of an object. The empty pattern is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is neither empty nor starts with `/`, or has a `~` before anything but `0` or `1`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let segment = |raw: &str| match raw {
            "*" => Ok(Segment::Star),
            _ => Ok(Segment::Name(unescape(raw, text)?)),
        };
        let segments = split(text)?.map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// Whether it has no star, and so names at most one node.
    pub fn is_single(&self) -> bool {
        !self.segments.contains(&Segment::Star)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Star => f.write_str("/*")?,
                Segment::Name(name) => write_escaped(f, name)?,
            }
        }
        Ok(())
    }
}

/// A JSON pointer relative to an item (RFC 6901); a segment of digits also indexes into arrays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer {
    names: Vec<Box<str>>,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// As for [`Pattern::parse`], and when a segment is a star.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let name = |raw: &str| match raw {
            "*" => Err(PatternError::Star(text.to_owned())),
            _ => unescape(raw, text),
        };
        let names = split(text)?.map(name).collect::<Result<_, _>>()?;
        Ok(Self { names })
    }

    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names.iter().try_for_each(|name| write_escaped(f, name))
    }
}

/// The array index that a pointer segment means: digits without a leading zero.
pub(super) fn index_of(name: &str) -> Option<usize> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { name.parse().ok() } else { None }
}

fn split(text: &str) -> Result<impl Iterator<Item = &str>, PatternError> {
    let rest = match text.strip_prefix('/') {
        Some(rest) => Some(rest),
        None if text.is_empty() => None,
        None => return Err(PatternError::NoSlash(text.to_owned())),
    };
    Ok(rest.into_iter().flat_map(|rest| rest.split('/')))
}

fn unescape(raw: &str, whole: &str) -> Result<Box<str>, PatternError> {
    let mut name = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '~') {
            (_, true) => match letters.next() {
                Some('0') => name.push('~'),
                Some('1') => name.push('/'),
                _ => return Err(PatternError::Tilde(whole.to_owned())),
            },
            (letter, false) => name.push(letter),
        }
    }
    Ok(name.into())
}

fn write_escaped(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))
}
