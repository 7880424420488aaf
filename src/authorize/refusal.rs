//! Refusals: one closed set of stable names with their status and problem document (interfaces §6).

use super::call::DecisionId;
use super::deciding::Deciding;
use http::StatusCode;
use std::borrow::Cow;
use std::sync::Arc;

/// Why a call, or an answer, is not let through. The variant's name is the problem's `name`, the
/// log's and the metric's alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalName {
    /// Framing, target, headers or body are not acceptable.
    InvalidRequest,
    /// No token, a bad one, or an account that cannot sign in.
    InvalidIdentityToken,
    /// The API map has no such operation, or refuses it aloud.
    RouteNotMapped,
    /// A policy refuses the feature, the data or a property.
    AccessDenied,
    /// A denied single item, where the configuration says 404.
    NotFound,
    /// The upstream's answer cannot be filtered.
    UnfilterableResponse,
    /// The upstream cannot be reached or broke off.
    UpstreamUnavailable,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// A body to be inspected is over its limit.
    BodyTooLarge,
    /// The request target is over its limit.
    TargetTooLong,
    /// The request head is over its limits.
    HeadTooLarge,
    /// There is no snapshot in force, or it is staler than allowed.
    PolicyUnavailable,
    /// Load is shed.
    Overloaded,
}

/// What a 401 tells its caller to come with (`WWW-Authenticate`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// A bearer token (RFC 6750 §3).
    #[default]
    Bearer,
    /// A token that is bound to a key, with its proof (RFC 9449 §7.1).
    Possession,
    /// The same token with another proof.
    Proof,
}

/// The algorithms that a proof may be made with, as they are told.
macro_rules! possession {
    ($error:literal) => {
        concat!("DPoP error=\"", $error, "\", algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA\"")
    };
}

/// A refusal with the words for the person who meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable name.
    pub name: RefusalName,
    /// A sentence for the caller; it never names policies, roles or hidden values.
    pub detail: Cow<'static, str>,
    /// A sentence for the operator's log; it may name what the caller must not learn, never a secret.
    pub reason: String,
    /// What a 401 tells its caller.
    pub(super) challenge: Challenge,
    /// The question that the policies refused, for the log alone.
    pub(super) deciding: Option<Arc<Deciding>>,
}

impl RefusalName {
    /// Every refusal there is, for metrics that are complete from the start.
    pub const ALL: [Self; 13] = [
        Self::InvalidRequest,
        Self::InvalidIdentityToken,
        Self::RouteNotMapped,
        Self::AccessDenied,
        Self::NotFound,
        Self::UnfilterableResponse,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::HeadTooLarge,
        Self::PolicyUnavailable,
        Self::Overloaded,
    ];

    /// The stable name, status, LUSID error code and title: all answers in one table.
    #[must_use]
    pub fn row(self) -> (&'static str, StatusCode, i32, &'static str) {
        match self {
            Self::InvalidRequest => ("InvalidRequest", StatusCode::BAD_REQUEST, 157, "Invalid request"),
            Self::InvalidIdentityToken => ("InvalidIdentityToken", StatusCode::UNAUTHORIZED, 187, "Invalid identity token"),
            Self::RouteNotMapped => ("RouteNotMapped", StatusCode::FORBIDDEN, 186, "Route not mapped"),
            Self::AccessDenied => ("AccessDenied", StatusCode::FORBIDDEN, 186, "Access denied"),
            Self::NotFound => ("NotFound", StatusCode::NOT_FOUND, -1, "Not found"),
            Self::UnfilterableResponse => ("UnfilterableResponse", StatusCode::BAD_GATEWAY, -1, "Unfilterable response"),
            Self::UpstreamUnavailable => ("UpstreamUnavailable", StatusCode::BAD_GATEWAY, -1, "Upstream unavailable"),
            Self::UpstreamTimeout => ("UpstreamTimeout", StatusCode::GATEWAY_TIMEOUT, -1, "Upstream timeout"),
            Self::BodyTooLarge => ("BodyTooLarge", StatusCode::PAYLOAD_TOO_LARGE, 157, "Body too large"),
            Self::TargetTooLong => ("TargetTooLong", StatusCode::URI_TOO_LONG, 157, "Target too long"),
            Self::HeadTooLarge => ("HeadTooLarge", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, 157, "Head too large"),
            Self::PolicyUnavailable => ("PolicyUnavailable", StatusCode::SERVICE_UNAVAILABLE, -1, "Policy unavailable"),
            Self::Overloaded => ("Overloaded", StatusCode::SERVICE_UNAVAILABLE, 103, "Overloaded"),
        }
    }

    /// Whether the call was refused here; the other refusals are the upstream's faults.
    #[must_use]
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::UnfilterableResponse | Self::UpstreamUnavailable | Self::UpstreamTimeout)
    }

    /// The stable name as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().0
    }
}

impl Refusal {
    /// A refusal with the caller's sentence and the operator's reason.
    #[must_use]
    pub fn new(name: RefusalName, detail: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { name, detail: detail.into(), reason: reason.into(), challenge: Challenge::Bearer, deciding: None }
    }

    /// The same, because the policies refused this question.
    pub(super) fn because(self, deciding: Arc<Deciding>) -> Self {
        Self { deciding: Some(deciding), ..self }
    }

    /// The same, telling the caller what to come with.
    pub(super) fn challenging(self, challenge: Challenge) -> Self {
        Self { challenge, ..self }
    }

    /// A body to be inspected that is longer than `limit` bytes.
    #[must_use]
    pub fn body_too_large(limit: usize) -> Self {
        let detail = "The request body is longer than this service inspects.";
        Self::new(RefusalName::BodyTooLarge, detail, format!("a body to be inspected is over its limit of {limit} bytes"))
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.name.row().1
    }

    /// Whether the connection is to be closed after the answer: framing and target refusals
    /// (threats §1, §2) leave nothing on the wire that could be read as a second request.
    #[must_use]
    pub fn closes_connection(&self) -> bool {
        matches!(self.name, RefusalName::InvalidRequest | RefusalName::BodyTooLarge | RefusalName::TargetTooLong | RefusalName::HeadTooLarge)
    }

    /// Headers beside the body's own: `WWW-Authenticate` on 401, `Retry-After` on 503.
    #[must_use]
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self.name {
            RefusalName::InvalidIdentityToken => match self.challenge {
                Challenge::Bearer => &[("www-authenticate", "Bearer error=\"invalid_token\"")],
                Challenge::Possession => &[("www-authenticate", possession!("invalid_token"))],
                Challenge::Proof => &[("www-authenticate", possession!("invalid_dpop_proof"))],
            },
            RefusalName::PolicyUnavailable | RefusalName::Overloaded => &[("retry-after", "1")],
            _ => &[],
        }
    }

    /// The `application/problem+json` body in LUSID's shape; `instance` ends in the decision id.
    #[must_use]
    pub fn problem(&self, instance_prefix: &str, decision_id: DecisionId) -> Vec<u8> {
        let (name, status, code, title) = self.name.row();
        let document = serde_json::json!({
            "name": name,
            "errorDetails": [],
            "code": code,
            "type": format!("https://docs.lusid.com/#section/Error-Codes/{code}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
            "instance": format!("{instance_prefix}{decision_id}"),
        });
        document.to_string().into_bytes()
    }
}
