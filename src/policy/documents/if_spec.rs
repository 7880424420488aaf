//! Entries of `if`: conditions on the call.

use std::sync::Arc;

use super::reading::{Cursor, choice};
use super::selector::{Selector, only_member};

/// One entry of `if`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IfSpec {
    /// `ifRequestHeaderExpression`.
    Header {
        /// In lower case.
        name: Arc<str>,
        /// What the header's value must satisfy.
        test: TextTest,
    },
    /// `ifIdentityClaimExpression`.
    Claim(Box<ClaimTest>),
    /// `ifIdentityScopeExpression`.
    Scope(Arc<str>),
    /// `ifViaApiExpression`.
    ViaApi {
        /// `application/code` or a bare code, with `*`.
        features: Box<[Box<str>]>,
        /// Default `In`.
        operator: ViaApiOperator,
    },
    /// `ifFeatureChainExpression`: one of these matches the feature being executed.
    FeatureChain(Box<[Selector]>),
}

/// A condition on a claim of the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimTest {
    /// The name of a top-level claim.
    pub claim: Arc<str>,
    /// `claimIssuer`: a claim of another issuer is absent.
    pub issuer: Option<Arc<str>>,
    /// `claimOriginalIssuer`: likewise.
    pub original_issuer: Option<Arc<str>>,
    /// What the values must satisfy.
    pub test: TextTest,
}

/// A text operator with its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextTest {
    /// How to compare.
    pub operator: TextOperator,
    /// Empty for `NotPresent` without one.
    pub value: Box<str>,
}

choice! {
    /// How texts are compared.
    pub enum TextOperator {
        /// Present, and the same text.
        EqualsCaseSensitive = "EqualsCaseSensitive",
        /// Present, and the same text but for ASCII case.
        EqualsCaseInsensitive = "EqualsCaseInsensitive",
        /// Present, and another text.
        NotEqualsCaseSensitive = "NotEqualsCaseSensitive",
        /// Present, and another text, not only in ASCII case.
        NotEqualsCaseInsensitive = "NotEqualsCaseInsensitive",
        /// Present, and containing the text.
        ContainsCaseSensitive = "ContainsCaseSensitive",
        /// Absent, or not containing the text.
        NotPresentOrNotContainsCaseSensitive = "NotPresentOrNotContainsCaseSensitive",
        /// Absent.
        NotPresent = "NotPresent",
        /// Present, and an item of the list but for ASCII case.
        InCaseInsensitive = "InCaseInsensitive",
    }
}

impl TextOperator {
    /// Of several values, all must satisfy it; otherwise one.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        matches!(self, Self::NotEqualsCaseSensitive | Self::NotEqualsCaseInsensitive | Self::NotPresentOrNotContainsCaseSensitive | Self::NotPresent)
    }
}

choice! {
    /// Whether the feature being executed must be in the list.
    pub enum ViaApiOperator {
        /// It must.
        In = "In",
        /// It must not.
        NotIn = "NotIn",
    }
}

const KINDS: [&str; 5] =
    ["ifRequestHeaderExpression", "ifIdentityClaimExpression", "ifIdentityScopeExpression", "ifViaApiExpression", "ifFeatureChainExpression"];

impl IfSpec {
    pub(super) fn read(entry: Cursor<'_>) -> Option<Self> {
        let (kind, spec) = only_member(&entry, &KINDS)?;
        if !spec.expect_object() {
            return None;
        }
        match kind {
            "ifRequestHeaderExpression" => {
                let name = spec.required("headerName").and_then(|name| Some(name.text()?.to_ascii_lowercase()));
                let test = TextTest::read(&spec);
                Some(Self::Header { name: entry.findings.word(&name?), test: test? })
            }
            "ifIdentityClaimExpression" => Some(Self::Claim(Box::new(ClaimTest::read(&spec)?))),
            "ifIdentityScopeExpression" => Some(Self::Scope(spec.required("scopeName")?.word()?)),
            "ifViaApiExpression" => Self::read_via_api(&spec),
            _ => Some(Self::FeatureChain(spec.each_required("selectors", Selector::read))),
        }
    }

    fn read_via_api(spec: &Cursor<'_>) -> Option<Self> {
        let codes = spec.required("apiFeatureCodes");
        let operator = spec.member("operator").map_or(Some(ViaApiOperator::In), |operator| operator.choice());
        let codes = codes?;
        let features = if codes.is_text() { codes.boxed().into_iter().collect() } else { codes.items().filter_map(|code| code.boxed()).collect() };
        Some(Self::ViaApi { features, operator: operator? })
    }
}

impl ClaimTest {
    fn read(spec: &Cursor<'_>) -> Option<Self> {
        let claim = spec.required("claimType").and_then(|claim| claim.word());
        let issuer = spec.member("claimIssuer").and_then(|issuer| issuer.word());
        let original_issuer = spec.member("claimOriginalIssuer").and_then(|issuer| issuer.word());
        let test = TextTest::read(spec);
        Some(Self { claim: claim?, issuer, original_issuer, test: test? })
    }
}

impl TextTest {
    fn read(spec: &Cursor<'_>) -> Option<Self> {
        let operator: TextOperator = spec.required("operator")?.choice()?;
        let value = match spec.member("value") {
            Some(value) => value.boxed()?,
            None if operator == TextOperator::NotPresent => Box::default(),
            None => {
                spec.problem_at("value", format!("is missing; {} needs one", operator.name()));
                return None;
            }
        };
        Some(Self { operator, value })
    }
}
