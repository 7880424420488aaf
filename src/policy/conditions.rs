//! Whether the entries of `if` hold for a call (semantics §6).

use std::borrow::Cow;

use super::context::{ClaimValue, Context, HeaderValue};
use super::dates::Dates;
use super::documents::{ClaimTest, DEFAULT_SCOPE, Grant, IfSpec, Selector, TextOperator, TextTest, ViaApiOperator};
use super::metadata::items;
use super::question::{MetadataOf, Question};
use super::selector::selector_holds;
use super::truth::Truth;
use super::wildcard::{self, Case};

/// Whether all entries hold.
pub(super) fn conditions_hold(conditions: &[IfSpec], grant: Grant, context: &Context<'_>) -> Truth {
    Truth::all(conditions.iter().map(|condition| condition_holds(condition, grant, context)))
}

fn condition_holds(condition: &IfSpec, grant: Grant, context: &Context<'_>) -> Truth {
    match condition {
        IfSpec::Header { name, test } => match context.headers.value(name) {
            HeaderValue::Absent => absent_satisfies(test).into(),
            HeaderValue::Unknown => Truth::Unknown,
            HeaderValue::Text(value) => satisfies(value, test).into(),
        },
        IfSpec::Claim(_) | IfSpec::Scope(_) if context.claims.is_some_and(|claims| claims.are_unknown) => Truth::Unknown,
        IfSpec::Claim(test) => claim_holds(test, context),
        IfSpec::Scope(name) => match context.scopes.iter().any(|scope| **scope == **name) {
            false if context.claims.is_some_and(|claims| claims.has_unknown_scope) => Truth::Unknown,
            has => has.into(),
        },
        IfSpec::ViaApi { features, operator } => match context.feature {
            Some(feature) => via_api_holds(features, *operator, feature).into(),
            None => Truth::Unknown,
        },
        IfSpec::FeatureChain(selectors) => match context.feature {
            Some(feature) => chain_holds(selectors, grant, feature),
            None => Truth::Unknown,
        },
    }
}

fn absent_satisfies(test: &TextTest) -> bool {
    matches!(test.operator, TextOperator::NotPresent | TextOperator::NotPresentOrNotContainsCaseSensitive)
}

fn satisfies(value: &str, test: &TextTest) -> bool {
    let text = &*test.value;
    match test.operator {
        TextOperator::EqualsCaseSensitive => value == text,
        TextOperator::EqualsCaseInsensitive => value.eq_ignore_ascii_case(text),
        TextOperator::NotEqualsCaseSensitive => value != text,
        TextOperator::NotEqualsCaseInsensitive => !value.eq_ignore_ascii_case(text),
        TextOperator::ContainsCaseSensitive => value.contains(text),
        TextOperator::NotPresentOrNotContainsCaseSensitive => !value.contains(text),
        TextOperator::NotPresent => false,
        TextOperator::InCaseInsensitive => items(text).any(|item| item.eq_ignore_ascii_case(value)),
    }
}

fn claim_holds(test: &ClaimTest, context: &Context<'_>) -> Truth {
    let is_of = |issuer: Option<&str>, wanted: Option<&str>| wanted.is_none_or(|wanted| issuer == Some(wanted));
    let values = context.claims.and_then(|claims| {
        let issuer = claims.issuer.as_deref();
        let (_, values) = claims.values.iter().find(|(name, _)| **name == *test.claim)?;
        // a claim of another issuer is absent
        (is_of(issuer, test.issuer.as_deref()) && is_of(issuer, test.original_issuer.as_deref())).then_some(values)
    });
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        return absent_satisfies(&test.test).into();
    };
    let truths = values.iter().map(|value| match value {
        ClaimValue::Text(value) => satisfies(value, &test.test).into(),
        ClaimValue::Unknown => Truth::Unknown,
    });
    if test.test.operator.is_negative() { Truth::all(truths) } else { Truth::any(truths) }
}

fn via_api_holds(features: &[Box<str>], operator: ViaApiOperator, (application, code): (&str, &str)) -> bool {
    let is_named = |pattern: &str, text: &str| wildcard::matches(pattern, text, Case::Insensitive);
    let is_listed = features.iter().any(|feature| match feature.split_once('/') {
        Some((of, pattern)) => is_named(of, application) && is_named(pattern, code),
        None => is_named(feature, code),
    });
    is_listed == (operator == ViaApiOperator::In)
}

/// Asks the selectors about the feature, as the question of semantics §9 step 4.
fn chain_holds(selectors: &[Selector], grant: Grant, (application, code): (&str, &str)) -> Truth {
    let id = [("scope", Some(Cow::Borrowed(application))), ("code", Some(Cow::Borrowed(code)))];
    let question = feature_question(application, &id);
    Truth::any(selectors.iter().map(|selector| selector_holds(selector, &question, grant)))
}

fn feature_question<'a>(application: &'a str, id: &'a [(&'a str, Option<Cow<'a, str>>)]) -> Question<'a> {
    Question {
        application,
        action_scope: DEFAULT_SCOPE,
        activity: "Execute",
        entity: "Feature",
        id,
        metadata: MetadataOf::Unknown,
        effective: Dates::Unknown,
        as_at: Dates::Unknown,
        policy: None,
    }
}
