//! Every request of the control plane passes here twice: on its way in it is judged by our own
//! engine and API map, like any call of a data plane; on its way out its problem, if it has one, is
//! written, and its request id.

use super::caller::{Caller, Facts};
use super::identity::SessionType;
use super::peer::Peer;
use super::plane::Plane;
use super::problem::{Code, Problem};
use super::wire::{RequestId, random};
use crate::api_map::Operation;
use crate::authorize::{self, Call, DecisionId, Door, Identity, KeptRecord, Record, Refusal, RefusalName, Step, UpstreamMetadata, Verdict, authorize};
use crate::observe::{LogEntry, Outcome, clock};
use crate::snapshot::World;
use crate::token::{Algorithm, Bearer, Checks, Issuer, IssuerRules, MAX_TOKEN_BYTES, TokenError, Unverified, VerifiedToken, bearer, is_compact, verify};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// What the audience of our tokens is called.
pub(super) const AUDIENCE: &str = "lusid-api";
/// What sidecar tokens open.
const OF_SIDECARS: [&str; 2] = ["/snapshot", "/decisions"];

const DECISION_ID: HeaderName = HeaderName::from_static("doorward-decision-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("lusid-meta-requestid");
const DURATION: HeaderName = HeaderName::from_static("lusid-meta-duration");
const SUCCESS: HeaderName = HeaderName::from_static("lusid-meta-success");

/// The outermost layer: gives the request its id, writes its problem.
pub(super) async fn finish(State(plane): State<Plane>, mut request: Request, next: Next) -> Response {
    let started = clock::monotonic();
    let Ok(id) = random::<16>() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let id = DecisionId(u128::from_be_bytes(id));
    let request_id = RequestId(id.to_string());
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(request_id.clone());
    let answer = match has_coding(request.headers()) {
        true => Problem::of(Code::MediaType).detail("Send the body as it is, without a content coding.").into_response(),
        false => next.run(request).await,
    };
    let mut response = written(&plane, answer, &request_id);
    let status = response.status();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, text: &str| HeaderValue::from_str(text).map(|value| headers.insert(name, value));
    // Digits and hexadecimal digits always make a header value.
    let _ = set(DECISION_ID, &request_id.0);
    let _ = set(REQUEST_ID, &request_id.0);
    let _ = set(DURATION, &started.elapsed().as_millis().to_string());
    let _ = set(SUCCESS, if status.is_success() { "True" } else { "False" });
    response
}

/// Whether a body is compressed or the like: none is decoded here, and none is read as what it is not.
fn has_coding(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.as_bytes().trim_ascii());
    codings.into_iter().any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// A problem becomes its document; so does an error that the HTTP framework made without a body.
fn written(plane: &Plane, mut response: Response, request: &RequestId) -> Response {
    let own = response.extensions_mut().remove::<Problem>();
    let has_body = response.headers().contains_key(CONTENT_TYPE);
    let problem = own.or_else(|| match response.status() {
        _ if has_body => None,
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::of(Code::MethodUnknown)),
        StatusCode::NOT_FOUND => Some(Problem::of(Code::RouteUnknown)),
        _ => None,
    });
    let Some(problem) = problem else { return response };
    let allow = response.headers().get(ALLOW).cloned();
    let mut answer = (problem.status(), Json(problem.document(&plane.settings.instance_prefix(), request))).into_response();
    problem.edit(answer.headers_mut());
    if let Some(allow) = allow {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

/// The layer before every operation that is not open to everybody: no caller, no operation.
pub(super) async fn admit(State(plane): State<Plane>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    if is_sidecar(&plane, &head) {
        return next.run(Request::from_parts(head, body)).await;
    }
    match judged(&plane, &head).await {
        Ok(caller) => {
            head.extensions.insert(caller.clone());
            let asked = (head.method.clone(), head.uri.path().to_owned());
            let response = next.run(Request::from_parts(head, body)).await;
            note_denial(&plane, &caller, &asked, &response);
            response
        }
        Err(response) => *response,
    }
}

/// Whether the request bears one of the configured sidecar tokens, on a path that they open.
fn is_sidecar(plane: &Plane, head: &Parts) -> bool {
    let Bearer::Token(token) = bearer(&head.headers) else { return false };
    let digest: [u8; 32] = Sha256::digest(token).into();
    let is_one = plane.settings.sidecars.iter().filter(|own| aws_lc_rs::constant_time::verify_slices_are_equal(&digest, &own[..]).is_ok()).count() > 0;
    is_one && OF_SIDECARS.contains(&head.uri.path())
}

/// The caller, judged by the newest world; or the refusal's answer.
async fn judged(plane: &Plane, head: &Parts) -> Result<Caller, Box<Response>> {
    let answer = |problem: Problem| Box::new(problem.into_response());
    let world = plane.world().await.map_err(answer)?;
    let now = clock::now();
    let identity = match plane.foreign_tokens.identify(&plane.store.state(), &head.headers, now).await {
        Some(identity) => identity,
        None => identify(plane, &head.headers, now).map_err(answer)?,
    };
    let decision_id = head.extensions.get::<DecisionId>().copied().unwrap_or(DecisionId(0));
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let call = Call {
        door: Door::Control,
        decision_id,
        method: head.method.as_str(),
        target,
        headers: &head.headers,
        authority: head.uri.authority().map(http::uri::Authority::as_str),
        identity: &identity,
        body: None,
        metadata: &UpstreamMetadata::default(),
    };
    let before = clock::monotonic();
    let step = authorize(&world, &call, now);
    let judged = |record: Option<Record>| Judged { call: &call, world: &world, record, duration: before.elapsed() };
    let record = match step {
        Step::Done(Verdict::Admit(mut admission)) => admission.take_record(),
        Step::Done(Verdict::Refuse(refused)) => return Err(Box::new(refusal(plane, &refused.refusal, judged(Some(refused.record))))),
        // No operation of ours has a body rule or metadata.
        Step::Need(_) => return Err(answer(Problem::of(Code::Internal))),
    };
    // Operations on the caller's own account are open to policies, not to strangers.
    let user =
        authorize::Caller::find(&identity, &world.snapshot.policies, now).map_err(|refused| Box::new(refusal(plane, &refused, judged(record.clone()))))?;
    let token = match &identity {
        Identity::Token(token) => token.token_id.clone().map(|id| (id, token.expires_at)),
        _ => None,
    };
    let feature = record.as_ref().and_then(|record| record.operation(&world)).map(Operation::feature_id).unwrap_or_default();
    let caller = Caller::new(Facts {
        user,
        world,
        token,
        by_personal_access_token: matches!(identity, Identity::Opaque(_)),
        feature,
        request: head.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId(decision_id.to_string())),
        headers: head.headers.clone(),
    });
    require_open_zone(plane, head, &caller).map_err(answer)?;
    Ok(caller)
}

/// # Errors
/// 939 for a call from an address that a network zone blocks.
fn require_open_zone(plane: &Plane, head: &Parts, caller: &Caller) -> Result<(), Problem> {
    let session = if caller.has_personal_access_token() { SessionType::PersonalAccessToken } else { SessionType::AccessToken };
    let is_blocked = Peer::of(&head.extensions).is_blocked(plane, &plane.store.state(), session, (caller.user(), &caller.role_names()));
    match is_blocked {
        true => Err(Problem::of(Code::NetworkZoneBlocks).detail("Calls from this address are blocked.")),
        false => Ok(()),
    }
}

/// A call that was judged, with what is written down about it.
struct Judged<'a> {
    call: &'a Call<'a>,
    world: &'a Arc<World>,
    record: Option<Record>,
    duration: Duration,
}

/// The answer to a refusal: as every door answers it, but a method that a route does not have is 405.
fn refusal(plane: &Plane, refused: &Refusal, judged: Judged<'_>) -> Response {
    let Judged { call, world, .. } = judged;
    // TRACE is refused before any route is looked for; to clients of an API it is one more method that a route does not have.
    if refused.name == RefusalName::RouteNotMapped || call.method == "TRACE" {
        let path = call.target.split('?').next().unwrap_or_default();
        let methods = ["GET", "PUT", "POST", "PATCH", "DELETE"].into_iter().filter(|method| matches!(world.maps.find(method, path), Ok(Some(_))));
        let methods: Vec<&str> = methods.collect();
        if !methods.is_empty() {
            let mut response = Problem::of(Code::MethodUnknown).into_response();
            if let Ok(value) = HeaderValue::from_str(&methods.join(", ")) {
                response.headers_mut().insert(ALLOW, value);
            }
            return response;
        }
    }
    note(plane, refused, judged);
    let mut response = Response::new(Body::from(refused.problem(&plane.settings.instance_prefix(), call.decision_id)));
    *response.status_mut() = refused.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    for &(name, value) in refused.headers() {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Writes a refusal down beside those of the data planes, for its `instance` leads there.
fn note(plane: &Plane, refused: &Refusal, judged: Judged<'_>) {
    let Some(mut record) = judged.record else { return };
    record.refuse(refused);
    let record = KeptRecord::new(record, Arc::clone(judged.world));
    plane.own_decisions.note(&LogEntry { outcome: Outcome::Refused, status: refused.status().as_u16(), duration: judged.duration, record });
}

/// Writes down what an operation itself denied: a policy, or an account, that the caller may not touch.
fn note_denial(plane: &Plane, caller: &Caller, (method, path): &(Method, String), response: &Response) {
    let Some(problem) = response.extensions().get::<Problem>().filter(|problem| problem.status() == StatusCode::FORBIDDEN) else { return };
    let author = caller.author();
    plane.own_decisions.note(&serde_json::json!({
        "decisionId": author.request,
        "id": author.request,
        "requestId": author.request,
        "timestamp": clock::now().to_string(),
        "application": caller.application(),
        "user": author.user,
        "result": "Denied",
        "duration": 0.0,
        "door": Door::Control.name(),
        "method": method.as_str(),
        "path": path,
        "feature": caller.feature(),
        "revision": caller.policies().revision(),
        "refusal": RefusalName::AccessDenied.as_str(),
        "reason": problem.told(),
        "itemsRemoved": 0,
        "propertiesRemoved": 0,
    }));
}

/// Who a request says it comes from: a token of our own making, or an opaque one.
fn identify(plane: &Plane, headers: &HeaderMap, now: Timestamp) -> Result<Identity, Problem> {
    let refused = |error: &TokenError| Identity::Refused(error.to_string().into());
    Ok(match bearer(headers) {
        Bearer::Missing => Identity::Missing,
        Bearer::Malformed => Identity::Refused("the `Authorization` header is not one bearer token".into()),
        Bearer::Token(token) if token.len() > MAX_TOKEN_BYTES => refused(&TokenError::TooLong),
        Bearer::Token(token) if is_compact(token) => match verified(plane, token, now)? {
            Ok(token) => Identity::Token(Arc::new(token)),
            Err(error) => refused(&error),
        },
        Bearer::Token(token) => Identity::Opaque(Sha256::digest(token).into()),
    })
}

/// A token of our own making, verified as the data planes verify it.
///
/// # Errors
/// The outer one when our own keys cannot be read, the inner one when the token is not acceptable.
pub(super) fn verified(plane: &Plane, token: &str, now: Timestamp) -> Result<Result<VerifiedToken, TokenError>, Problem> {
    let issuer = Issuer {
        rules: Arc::new(IssuerRules::named(plane.settings.issuer())),
        audience: vec![AUDIENCE.into()],
        algorithms: vec![Algorithm::EdDsa, Algorithm::Rs256],
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_hours(24),
    };
    let keys = plane.token_keys()?;
    Ok(Unverified::parse(token).and_then(|token| verify(token, &issuer, &keys, now, Checks::default())))
}
