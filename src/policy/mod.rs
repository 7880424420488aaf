//! The policy decision point: documents of a snapshot → compiled, indexed policies → decisions.
//!
//! It knows what the policies mean (users, roles, grants, selectors, dates, conditions) and nothing of HTTP beyond
//! header names and claims. It never waits, reads a clock, draws a random number, logs, or touches a file:
//! time is an argument, and a decision is a function of snapshot, subject and question alone.
//!
//! Read in this order: [`load`], [`Subject`], [`Subject::decide`]; then `selector`, `for_dates` and `conditions` for what
//! a policy means, `documents` for what may be written, `shelf` for why it is quick.

mod asked;
mod change;
mod compile;
mod conditions;
mod context;
mod coverage;
mod dates;
mod decide;
mod documents;
mod explain;
mod fingerprint;
mod for_dates;
mod lookup;
mod memory;
mod metadata;
mod one_line;
mod policies;
mod question;
mod rights;
mod selector;
mod shelf;
mod subject;
mod symbols;
mod truth;
mod uses;
mod wildcard;

pub use change::Change;
pub use context::{ClaimValue, Claims, Context, HeaderSource, HeaderValue, NoHeaders};
pub use dates::{Dates, Instant, Interval, parse_instant, parse_query_instant};
pub use decide::{Cause, Decision, NamedCause};
pub use documents::{
    AccessMetadata, Action, AsAtEnd, ClaimTest, Condition, DateQuality, DateUnit, ForSpec, Grant, Identifier, IfSpec, MetadataExpression, MetadataOperator,
    Part, PersonalAccessToken, PointInTime, PolicyCollection, PolicyDocument, PolicyRestriction, Problem, RelativeDate, RelativeTo, Revocations, Role, RoleId,
    RoleResource, ScopedId, Selector, TextOperator, TextTest, User, UserKind, UserRole, UserStatus, ViaApiOperator, When,
};
pub use explain::{CauseExplained, ConditionExplained, DecisionExplained, Explanation, Outcome, PolicyExplained, PolicyVerdict, RoleExplained, Truth, explain};
pub use metadata::Metadata;
pub use one_line::OneLine;
pub use policies::{Policies, load};
pub use question::{MetadataOf, Question};
pub use rights::Rights;
pub use subject::{RoleSource, Subject};
pub use uses::Uses;

#[cfg(test)]
mod tests;
