//! `for` and `if` on the wire: conditions on the dates of a question and on the call.

use super::moment::Moment;
use super::selectors::SelectorDefinition;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of `for`: exactly one of its members. All entries must hold.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForSpec {
    /// The asAt date lies in a range.
    as_at_range_for_spec: Option<AsAtRangeForSpec>,
    /// The asAt date lies so to a date that moves with now.
    as_at_relative: Option<AsAtRelative>,
    /// The effective date is of a kind.
    effective_date_has_quality: Option<EffectiveDateHasQuality>,
    /// The effective date lies so to a date that moves with now.
    effective_date_relative: Option<EffectiveDateRelative>,
    /// The effective date lies in a range.
    effective_range: Option<EffectiveRange>,
}

/// A range of asAt dates, both ends included.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct AsAtRangeForSpec {
    from: AsAtPredicateContract,
    to: AsAtPredicateContract,
}

/// An end of a range of asAt dates: exactly one of its members.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AsAtPredicateContract {
    /// `AsAt=Latest`, which is now.
    #[schema(min_length = 5, max_length = 25)]
    value: Option<String>,
    /// A date.
    date_time_offset: Option<Moment>,
}

/// The asAt date lies so to a date that moves with now.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AsAtRelative {
    /// Where it starts; `Now` unless said.
    date: Option<PointInTimeSpecification>,
    /// By how many units it is moved; 0 unless said.
    adjustment: Option<i32>,
    /// `Day` unless said.
    unit: Option<DateUnit>,
    /// How the asAt date lies to it.
    relative_to_date_time: Option<RelativeToDateTime>,
}

/// The effective date lies so to a date that moves with now.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EffectiveDateRelative {
    /// Where it starts; `Now` unless said.
    date: Option<PointInTimeSpecification>,
    /// By how many units it is moved; 0 unless said.
    adjustment: Option<i32>,
    /// `Day` unless said.
    unit: Option<DateUnit>,
    /// How the effective date lies to it.
    relative_to_date_time: Option<RelativeToDateTime>,
}

/// The effective date is of a kind.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct EffectiveDateHasQuality {
    quality: Option<DateQuality>,
}

/// A range of effective dates, both ends included; an end that is absent is none.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct EffectiveRange {
    from: Option<Moment>,
    to: Option<Moment>,
}

/// Where a date that moves with now starts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum PointInTimeSpecification {
    Now,
    FirstOfMonth,
    FirstBusinessDayOfTheMonth,
    LastDayOfTheMonth,
    LastBusinessDayOfMonth,
    FirstDayOfYear,
    LastDayOfYear,
}

/// By what a date is moved.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum DateUnit {
    Minute,
    Hour,
    Day,
    BusinessDay,
    Weeks,
    Months,
    Years,
}

/// How one date lies to another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum RelativeToDateTime {
    BeforeOrOn,
    Before,
    OnDayOf,
    AfterOrOn,
    After,
    Exactly,
}

/// A kind of date, in UTC, with business days from Monday to Friday.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum DateQuality {
    IsFirstDayOfAnyMonth,
    IsLastDayOfAnyMonth,
    IsBusinessDayOfAnyMonth,
    IsFirstDayOfTheCurrentMonth,
    IsLastDayOfTheCurrentMonth,
    IsBusinessDayOfTheCurrentMonth,
    IsBeforeMidday,
    IsBefore5pm,
    IsAfter5pm,
}

/// One entry of `if`: exactly one of its members. All entries must hold.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfExpression {
    /// On a header of the request.
    if_request_header_expression: Option<IfRequestHeaderExpression>,
    /// On a claim of the token.
    if_identity_claim_expression: Option<IfIdentityClaimExpression>,
    /// On the scopes of the token.
    if_identity_scope_expression: Option<IfIdentityScopeExpression>,
    /// On the feature that is executed.
    if_via_api_expression: Option<IfViaApiExpression>,
    /// The older form of the same.
    if_feature_chain_expression: Option<IfFeatureChainExpression>,
}

/// A condition on a header of the request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfRequestHeaderExpression {
    #[schema(min_length = 1, max_length = 1024, pattern = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    header_name: String,
    operator: TextOperator,
    #[schema(max_length = 4096)]
    value: Option<String>,
}

/// A condition on a claim of the token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfIdentityClaimExpression {
    #[schema(min_length = 1)]
    claim_type: String,
    claim_value_type: Option<String>,
    claim_issuer: Option<String>,
    claim_original_issuer: Option<String>,
    operator: TextOperator,
    value: Option<String>,
}

/// A condition on the scopes of the token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfIdentityScopeExpression {
    #[schema(min_length = 1, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    scope_name: String,
}

/// A condition on the feature that is executed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfViaApiExpression {
    api_feature_codes: FeatureCodes,
    /// `In` unless said.
    operator: Option<ListOperator>,
}

/// Codes of features, `application/code` or the code alone, with `*`; one alone need not be a list.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
enum FeatureCodes {
    Several(Vec<String>),
    One(String),
}

/// Whether the feature must be in the list.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum ListOperator {
    In,
    NotIn,
}

/// One of the selectors is of the feature that is executed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct IfFeatureChainExpression {
    #[schema(min_items = 1)]
    selectors: Vec<SelectorDefinition>,
}

/// How texts are compared.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum TextOperator {
    EqualsCaseSensitive,
    EqualsCaseInsensitive,
    NotEqualsCaseSensitive,
    NotEqualsCaseInsensitive,
    ContainsCaseSensitive,
    NotPresentOrNotContainsCaseSensitive,
    NotPresent,
    InCaseInsensitive,
}

impl IfExpression {
    /// As clients can read it back: feature codes are a list, and the operator is there.
    pub(super) fn settled(mut self) -> Self {
        if let Some(expression) = &mut self.if_via_api_expression {
            expression.operator = expression.operator.or(Some(ListOperator::In));
            if let FeatureCodes::One(code) = &expression.api_feature_codes {
                expression.api_feature_codes = FeatureCodes::Several(vec![code.clone()]);
            }
        }
        self
    }
}
