//! Bare questions over HTTP: AuthZEN's endpoints and the caller's own rights. Who asks is judged
//! first, then the body is read, then the policies answer.

use super::answering::{Answer, refused};
use super::asking::{body, caller, check_members, require_evaluator, unreadable};
use super::authzen::Sitting;
use super::{Door, own_rights, verdict};
use crate::authorize::{Applications, Asking, DecisionId, Refusal, RequestHeaders};
use crate::observe::Outcome;
use crate::snapshot::World;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Questions {
    /// AuthZEN: one question.
    Evaluation,
    /// AuthZEN: several questions.
    Evaluations,
    /// AuthZEN: where its endpoints are.
    Discovery,
    /// The Access API: the caller's own rights.
    OwnRights,
}

impl Questions {
    /// What is asked at this path.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/access/v1/evaluation" => Some(Self::Evaluation),
            "/access/v1/evaluations" => Some(Self::Evaluations),
            "/.well-known/authzen-configuration" => Some(Self::Discovery),
            "/access/api/me" => Some(Self::OwnRights),
            _ => None,
        }
    }

    fn method(self) -> Method {
        if self == Self::Discovery { Method::GET } else { Method::POST }
    }
}

/// Answers a request with questions.
pub(super) async fn answer(door: &Door, world: &Arc<World>, id: DecisionId, questions: Questions, request: Request<Incoming>) -> Answer {
    let request_id = request.headers().get(REQUEST_ID).cloned();
    let mut answer = if *request.method() == questions.method() { answer_asked(door, world, id, questions, request).await } else { other_method(questions) };
    if let Some(request_id) = request_id {
        answer.headers_mut().insert(REQUEST_ID, request_id);
    }
    answer
}

async fn answer_asked(door: &Door, world: &Arc<World>, id: DecisionId, questions: Questions, request: Request<Incoming>) -> Answer {
    if questions == Questions::Discovery {
        return document(&discovery(&door.settings.public_url));
    }
    let mut ending = verdict::begin(door, id);
    let (head, incoming) = request.into_parts();
    match ask(door, world, id, questions, &head, incoming).await {
        Ok(told) => {
            ending.answered(Outcome::Passed, StatusCode::OK);
            document(&told)
        }
        Err(refusal) => {
            ending.refused(&refusal);
            refused(world, id, &refusal)
        }
    }
}

async fn ask(door: &Door, world: &World, id: DecisionId, questions: Questions, head: &Parts, incoming: Incoming) -> Result<Value, Refusal> {
    let now = door.wiring.clock.now();
    let caller = caller(door, world, &head.headers, now).await?;
    let is_of_authzen = questions != Questions::OwnRights;
    if is_of_authzen {
        require_evaluator(world, &caller, &head.headers, now)?;
    }
    let body = body(door, incoming).await?;
    check_members(&body)?;
    let most = door.settings.questions;
    let sitting = Sitting { world, now, decision_id: id.to_string(), most };
    let told = match questions {
        Questions::Evaluation => sitting.one(&body),
        Questions::Evaluations => sitting.several(&body),
        Questions::OwnRights | Questions::Discovery => {
            let policies = &world.snapshot.policies;
            let named = applications(head.uri.query().unwrap_or_default())?;
            let applications = Applications::of(policies, &named.iter().map(String::as_str).collect::<Vec<_>>());
            let asking = Asking { policies, caller: &caller, is_token_known: true, headers: &RequestHeaders(&head.headers), now };
            own_rights::evaluated(&asking, &applications, &body, most)
        }
    };
    told.map_err(unreadable)
}

/// Every `applications` of a query, decoded.
fn applications(query: &str) -> Result<Vec<String>, Refusal> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("applications"));
    let decoded = named.map(|(_, value)| percent_decode_str(&value.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned));
    decoded.collect::<Result<_, _>>().map_err(|_| unreadable("`applications` is not percent-encoded utf-8"))
}

fn discovery(public_url: &str) -> Value {
    json!({
        "policy_decision_point": public_url,
        "access_evaluation_endpoint": format!("{public_url}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{public_url}/access/v1/evaluations"),
    })
}

fn document(value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(Bytes::from(value.to_string())));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn other_method(questions: Questions) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(if questions.method() == Method::GET { "GET" } else { "POST" }));
    answer
}
