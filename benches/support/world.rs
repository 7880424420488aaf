//! A world of the shipped API map, and calls into it.

use super::snapshots;
use doorward::api_map::ApiMap;
use doorward::authorize::{Admission, Answer, AnswerFilter, Call, DecisionId, Door, Identity, Step, UpstreamMetadata, Verdict, authorize};
use doorward::cases::read_yaml;
use doorward::policy::Claims;
use doorward::snapshot::{Settings, Snapshot, World};
use doorward::token::{IssuerRules, VerifiedToken};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use std::sync::Arc;

/// The list that the callers ask for.
pub const LIST: &str = "/api/portfolios?effectiveAt=2026-01-01T00:00:00Z&limit=100";

/// The time of every call.
pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a date")
}

/// The callers' snapshot under the map of the LUSID API.
pub fn world() -> Arc<World> {
    let snapshot = Snapshot::load(snapshots::CALLERS.as_bytes(), now()).expect("the snapshot loads");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/api/lusid.yaml")).expect("the map is there");
    let map = read_yaml(&text).expect("the map is YAML");
    let maps = ApiMap::load(&[("lusid.yaml".to_owned(), map)]).expect("the map loads");
    Arc::new(World { snapshot: Arc::new(snapshot), maps: Arc::new(maps), settings: Arc::new(Settings::default()) })
}

/// A request of one caller.
pub struct Request {
    identity: Identity,
    headers: HeaderMap,
    metadata: UpstreamMetadata,
}

impl Request {
    /// As `user`, with the headers that a client sends.
    pub fn of(user: &str) -> Self {
        let token = VerifiedToken {
            rules: Arc::new(IssuerRules::default()),
            user: user.into(),
            claims: Claims::default(),
            scopes: Vec::new(),
            roles: Vec::new(),
            token_id: Some("0123456789".into()),
            issued_at: Some(now()),
            expires_at: Timestamp::MAX,
            binding: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("bench/1.0"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        Self { identity: Identity::Token(Arc::new(token)), headers, metadata: UpstreamMetadata::default() }
    }

    /// What is said to a `GET` of `target`.
    pub fn step(&self, world: &Arc<World>, target: &str) -> Step {
        let call = Call {
            door: Door::Proxy,
            decision_id: DecisionId(7),
            method: "GET",
            target,
            headers: &self.headers,
            authority: None,
            identity: &self.identity,
            body: None,
            metadata: &self.metadata,
        };
        authorize(world, &call, now())
    }

    /// The admission of such a call.
    pub fn admission(&self, world: &Arc<World>, target: &str) -> Box<Admission> {
        match self.step(world, target) {
            Step::Done(Verdict::Admit(admission)) => admission,
            _ => panic!("not admitted"),
        }
    }

    /// The filter of its answer.
    pub fn filter(&self, world: &Arc<World>, target: &str) -> Box<AnswerFilter> {
        match self.admission(world, target).answer(StatusCode::OK, &mut HeaderMap::new()) {
            Ok(Answer::Filter(filter)) => filter,
            _ => panic!("not filtered"),
        }
    }
}
