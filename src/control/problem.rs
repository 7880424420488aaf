//! Every error answer of the control plane: LUSID's problem documents (`LusidProblemDetails` and
//! `LusidValidationProblemDetails`), their names, codes and statuses in one table.

use super::wire::RequestId;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why there is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// The request does not fit.
    Invalid,
    /// What is asked for cannot be done in the state things are in.
    Conflicting,
    /// No policy admits it.
    AccessDenied,
    /// No valid credential.
    InvalidToken,
    /// There is no such route.
    RouteUnknown,
    /// The route has no such method.
    MethodUnknown,
    /// The body is longer than anything here.
    BodyTooLarge,
    /// The body is not JSON by its type.
    MediaType,
    /// The operation is outside what is served.
    NotImplemented,
    /// The store does not answer.
    Unavailable,
    /// There are too many connections.
    Overloaded,
    /// Something that must not happen.
    Internal,
    PolicyMissing,
    /// A request names a policy that is not there; likewise the next three.
    PolicyUnknown,
    CollectionUnknown,
    RoleUnknown,
    TemplateUnknown,
    PolicyExists,
    CollectionMissing,
    CollectionExists,
    RoleMissing,
    RoleExists,
    UserRoleMissing,
    UserRoleExists,
    TemplateMissing,
    TemplateExists,
    PageToken,
    PolicySelectorWanted,
    DelegationSelectorWanted,
    SelectorOfWrongKind,
    MetadataMissing,
    UserMissing,
    UserExists,
    UserDeleted,
    IdentityRoleMissing,
    IdentityRoleExists,
    ApplicationMissing,
    ApplicationExists,
    TooManyKeys,
    KeyMissing,
    KeyNameTaken,
    NotLockedOut,
    AlreadyActivated,
    StatusUnfit,
    PasswordImmutable,
    PasswordUnfit,
    NetworkZoneBlocks,
    NetworkZoneMissing,
    NetworkZoneExists,
    IssuerMissing,
    IssuerExists,
    DecisionMissing,
}

impl Code {
    /// Name, LUSID error code, status, title.
    const fn row(self) -> (&'static str, i32, StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const GONE: StatusCode = StatusCode::NOT_FOUND;
        const TAKEN: StatusCode = StatusCode::CONFLICT;
        match self {
            Self::Invalid => ("InvalidRequest", 157, BAD, "One or more elements of the request were invalid"),
            Self::Conflicting => ("ActionExecutionFailure", 152, BAD, "The action cannot be carried out"),
            Self::AccessDenied => ("AccessDenied", 186, StatusCode::FORBIDDEN, "Access denied"),
            Self::InvalidToken => ("InvalidIdentityToken", 187, StatusCode::UNAUTHORIZED, "Invalid identity token"),
            Self::RouteUnknown => ("RouteNotFound", -1, GONE, "Route not found"),
            Self::MethodUnknown => ("MethodNotAllowed", -1, StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::BodyTooLarge => ("BodyTooLarge", 157, StatusCode::PAYLOAD_TOO_LARGE, "Body too large"),
            Self::MediaType => ("UnsupportedMediaType", 157, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::NotImplemented => ("NotImplemented", -1, StatusCode::NOT_IMPLEMENTED, "Not implemented"),
            Self::Unavailable => ("StoreUnavailable", -1, StatusCode::SERVICE_UNAVAILABLE, "Store unavailable"),
            Self::Overloaded => ("Overloaded", -1, StatusCode::SERVICE_UNAVAILABLE, "Too many connections"),
            Self::Internal => ("Unknown", -1, StatusCode::INTERNAL_SERVER_ERROR, "Unknown error"),
            Self::PolicyMissing => ("PolicyNotFound", 772, GONE, "Policy does not exist"),
            Self::PolicyUnknown => ("PolicyNotFound", 772, BAD, "Policy does not exist"),
            Self::CollectionUnknown => ("PolicyCollectionNotFound", 604, BAD, "Policy collection does not exist"),
            Self::RoleUnknown => ("RoleNotFound", 660, BAD, "Role does not exist"),
            Self::TemplateUnknown => ("PolicyTemplateNotFound", 878, BAD, "Policy template does not exist"),
            Self::PolicyExists => ("PolicyWithCodeAlreadyExists", 613, TAKEN, "Policy already exists"),
            Self::CollectionMissing => ("PolicyCollectionNotFound", 604, GONE, "Policy collection does not exist"),
            Self::CollectionExists => ("PolicyCollectionWithCodeAlreadyExists", 612, TAKEN, "Policy collection already exists"),
            Self::RoleMissing => ("RoleNotFound", 660, GONE, "Role does not exist"),
            Self::RoleExists => ("RoleWithCodeAlreadyExists", 615, TAKEN, "Role already exists"),
            Self::UserRoleMissing => ("UserRoleNotFound", 660, GONE, "User role does not exist"),
            Self::UserRoleExists => ("RoleWithCodeAlreadyExists", 615, TAKEN, "User role already exists"),
            Self::TemplateMissing => ("PolicyTemplateNotFound", 878, GONE, "Policy template does not exist"),
            Self::TemplateExists => ("PolicyTemplateAlreadyExists", 877, TAKEN, "Policy template already exists"),
            Self::PageToken => ("InvalidPageToken", 689, BAD, "Invalid page token"),
            Self::PolicySelectorWanted => ("PolicyActionsMustUsePolicySelector", 611, BAD, "Policy actions must use a policy selector"),
            Self::DelegationSelectorWanted => ("DelegationActionsMustUsePolicySelector", 607, BAD, "Delegation actions must use a policy selector"),
            Self::SelectorOfWrongKind => ("IncorrectSelectorForType", 608, BAD, "Incorrect selector for type"),
            Self::MetadataMissing => ("AccessMetadataNotFound", -1, GONE, "The entity has no access metadata"),
            Self::UserMissing => ("UserNotFound", 657, GONE, "User does not exist"),
            Self::UserExists => ("UserAlreadyExists", 658, TAKEN, "User already exists"),
            Self::UserDeleted => ("UserDeleted", 705, BAD, "User has been deleted"),
            Self::IdentityRoleMissing => ("RoleNotFound", 660, GONE, "Role does not exist"),
            Self::IdentityRoleExists => ("RoleAlreadyExists", 157, TAKEN, "Role already exists"),
            Self::ApplicationMissing => ("ApplicationNotFound", 662, GONE, "Application does not exist"),
            Self::ApplicationExists => ("ApplicationAlreadyExists", 157, TAKEN, "Application already exists"),
            Self::TooManyKeys => ("MaxApiKeyLimitReached", 238, BAD, "Maximum number of API keys reached"),
            Self::KeyMissing => ("ApiKeyNotFound", 239, GONE, "API key not found"),
            Self::KeyNameTaken => ("ApiKeyDisplayNameInUse", 659, TAKEN, "API key display name already in use"),
            Self::NotLockedOut => ("UserNotLockedOut", 706, BAD, "User is not locked out"),
            Self::AlreadyActivated => ("UserAlreadyActivated", 707, BAD, "User is already activated"),
            Self::StatusUnfit => ("UserStatusInvalid", 717, BAD, "User status does not admit the operation"),
            Self::PasswordImmutable => ("CannotUpdatePassword", 784, BAD, "Cannot update password"),
            Self::PasswordUnfit => ("PasswordValidationFailure", 787, BAD, "Password does not satisfy the policy"),
            Self::NetworkZoneBlocks => ("BlockedByNetworkZone", 939, StatusCode::FORBIDDEN, "Blocked by a network zone"),
            Self::NetworkZoneMissing => ("NetworkZoneNotFound", -1, GONE, "Network zone does not exist"),
            Self::NetworkZoneExists => ("NetworkZoneAlreadyExists", 157, TAKEN, "Network zone already exists"),
            Self::IssuerMissing => ("ExternalTokenIssuerNotFound", -1, GONE, "External token issuer does not exist"),
            Self::IssuerExists => ("ExternalTokenIssuerAlreadyExists", 157, TAKEN, "External token issuer already exists"),
            Self::DecisionMissing => ("DecisionNotFound", -1, GONE, "No such decision is known"),
        }
    }
}

/// An error answer. What every answer carries beside (`instance`, the request id) is added where it leaves.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    errors: BTreeMap<String, Vec<String>>,
}

impl Problem {
    /// A problem whose title says enough until a detail is given.
    pub(super) fn of(code: Code) -> Self {
        Self { code, detail: format!("{}.", code.row().3), errors: BTreeMap::new() }
    }

    /// A request that does not fit; name the fields by [`Self::field`].
    pub(super) fn invalid() -> Self {
        Self::of(Code::Invalid)
    }

    /// A sentence for the caller.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// What is wrong with one field, by its path in the body or the parameter's name.
    pub(super) fn field(mut self, path: impl Into<String>, message: impl Into<String>) -> Self {
        self.report(path, message);
        self
    }

    /// The same for one that is being gathered.
    pub(super) fn report(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let (messages, message) = (self.errors.entry(path.into()).or_default(), message.into());
        // A schema that is made of several says the same several times.
        if !messages.contains(&message) {
            messages.push(message);
        }
    }

    /// The value, unless a field was reported.
    pub(super) fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.errors.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Which one it is.
    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// The status it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        self.code.row().2
    }

    /// The detail, and what is wrong with the fields, in one line for people.
    pub(super) fn told(&self) -> String {
        let errors = self.errors.values().flatten().map(String::as_str);
        std::iter::once(self.detail.as_str()).chain(errors).collect::<Vec<_>>().join(" ")
    }

    /// What is wrong: field and message.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.errors.iter().flat_map(|(path, messages)| messages.iter().map(|message| (path.as_str(), message.as_str())))
    }

    /// What is wrong, by field.
    #[cfg(test)]
    pub(super) fn errors(&self) -> &BTreeMap<String, Vec<String>> {
        &self.errors
    }

    /// The document as it is answered; `instance` ends in the request's id.
    pub(super) fn document(&self, instance_prefix: &str, request: &RequestId) -> ProblemDetails {
        let (name, code, status, title) = self.code.row();
        ProblemDetails {
            name: name.to_owned(),
            error_details: Vec::new(),
            code,
            errors: (status == StatusCode::BAD_REQUEST).then(|| self.errors.clone()),
            kind: format!("https://docs.lusid.com/#section/Error-Codes/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            instance: format!("{instance_prefix}{request}"),
            extensions: BTreeMap::new(),
        }
    }

    /// Headers that belong to some statuses; never `Retry-After` on 401, 403, 404.
    pub(super) fn edit(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        match self.status() {
            StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))),
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))),
            _ => {}
        }
    }
}

/// Problems travel in the response's extensions until the outermost layer writes them out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `LusidProblemDetails`; with `errors` on 400, `LusidValidationProblemDetails`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LusidProblemDetails)]
pub(super) struct ProblemDetails {
    /// The stable name.
    name: String,
    /// Further details; empty.
    error_details: Vec<BTreeMap<String, String>>,
    /// LUSID's error code.
    code: i32,
    /// What is wrong, by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<BTreeMap<String, Vec<String>>>,
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// A short sentence.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do.
    detail: String,
    /// Where the request is looked up; ends in its id.
    instance: String,
    /// Empty; a refusal that every door words alike has none.
    #[schema(required = false)]
    extensions: BTreeMap<String, String>,
}
