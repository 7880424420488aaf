//! Bare questions to the policies, without a call: for those who ask what a user may do and act on the
//! answer themselves. An answer never says more than a call would: what is not given is unknown, and
//! unknown fails closed.

use super::caller::Caller;
use super::request_headers::is_lookalike;
use crate::policy::{Claims, Context, Dates, HeaderSource, HeaderValue, Metadata, MetadataOf, Policies, Question, ScopedId, Subject};
use http::HeaderMap;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Of a token that is not at hand.
static UNKNOWN: Claims = Claims { issuer: None, are_unknown: true, has_unknown_scope: true, values: Vec::new() };

/// About whom is asked, and under which circumstances.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The policies in force.
    pub policies: &'a Policies,
    /// The user.
    pub caller: &'a Caller,
    /// Whether the token is at hand that a call would bear; otherwise its claims and scopes are unknown.
    pub is_token_known: bool,
    /// The headers of the call that is thought of.
    pub headers: &'a dyn HeaderSource,
    /// The time.
    pub now: Timestamp,
}

/// May this be done to that?
#[derive(Clone, Copy, Debug)]
pub struct BareQuestion<'a> {
    /// The scope of the action, usually `default`.
    pub scope: &'a str,
    /// `Read`, `Execute` and the like.
    pub activity: &'a str,
    /// `Portfolio`, `Feature` and the like.
    pub entity: &'a str,
    /// Part → value; a part that is not listed is unknown.
    pub id: &'a [(&'a str, &'a str)],
    /// All of its access metadata. Without it what the snapshot has for exactly this id counts.
    pub metadata: Option<&'a Metadata>,
    /// The effective dates.
    pub effective: Dates,
    /// The asAt dates.
    pub as_at: Dates,
}

/// The applications whose policies count.
#[derive(Clone, Debug)]
pub struct Applications<'a>(BTreeSet<Cow<'a, str>>);

/// The headers of a request, as policies see them.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeaders<'h>(pub &'h HeaderMap);

impl<'h> RequestHeaders<'h> {
    /// What a policy sees of a header. What a client could only forge, our own headers and those of proxies,
    /// is unknown.
    #[must_use]
    pub fn seen(self, name: &str) -> HeaderValue<'h> {
        if is_lookalike(name) {
            return HeaderValue::Unknown;
        }
        let mut values = self.0.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => HeaderValue::Absent,
            (Some(value), None) => std::str::from_utf8(value.as_bytes()).map_or(HeaderValue::Unknown, HeaderValue::Text),
            (Some(_), Some(_)) => HeaderValue::Unknown,
        }
    }
}

impl HeaderSource for RequestHeaders<'_> {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        self.seen(name)
    }
}

impl<'a> Applications<'a> {
    /// These; without any, every one that a policy names. The empty one stands for policies that are for all.
    #[must_use]
    pub fn of(policies: &'a Policies, named: &[&'a str]) -> Self {
        if named.is_empty() {
            let of_policies = policies.policies().iter().flat_map(|policy| policy.applications.iter());
            return Self(of_policies.map(|application| Cow::Owned(application.to_ascii_lowercase())).chain([Cow::Borrowed("")]).collect());
        }
        Self(named.iter().map(|application| Cow::Borrowed(*application)).collect())
    }
}

impl Asking<'_> {
    /// Whether the policies for any of these applications grant it: the strongest role that says
    /// something decides, and in it a Deny wins.
    #[must_use]
    pub fn may(&self, question: &BareQuestion<'_>, applications: &Applications<'_>) -> bool {
        let part = |wanted: &str| question.id.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
        let named = part("scope").zip(part("code"));
        let is_about = |entity: &str| question.entity.eq_ignore_ascii_case(entity);
        // The feature that a call would execute is not known, unless the question is about one.
        let subject = self.subject(named.filter(|_| is_about("Feature")));
        let parts: Vec<_> = question.id.iter().map(|(name, value)| (*name, Some(Cow::Borrowed(*value)))).collect();
        let known = question.metadata.or_else(|| self.policies.access_metadata(question.entity, question.id));
        let document = |(scope, code)| self.policies.document(&ScopedId::new(scope, code));
        let question = Question {
            application: "",
            action_scope: question.scope,
            activity: question.activity,
            entity: question.entity,
            id: &parts,
            metadata: known.map_or(MetadataOf::Unknown, MetadataOf::Known),
            effective: question.effective,
            as_at: question.as_at,
            policy: named.filter(|_| is_about("Policy") || is_about("Delegation")).and_then(document),
        };
        self.decided(&subject, &question, applications)
    }

    fn subject<'s>(&'s self, feature: Option<(&'s str, &'s str)>) -> Subject<'s> {
        let claims = if self.is_token_known { self.caller.claims() } else { Some(&UNKNOWN) };
        let context = Context { now: self.now, headers: self.headers, claims, scopes: self.caller.scopes(), feature };
        Subject::new(self.policies, self.caller.roles(self.policies), context)
    }

    fn decided(&self, subject: &Subject<'_>, question: &Question<'_>, applications: &Applications<'_>) -> bool {
        let roles: Vec<String> = subject.role_names().collect();
        let said = applications.0.iter().filter_map(|application| {
            let decision = subject.decide(&Question { application, ..*question });
            let role = decision.by?.named(self.policies)?.role.to_string();
            // The user-role is none of the roles, and comes after them.
            let rank = roles.iter().position(|name| *name == role).unwrap_or(roles.len());
            Some((rank, decision.granted))
        });
        // `false` is less than `true`: of one role the Deny is taken.
        said.min().is_some_and(|(_, is_granted)| is_granted)
    }
}
