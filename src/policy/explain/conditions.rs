//! `if`, read literally: conditions on the call (semantics §6).
//!
//! Values of headers may be secrets: the words name what the policy says of them, not what they are.

use std::borrow::Cow;

use super::super::context::{ClaimValue, Claims, Context, HeaderValue};
use super::super::dates::{Dates, Interval};
use super::super::documents::{ClaimTest, Grant, IfSpec, Selector, TextTest, ViaApiOperator};
use super::super::question::{MetadataOf, Question};
use super::selectors;
use super::text::{Case, asks_all_values, is_like, satisfies};
use super::truth::{Finding, Truth};

/// One entry of `if`.
pub(super) fn holds(entry: &IfSpec, grant: Grant, context: &Context<'_>) -> Finding {
    match entry {
        IfSpec::Header { name, test } => header(name, test, context),
        IfSpec::Claim(test) if is_no_token_at_hand(context) => Finding::unknown(format!("claim `{}` is not known: no token is at hand", test.claim)),
        IfSpec::Claim(test) => claim(test, context.claims),
        IfSpec::Scope(scope) if is_no_token_at_hand(context) => Finding::unknown(format!("scope `{scope}` is not known: no token is at hand")),
        IfSpec::Scope(scope) => {
            let has = context.scopes.iter().any(|own| **own == **scope);
            if !has && context.claims.is_some_and(|claims| claims.has_unknown_scope) {
                return Finding::unknown(format!("the token's scopes cannot be read in full, and `{scope}` is not among those that can"));
            }
            Finding::of(has, format!("the token's scopes {} `{scope}`", if has { "contain" } else { "do not contain" }))
        }
        IfSpec::ViaApi { features, operator } => via_api(features, *operator, context.feature),
        IfSpec::FeatureChain(selectors) => feature_chain(selectors, grant, context),
    }
}

fn is_no_token_at_hand(context: &Context<'_>) -> bool {
    context.claims.is_some_and(|claims| claims.are_unknown)
}

fn told(test: &TextTest) -> String {
    format!("{} `{}`", test.operator.name(), test.value)
}

fn header(name: &str, test: &TextTest, context: &Context<'_>) -> Finding {
    match context.headers.value(name) {
        HeaderValue::Unknown => Finding::unknown(format!("header `{name}` cannot be read")),
        HeaderValue::Absent => {
            let holds = satisfies(None, test);
            Finding::of(holds, format!("header `{name}` is absent, which {} {}", satisfying(holds), told(test)))
        }
        HeaderValue::Text(actual) => {
            let holds = satisfies(Some(actual), test);
            Finding::of(holds, format!("the value of header `{name}` {} {}", satisfying(holds), told(test)))
        }
    }
}

fn satisfying(holds: bool) -> &'static str {
    if holds { "satisfies" } else { "does not satisfy" }
}

fn claim(test: &ClaimTest, claims: Option<&Claims>) -> Finding {
    let name = &test.claim;
    let values = claims.filter(|claims| is_issued_by(claims, test)).map(|claims| values_of(claims, name)).unwrap_or_default();
    if values.is_empty() {
        let holds = satisfies(None, &test.test);
        let of = test.issuer.as_ref().or(test.original_issuer.as_ref()).map(|issuer| format!(" of issuer `{issuer}`")).unwrap_or_default();
        return Finding::of(holds, format!("claim `{name}`{of} is absent, which {} {}", satisfying(holds), told(&test.test)));
    }
    let findings = values.into_iter().map(|value| claim_value(name, value, &test.test)).collect();
    if asks_all_values(test.test.operator) { Finding::all(findings) } else { Finding::any(findings) }
}

fn claim_value(name: &str, value: &ClaimValue, test: &TextTest) -> Finding {
    match value {
        ClaimValue::Unknown => Finding::unknown(format!("claim `{name}` has a value that is no text")),
        ClaimValue::Text(actual) => {
            let holds = satisfies(Some(actual), test);
            Finding::of(holds, format!("claim `{name}`: `{actual}` {} {}", satisfying(holds), told(test)))
        }
    }
}

fn is_issued_by(claims: &Claims, test: &ClaimTest) -> bool {
    let is_given = |issuer: &Option<_>| issuer.as_deref().is_none_or(|issuer: &str| claims.issuer.as_deref() == Some(issuer));
    is_given(&test.issuer) && is_given(&test.original_issuer)
}

fn values_of<'c>(claims: &'c Claims, name: &str) -> Vec<&'c ClaimValue> {
    claims.values.iter().filter(|(own, _)| **own == *name).flat_map(|(_, values)| values).collect()
}

fn via_api(patterns: &[Box<str>], operator: ViaApiOperator, feature: Option<(&str, &str)>) -> Finding {
    let listed = match feature {
        None => Finding::unknown("the feature being executed is unknown"),
        Some((application, code)) => {
            let pattern = patterns.iter().find(|pattern| is_feature(application, code, pattern));
            let why = match pattern {
                Some(pattern) => format!("the feature `{application}/{code}` is of `{pattern}`"),
                None => format!("the feature `{application}/{code}` is none of `{}`", patterns.join("`, `")),
            };
            Finding::of(pattern.is_some(), why)
        }
    };
    match operator {
        ViaApiOperator::In => listed,
        ViaApiOperator::NotIn => Finding::new(listed.truth.opposite(), listed.why),
    }
}

/// A pattern with a slash is one of the application and one of the code, one without is one of the code.
fn is_feature(application: &str, code: &str, pattern: &str) -> bool {
    match pattern.split_once('/') {
        Some((of_application, of_code)) => is_like(application, of_application, Case::Ignored) && is_like(code, of_code, Case::Ignored),
        None => is_like(code, pattern, Case::Ignored),
    }
}

/// The feature being executed, asked as in semantics §9 step 4.
fn feature_chain(selectors: &[Selector], grant: Grant, context: &Context<'_>) -> Finding {
    let Some((application, code)) = context.feature else {
        return Finding::unknown("the feature being executed is unknown");
    };
    let id = [("scope", Some(Cow::Borrowed(application))), ("code", Some(Cow::Borrowed(code)))];
    let now = Dates::Between(Interval::at(context.now));
    let question = Question {
        application,
        action_scope: "default",
        activity: "Execute",
        entity: "Feature",
        id: &id,
        metadata: MetadataOf::Unknown,
        effective: now,
        as_at: now,
        policy: None,
    };
    let any = Finding::any(selectors.iter().map(|selector| selectors::matches(selector, grant, &question)).collect());
    match any.truth {
        Truth::False => Finding::of(false, format!("none of its selectors matches the feature `{application}/{code}`")),
        Truth::True | Truth::Unknown => any,
    }
}
