//! Ids of roles, policies and collections.

use std::fmt;
use std::sync::Arc;

use super::reading::Cursor;

/// The scope of an id that does not say one.
pub(in super::super) const DEFAULT_SCOPE: &str = "default";

/// A scope and a code, ordered by code points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopedId {
    /// `default` where the document has none.
    pub scope: Arc<str>,
    /// The name inside the scope.
    pub code: Arc<str>,
}

/// The id of a role.
pub type RoleId = ScopedId;

impl ScopedId {
    /// An id of these two.
    #[must_use]
    pub fn new(scope: &str, code: &str) -> Self {
        Self { scope: scope.into(), code: code.into() }
    }

    /// Reads `scope/code`, or `code`, which means `default/code` (semantics §8.3).
    #[must_use]
    pub fn named(text: &str) -> Self {
        let (scope, code) = text.split_once('/').unwrap_or((DEFAULT_SCOPE, text));
        Self::new(scope, code)
    }

    /// The built-in `LUSID_SYSTEM/lusid-administrator`, which ranks first and grants everything (semantics §2).
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        &*self.scope == ADMINISTRATOR_SCOPE && &*self.code == ADMINISTRATOR_CODE
    }

    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let scope = match cursor.member("scope") {
            Some(scope) => scope.word()?,
            None => cursor.findings.word(DEFAULT_SCOPE),
        };
        let code = cursor.required("code")?.word()?;
        Some(Self { scope, code })
    }
}

pub(in super::super) const ADMINISTRATOR_SCOPE: &str = "LUSID_SYSTEM";
pub(in super::super) const ADMINISTRATOR_CODE: &str = "lusid-administrator";

impl fmt::Display for ScopedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.code)
    }
}
