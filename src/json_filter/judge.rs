//! Who decides, and how often it was decided.

/// Decides what stays. It is asked in the order of the bytes, and again after it said
/// [`ItemVerdict::Wait`].
pub trait Judge {
    /// Asked once per item of a rule. `key` is the decoded member name when a star of the place
    /// selected the item in an object. `facts` are raw JSON texts, in the rule's order; `None` is absent.
    fn item(&mut self, rule: usize, key: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict;

    /// Asked for every property of a kept item, or of a rule for properties alone; true keeps it.
    fn property(&mut self, rule: usize, property: Property<'_>) -> bool;
}

/// What is known of a property; the raw texts are JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property<'a> {
    /// In a map: the decoded member name. In an array: `None`.
    pub name: Option<&'a str>,
    /// In an array: the element's own key. In a map it is not looked up.
    pub key: Option<&'a [u8]>,
    /// The property's own date.
    pub date: Option<&'a [u8]>,
}

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemVerdict {
    /// It stays.
    Keep,
    /// It goes; a single item that goes ends the filter with an error.
    Drop,
    /// Something must be fetched first: the filter pauses, and asks again on the next call.
    Wait,
}

/// Keeps everything.
#[derive(Debug)]
pub(super) struct Lenient;

impl Judge for Lenient {
    fn item(&mut self, _: usize, _: Option<&str>, _: &[Option<&[u8]>]) -> ItemVerdict {
        ItemVerdict::Keep
    }

    fn property(&mut self, _: usize, _: Property<'_>) -> bool {
        true
    }
}

/// How many verdicts a rule has had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// Items this rule kept.
    pub items_kept: u64,
    /// Items this rule removed.
    pub items_removed: u64,
    /// Properties this rule kept.
    pub properties_kept: u64,
    /// Properties this rule removed.
    pub properties_removed: u64,
}

impl RuleCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.items_kept += other.items_kept;
        self.items_removed += other.items_removed;
        self.properties_kept += other.properties_kept;
        self.properties_removed += other.properties_removed;
    }
}
