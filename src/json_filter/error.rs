//! What stops a filter or a parser, and where.

/// Why an answer or a body cannot be filtered or read. Offsets count the bytes of the input from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// A single item (a place without a star) was dropped: there is nothing left to answer with.
    #[error("the single item of rule {rule} is denied")]
    Denied {
        /// Index of the rule in the plan.
        rule: usize,
    },
    /// The bytes are not UTF-8.
    #[error("not UTF-8 at byte {offset}")]
    InvalidUtf8 {
        /// Offset of the first byte that is no part of a character.
        offset: u64,
    },
    /// The text breaks the grammar of RFC 8259.
    #[error("not JSON at byte {offset}")]
    Syntax {
        /// Offset of the byte that cannot stand where it stands.
        offset: u64,
    },
    /// The input ended inside the value, or held white space only.
    #[error("the JSON value ends too early")]
    Truncated,
    /// Something other than white space follows the value.
    #[error("more text follows the JSON value at byte {offset}")]
    TrailingBytes {
        /// Offset of the first such byte.
        offset: u64,
    },
    /// More brackets are open at once than `Limits::depth` allows.
    #[error("nested too deeply at byte {offset}")]
    TooDeep {
        /// Offset of the bracket that is one too many.
        offset: u64,
    },
    /// An item, or the text held back for an undecided single item, exceeds `Limits::item_bytes`.
    #[error("more bytes must be held at once than the limit allows")]
    ItemTooLarge,
    /// The fixed part of a rule's place is not there, and the rule is not optional.
    #[error("the place of rule {rule} is missing")]
    MissingPlace {
        /// Index of the rule in the plan; 0 when a `Document` was asked.
        rule: usize,
    },
    /// A node that a rule's place must enter is of a kind that cannot be entered.
    #[error("the place of rule {rule} leads through a value of the wrong shape")]
    WrongShape {
        /// Index of the rule in the plan; 0 when a `Document` was asked.
        rule: usize,
    },
    /// A member name that a rule follows stands twice in the object where it is looked up.
    #[error("the member `{name}` stands twice")]
    DuplicateName {
        /// The name as the rule spells it.
        name: String,
    },
    /// The filter failed before and takes nothing more.
    #[error("the filter has already failed")]
    Poisoned,
}

impl FilterError {
    /// Whether a verdict stopped the filter, rather than a text that cannot be filtered.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

/// A member name that was looked up stands twice in its object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the member `{name}` stands twice")]
pub struct DuplicateName {
    /// The name as it was asked for.
    pub name: String,
}

impl From<DuplicateName> for FilterError {
    fn from(duplicate: DuplicateName) -> Self {
        Self::DuplicateName { name: duplicate.name }
    }
}

/// Why a pattern, a pointer or a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A pattern is empty or starts with a slash.
    #[error("`{0}` does not start with a slash")]
    NoSlash(String),
    /// `~` stands only before `0` or `1`.
    #[error("`{0}` has a `~` that is not followed by 0 or 1")]
    Tilde(String),
    /// A pointer has no stars.
    #[error("`{0}` has a star where none may stand")]
    Star(String),
    /// The whole document cannot be stripped.
    #[error("the whole document cannot be stripped")]
    StripsAll,
    /// The rules together are too many to follow at once.
    #[error("the places of the rules are too many to be followed at once")]
    TooMany,
}
